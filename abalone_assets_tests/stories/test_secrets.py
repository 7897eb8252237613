"""No secret setting is in anything that the platform writes, says or shows.

Each secret has a value that is nowhere else, and the platform works and fails with all of them set:
releases, refused surveys, a base survey that cannot be fetched, recipients that refuse, wrong
tokens, malformed settings. Then everything it left is searched.
"""

from __future__ import annotations

import base64
import contextlib
import io
import threading
import warnings
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import dagster as dg
import pytest
from dagster._core.remote_representation.external_data import RepositorySnap
from dagster._serdes import serialize_value
from pydantic import SecretStr

from abalone_assets.alerts.recipients import AlertError
from abalone_assets.settings.environment import variable
from abalone_assets.settings.platform import Settings, load_settings
from abalone_assets_tests.automation.support import name_of, platform_in
from abalone_assets_tests.cli.support import abalone
from abalone_assets_tests.pages.support import Site
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.support.platform import Platform

pytestmark = pytest.mark.xdist_group("secrets")  # one home for all

CANARIES = {
    "the password of a recipient": "canary-Zq1w-password",
    "the address of a recipient": "canary-Zq2w-hook",
    "the upload token": "canary-Zq3w-upload-token",
    "the password of the base survey": "canary-Zq4w-base",
    "the signature of the base survey": "canary-Zq5w-signature",
    "AWS's secret key": "canary-Zq6w-aws-key",
    "AWS's session token": "canary-Zq7w-aws-session",
    "the password of MLflow": "canary-Zq8w-mlflow",
}
PASSWORD, HOOK, TOKEN, BASE, SIGNATURE, KEY, SESSION, MLFLOW = CANARIES.values()


SHOWN = ("/", "/surveys", "/surveys/upload", "/models", "/models/1", "/reports", "/metrics",
         "/openapi.json", "/endpoints/abalone", "/ping")  # fmt: skip


class _Base(BaseHTTPRequestHandler):
    def __init__(self, data: list[bytes], *arguments: Any) -> None:
        self.data = data
        super().__init__(*arguments)

    def do_GET(self) -> None:
        self.send_response(200 if self.data else 500)
        self.end_headers()
        self.wfile.write(b"".join(self.data))

    def log_message(self, *_: Any) -> None:
        pass


def _settings(port: int) -> dict[str, str]:
    return {
        "RAW_URI": f"http://crew:{BASE}@127.0.0.1:{port}/base.csv?X-Amz-Signature={SIGNATURE}",
        "NOTIFY": f"jsons://user:{PASSWORD}@127.0.0.1:1/{HOOK}",
        "UPLOAD_TOKEN": TOKEN,
        "MLFLOW_URI": f"http://crew:{MLFLOW}@127.0.0.1:1",
        "ENDPOINT_PORT": "0",
    }


def _work(platform: Platform, data: list[bytes], said: io.StringIO) -> None:
    """A day of work, with what goes wrong on one."""
    platform.land(name_of("2025-03-03"), survey_rows(6) + b"M,nonsense\n")
    platform.land(name_of("2025-03-04"), b"\0")
    platform.settle()
    assert any(run.is_success for run in platform.instance.get_runs())
    data.clear()
    platform.run(
        "release", base_survey_alone(), raise_on_error=False
    )  # whose base survey cannot be fetched
    with pytest.raises(AlertError) as refused:
        platform.tick("alert_sensor")
    said.write(f"{refused.getrepr(chain=True, showlocals=False)}\n")
    for command in (
        ["doctor"],
        ["doctor", "--json"],
        ["status"],
        ["status", "--json"],
        ["status", "2025-03-03"],
        ["versions", "--json"],
        ["verify", "--json"],
        ["gc", "--json", "--verbose"],
        ["restore", "--json"],
        ["notify"],
        ["mlflow"],
    ):
        result = abalone(*command)
        said.write(result.output + repr(result.exception) + repr(result.exc_info))


def _shown_configuration(platform: Platform) -> str:
    """What Dagster's pages show of the definitions, with the configuration of each resource."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of a property of Dagster's own
        return serialize_value(RepositorySnap.from_def(platform.definitions.get_repository_def()))


def base_survey_alone() -> dg.RunRequest:
    return dg.RunRequest(asset_selection=[dg.AssetKey("raw_abalone")])


def _visits(home: Path, said: io.StringIO) -> None:
    """What people and programs see in a browser, with and without the token."""
    site = Site.of(home, "0.0.0.0", "http://crew.example")
    said.writelines(site.get(path).text for path in SHOWN)
    for token in ("", "wrong", TOKEN):
        sent = {"token": token} if token else {}
        files = {"file": (name_of("2025-03-05"), survey_rows(3))}
        response = site.client.post("/surveys/upload", files=files, data=sent)
        said.write(f"{response.status_code} {response.headers} {response.text}")


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Everything that was written, said and shown, by where."""
    folder = tmp_path_factory.mktemp("secrets")
    data, said = [b""], io.StringIO()
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Base, data)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with (
            pytest.MonkeyPatch.context() as environment,
            contextlib.redirect_stderr(said),
            contextlib.redirect_stdout(said),
        ):
            environment.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
            environment.setenv("AWS_SECRET_ACCESS_KEY", KEY)
            environment.setenv("AWS_SESSION_TOKEN", SESSION)
            with platform_in(folder, **_settings(server.server_port)) as platform:
                data[:] = [(folder / "base_survey.csv").read_bytes()]
                _work(platform, data, said)
                _visits(platform.home, said)
                secrets = load_settings()
                said.write(repr((secrets.notify, secrets.upload_token)))
                said.write(_shown_configuration(platform))
        server.shutdown()
    files = {
        str(path.relative_to(folder)): path.read_bytes()
        for path in (folder / "home").rglob("*")
        if path.is_file()
    }
    return {"said": said.getvalue().encode(), **files}


def written_as(secret: str) -> set[bytes]:
    """A secret as it is, in a URL, and as in a header of HTTP's basic access."""
    encoded = {base64.b64encode(f"{user}:{secret}".encode()) for user in ("user", "crew")}
    return {secret.encode(), quote(secret, safe="").encode(), *encoded}


@pytest.mark.parametrize("what", CANARIES)
def test_a_secret_is_in_nothing_that_the_platform_left(left: dict[str, bytes], what: str) -> None:
    found = {
        place
        for place, content in left.items()
        if any(secret in content for secret in written_as(CANARIES[what]))
    }
    shown = {place: _around(left[place], CANARIES[what].encode()) for place in found}
    assert shown == {}


def _around(content: bytes, secret: bytes) -> bytes:
    at = content.find(secret)
    return content[max(0, at - 200) : at + 60]


def test_there_was_something_to_search(left: dict[str, bytes]) -> None:
    """A search that finds nothing anywhere would prove nothing."""
    assert any("runs.db" in place for place in left)
    assert any(place.startswith("home/lake/") for place in left)
    assert b"the network refused" in b"".join(left.values())
    assert b"landing_zone" in left["said"]
    assert b"abalone_http_requests" in left["said"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UPLOAD_TOKEN", "short-canary"),
        ("NOTIFY", "nonsense://user:canary-canary@x/canary-canary"),
    ],
)
def test_a_malformed_secret_is_not_repeated(
    home: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"ABALONE_{name}", value)
    for command in ("status", "doctor", "notify"):
        result = abalone(command)
        assert "canary" not in result.output + repr(result.exception)


def test_every_secret_setting_is_searched_for() -> None:
    """Who adds a secret adds its canary here."""
    secret = {name for name, field in Settings.model_fields.items()
              if field.annotation is SecretStr}  # fmt: skip
    assert {variable(name) for name in secret} == {
        "ABALONE_MLFLOW_URI",
        "ABALONE_NOTIFY",
        "ABALONE_UPLOAD_TOKEN",
    }
