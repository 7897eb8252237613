"""Where MLflow is said to be: what is refused, what is asked for, and what is never shown."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import pytest
import requests
from filelock import FileLock

from abalone_assets.doctor.finding import mlflow_server
from abalone_assets.errors import AbaloneError, SettingsError
from abalone_assets.settings.platform import load_settings
from abalone_assets.tracking import server as server_module
from abalone_assets.tracking.child import _in_short
from abalone_assets.tracking.server import MlflowError, MlflowServer
from abalone_assets.tracking.tell import tell_mlflow
from abalone_assets_tests.cli.support import abalone

if TYPE_CHECKING:
    from pathlib import Path

APP = "arn:aws:sagemaker:us-east-1:123456789012:mlflow-app/app-ABC"
SERVER = "arn:aws:sagemaker:us-east-1:123456789012:mlflow-tracking-server/tracker"
SECRET = "pa55/word"
WITH_SECRET = "https://ana:pa55%2Fword@mlflow.example.com/base/"


def named(monkeypatch: pytest.MonkeyPatch, uri: str) -> MlflowServer:
    monkeypatch.setenv("ABALONE_MLFLOW_URI", uri)
    found = MlflowServer.of(load_settings())
    assert found is not None
    return found


@pytest.mark.parametrize(
    "uri", ["mlflow", "arn:aws:s3:::bucket", "ftp://x", "http://", "sqlite:///mlflow.db"]
)
def test_what_is_no_mlflow_is_refused_at_once(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("ABALONE_MLFLOW_URI", uri)
    with pytest.raises(SettingsError, match=r"ABALONE_MLFLOW_URI: expected the http:// or") as told:
        load_settings()
    assert f"={uri}" not in str(told.value), "what is refused may be a secret"


@pytest.mark.parametrize("uri", [APP, SERVER, "http://127.0.0.1:5000"])
def test_a_server_is_named_by_address_or_arn(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    assert named(monkeypatch, uri) == MlflowServer(uri)


def test_without_an_address_there_is_no_server(home: Path) -> None:
    assert MlflowServer.of(load_settings()) is None
    assert [*mlflow_server(load_settings())] == []
    with pytest.raises(MlflowError, match="ABALONE_MLFLOW_URI names no server: set it to"):
        tell_mlflow(load_settings(), lambda _: None)
    result = abalone("mlflow")
    assert (result.exit_code, result.stdout) == (1, "")
    assert home.exists()


def test_two_do_not_tell_at_a_time(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABALONE_MLFLOW_URI", "http://127.0.0.1:1")
    with (
        FileLock(home / "mlflow.lock"),
        pytest.raises(MlflowError, match="another process is telling MLflow; wait until"),
    ):
        tell_mlflow(load_settings(), lambda _: None)


def test_a_password_is_told_to_the_client_and_to_nobody_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = named(monkeypatch, WITH_SECRET)
    assert (server.uri, server.username) == ("https://mlflow.example.com/base", "ana")
    environment = server.environment()
    assert environment["MLFLOW_TRACKING_PASSWORD"] == SECRET
    assert environment["MLFLOW_TRACKING_URI"] == "https://mlflow.example.com/base"
    for text in (f"no {SECRET}", f"GET {WITH_SECRET}x failed", "http://other:s3cret@host/x"):
        shown = server.without_secrets(text)
        assert not any(secret in shown for secret in (SECRET, "pa55%2Fword", "s3cret"))
    assert SECRET not in repr(load_settings())
    assert SECRET not in server.identity


def test_calls_are_short_unless_somebody_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    server = named(monkeypatch, "http://127.0.0.1:5000")
    environment = server.environment()
    assert environment["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "10"
    assert environment["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] == "1"
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert "MLFLOW_TRACKING_PASSWORD" not in environment
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://another")
    assert server.environment()["MLFLOW_HTTP_REQUEST_TIMEOUT"] == "60"
    assert server.environment()["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:5000"


@pytest.mark.parametrize(
    ("uri", "lacks", "extra"),
    [
        ("http://127.0.0.1:1", "mlflow", "mlflow"),
        (SERVER, "sagemaker_mlflow", "sagemaker-mlflow"),
    ],
)
def test_a_missing_client_is_named_with_its_extra(
    monkeypatch: pytest.MonkeyPatch, uri: str, lacks: str, extra: str
) -> None:
    server = named(monkeypatch, uri)
    found = importlib.util.find_spec
    monkeypatch.setattr(server_module, "find_spec", lambda n: None if n == lacks else found(n))
    message = rf"{lacks} is not installed: pip install 'abalone-assets\[{extra}\]'"
    with pytest.raises(MlflowError, match=message):
        server.require_client()
    [finding] = mlflow_server(load_settings())
    assert (finding.subject, finding.outcome) == ("mlflow", "warning")
    assert lacks in finding.found


def test_the_doctor_warns_of_a_server_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    named(monkeypatch, f"http://ana:{SECRET.replace('/', '')}@127.0.0.1:1")
    [finding] = mlflow_server(load_settings())
    assert (finding.subject, finding.outcome) == ("mlflow", "warning")
    assert "127.0.0.1:1" in finding.found
    assert "pa55" not in f"{finding}"


@pytest.mark.parametrize(
    ("met", "told"),
    [
        (requests.ConnectionError("HTTPConnectionPool(…): Max retries"), "it does not answer"),
        (requests.ReadTimeout("Read timed out."), "it did not answer in time"),
        (AbaloneError("no such lake"), "RuntimeError: it failed with no such lake"),
    ],
    ids=["away", "slow", "otherwise"],
)
def test_an_error_that_quotes_others_is_told_in_few_words(met: Exception, told: str) -> None:
    error = RuntimeError(f"it failed\nwith {met}")
    error.__context__ = met  # as what is raised while another is handled
    assert _in_short(error) == told
    assert _in_short(AbaloneError("as it is")) == "as it is"
    assert len(_in_short(RuntimeError("word " * 500))) < 220
