"""A release of the deployed Dagster: launched by GraphQL, at its web server or in its image."""

from __future__ import annotations

import logging
import shutil
import socket
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
import requests
from dagster._core.storage.tags import WILL_RETRY_TAG
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster._daemon.auto_run_reexecution.auto_run_reexecution import (
    consume_new_runs_for_automatic_reexecution,
)
from rich.console import Console

from abalone_assets import CODE_LOCATION, definitions
from abalone_assets.automation.runs import RELEASE_JOB
from abalone_assets.cli import release_on_aws
from abalone_assets.cli.release_on_aws import (
    DeployedDagsterError,
    deployed_dagster,
    release_there,
)
from abalone_assets.cli.run_progress import RunProgress
from abalone_assets.local.instance import local_workspace
from abalone_assets.local.run import RunFailedError
from abalone_assets_tests.fakes.support import wait_for
from abalone_assets_tests.support.instance import retry_runs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.service

REQUEST = dg.RunRequest(
    run_config={"ops": {"trained_model": {"config": {"framework": "xgboost"}}}},
    tags={"abalone/digest": "d"},
    asset_selection=[dg.AssetKey("trained_model"), dg.AssetKey("evaluation")],
)


class Ends(RunProgress):
    """Stands for the daemon: ends the run as soon as it is said to be in the queue."""

    def __init__(self, event: dg.DagsterEventType) -> None:
        self._event = event
        self.launched: list[dg.DagsterRun] = []

    def say(self, text: str, *, mark: str = "", style: str = "") -> None:
        with dg.DagsterInstance.get() as instance:
            [run] = instance.get_runs()
            assert run.run_id in text
            self.launched.append(run)
            ended = dg.DagsterEvent(self._event.value, run.job_name)
            instance.report_dagster_event(ended, run.run_id)


@pytest.fixture
def image(home: Path) -> Path:
    """An instance as the image has it: a workspace beside its folder."""
    shutil.copyfile(local_workspace(), home / "workspace.yaml")
    return home / "dagster"


@pytest.fixture
def url(home: Path) -> Iterator[str]:
    """A web server of the home's instance."""
    port = free_port()
    command = [sys.executable, "-m", "dagster_webserver", "-w", str(local_workspace())]
    process = subprocess.Popen([*command, "-p", str(port), "--path-prefix", "/ui"])
    try:
        url = f"http://127.0.0.1:{port}/ui"
        wait_for(lambda: answers(f"{url}/server_info"), 120)
        yield url
    finally:
        process.terminate()
        process.wait(timeout=60)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False


def released(ends: dg.DagsterEventType) -> Any:
    show = Ends(ends)
    with deployed_dagster() as deployed:
        runs = release_there(deployed, definitions.defs(), REQUEST, show)
    [run] = show.launched
    assert runs == [run.run_id]
    return run


@pytest.mark.parametrize("way", ["url", "image"])
def test_it_is_a_run_of_its_queue_with_config_selection_and_tags(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    found = request.getfixturevalue(way)
    if way == "url":
        monkeypatch.setenv("ABALONE_DAGSTER_URL", found)
    run = released(dg.DagsterEventType.RUN_SUCCESS)
    assert (run.job_name, run.status) == (RELEASE_JOB, dg.DagsterRunStatus.QUEUED)
    assert run.asset_selection == {dg.AssetKey("trained_model"), dg.AssetKey("evaluation")}
    assert run.run_config["ops"]["trained_model"]["config"] == {"framework": "xgboost"}
    assert run.tags["abalone/digest"] == "d"
    assert run.remote_job_origin.location_name == CODE_LOCATION


@pytest.mark.usefixtures("image")
def test_a_run_that_fails_is_told_with_where_to_look() -> None:
    with pytest.raises(RunFailedError, match=r"failed; its page at the instance in .* says why"):
        released(dg.DagsterEventType.RUN_FAILURE)


class Retries(Ends):
    """The first run is cut short, and the daemon's own code retries it; the retry succeeds."""

    def say(self, text: str, *, mark: str = "", style: str = "") -> None:
        with dg.DagsterInstance.get() as instance:
            run = max(instance.get_runs(), key=lambda each: text.rfind(each.run_id))
            self.launched.append(run)
            if len(self.launched) > 1:
                ended = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, run.job_name)
                instance.report_dagster_event(ended, run.run_id)
                return
            instance.report_run_failed(run, "Its process died.")
            records = instance.get_run_records()
            workspace = WorkspaceFileTarget([str(local_workspace())])
            with WorkspaceProcessContext(instance, workspace) as process:
                daemon = consume_new_runs_for_automatic_reexecution
                list(daemon(process, records, logging.getLogger("test")))


@pytest.mark.parametrize("way", ["url", "image"])
def test_a_run_that_is_cut_short_is_followed_in_its_retry(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, home: Path, way: str
) -> None:
    retry_runs(home / "dagster")
    found, show = request.getfixturevalue(way), Retries(dg.DagsterEventType.RUN_SUCCESS)
    if way == "url":
        monkeypatch.setenv("ABALONE_DAGSTER_URL", found)
    with deployed_dagster() as deployed:
        runs = release_there(deployed, definitions.defs(), REQUEST, show)
    assert runs == [run.run_id for run in show.launched]
    assert len(runs) == 2


class Flaky:
    """A deployed Dagster whose run ends, and which does not answer at some of the looks."""

    def __init__(self, *misses: int) -> None:
        self.looks, self.misses = 0, misses

    def ask(self, query: str, _: object) -> dict[str, Any]:
        if query is release_on_aws.LAUNCH:
            return {"data": {"launchRun": {"run": {"runId": "a-run"}}}}
        self.looks += 1
        if self.looks in self.misses:
            raise DeployedDagsterError("no answer")
        return {"data": {"run": {"status": "SUCCESS" if self.looks > 30 else "STARTED"}}}


def release_at(there: Flaky | Fails) -> list[str]:
    deployed = release_on_aws.Deployed(there.ask, "there")
    return release_there(deployed, definitions.defs(), REQUEST, RunProgress(Console(quiet=True)))


def test_some_looks_without_an_answer_are_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(release_on_aws, "POLL_SECONDS", 0)
    assert release_at(Flaky(1, 2, 3, *range(5, 5 + release_on_aws.MOST_MISSES - 1))) == ["a-run"]
    with pytest.raises(DeployedDagsterError, match="run a-run goes on, but no answer"):
        release_at(Flaky(*range(2, 2 + release_on_aws.MOST_MISSES)))


class Fails:
    """A deployed Dagster whose run fails, which says of it what it is told to, look by look."""

    def __init__(self, *said: dict[str, str]) -> None:
        self.looks, self.said = 0, said

    def ask(self, query: str, _: object) -> dict[str, Any]:
        if query is release_on_aws.LAUNCH:
            return {"data": {"launchRun": {"run": {"runId": "a-run"}}}}
        said = self.said[min(self.looks, len(self.said) - 1)]
        self.looks += 1
        tags = [{"key": key, "value": value} for key, value in said.items()]
        return {"data": {"run": {"status": "FAILURE", "tags": tags}}}


@pytest.mark.parametrize(
    ("fails", "looks", "late"),
    [
        (Fails({}), 2, False),
        (Fails({}, {WILL_RETRY_TAG: "false"}), 2, False),
        (Fails({WILL_RETRY_TAG: "false"}), 1, False),
        (Fails({}, {WILL_RETRY_TAG: "true"}), release_on_aws.RETRY_LOOKS, True),
    ],
)
def test_a_failure_is_looked_at_until_dagster_says_whether_it_retries(
    monkeypatch: pytest.MonkeyPatch, fails: Fails, looks: int, *, late: bool
) -> None:
    monkeypatch.setattr(release_on_aws, "POLL_SECONDS", 0)
    with pytest.raises(RunFailedError, match="run a-run failed") as failed:
        release_at(fails)
    assert (fails.looks, "not retried it as it should" in str(failed.value)) == (looks, late)


@pytest.mark.parametrize(
    "text",
    [
        '{"message": "Service Unavailable"}',
        '["Service Unavailable"]',
        '"Service Unavailable"',
        '{"errors": ["Service Unavailable"]}',
        '{"data": {}, "why": "Service Unavailable"}',
        '{"data": {"run": null}, "why": "Service Unavailable"}',
        "<html>Service Unavailable</html>",
    ],
)
def test_an_answer_of_who_stands_before_dagster_is_one_clear_error(
    home: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    class Balancer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(503)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Balancer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("ABALONE_DAGSTER_URL", f"http://127.0.0.1:{server.server_port}")
        with pytest.raises(DeployedDagsterError, match=r"status 503, .*Service Unavailable"):
            released(dg.DagsterEventType.RUN_SUCCESS)
        server.shutdown()


def test_a_web_server_that_does_not_answer_is_one_clear_error(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_DAGSTER_URL", f"http://ana:hunter2@127.0.0.1:{free_port()}")
    with pytest.raises(DeployedDagsterError, match="which ABALONE_DAGSTER_URL names") as refused:
        released(dg.DagsterEventType.RUN_SUCCESS)
    assert "hunter2" not in str(refused.value)
    with deployed_dagster() as deployed:
        assert "hunter2" not in deployed.place
