"""A real MLflow server has every version, and its champion answers as the endpoint does."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pandas as pd
import psutil
import pytest
import requests
from starlette.testclient import TestClient

from abalone_assets import survey
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.registry.open import open_registry
from abalone_assets.serving.app import build_app
from abalone_assets.serving.capture import DataCapture
from abalone_assets.serving.model_host import ModelHost
from abalone_assets.settings.platform import load_settings
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.tracking.server import MlflowServer
from abalone_assets.tracking.tell import tell_mlflow
from abalone_assets.tracking.told import read_told, state_of
from abalone_assets_tests.cli.support import abalone
from abalone_assets_tests.registry.test_provenance import MADE
from abalone_assets_tests.serving.support import LINES, tiny_archive
from abalone_assets_tests.support.small_files import largest_file
from abalone_assets_tests.tracking.support import go_live, register, report_on, silent_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from mlflow import MlflowClient

pytestmark = [
    pytest.mark.timeout(900),  # a server needs half a minute to start on a busy machine
    pytest.mark.xdist_group("mlflow"),
    pytest.mark.filterwarnings("default"),  # MLflow's own habits
]
SECRET = "pa55word"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mlflow_server(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server whose database and files are in a folder."""
    folder.mkdir(exist_ok=True)
    command = ["mlflow", "server", "--port", str(port), "--workers", "1"]
    places = [f"--backend-store-uri=sqlite:///{folder}/mlflow.db"]
    places += [f"--artifacts-destination={folder}/artifacts"]
    quiet = {"MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *command, *places],
            env={**os.environ, **quiet},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_until_it_answers(server, port, folder / "log")
        yield server
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()


def _wait_until_it_answers(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    for _ in range(600):
        try:
            if requests.get(f"http://127.0.0.1:{port}/health", timeout=5).ok:
                return
        except requests.RequestException:
            pass
        assert server.poll() is None, log.read_text()
        time.sleep(0.3)
    pytest.fail(log.read_text())


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    with mlflow_server(tmp_path_factory.mktemp("mlflow"), port):
        yield f"127.0.0.1:{port}"


@pytest.fixture
def mlflow(address: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """A client of the server; the platform of this test has a name of its own there."""
    from mlflow import MlflowClient

    monkeypatch.setenv("ABALONE_MLFLOW_URI", f"http://ana:{SECRET}@{address}")
    monkeypatch.setenv("ABALONE_ENDPOINT_NAME", f"abalone-{uuid4().hex[:8]}")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return MlflowClient(f"http://{address}")


def name() -> str:
    return load_settings().endpoint_name


def tell(patience: float = 200) -> Any:
    return tell_mlflow(load_settings(), lambda _: None, patience)


def run_of(mlflow: MlflowClient, version: int) -> Any:
    experiment = mlflow.get_experiment_by_name(name())
    assert experiment is not None
    found = mlflow.search_runs([experiment.experiment_id], f"tags.version = '{version}'")
    assert len(found) == 1
    return found[0]


def files_of(mlflow: MlflowClient, run: Any) -> set[str]:
    return {each.path for each in mlflow.list_artifacts(run.info.run_id)}


def champion(mlflow: MlflowClient) -> str | None:
    model = mlflow.get_registered_model(name())
    number = model.aliases.get("champion")
    return None if number is None else mlflow.get_model_version(name(), number).tags["version"]


def test_a_version_is_a_run_and_a_model_that_answers_as_the_endpoint(
    mlflow: MlflowClient, tmp_path: Path
) -> None:
    archive = tiny_archive(1)
    data = {"rows": 300, "days": 2, "first_day": "2025-03-03", "last_day": ""}
    register(archive, "a", data=data, provenance=MADE.to_document())
    register(tiny_archive(2, calibrated=False), "b", approved=False)
    report_on("a")
    go_live(1)
    sent = tell()
    assert (sent.problem, sorted(sent.versions), sent.champion) == (None, [1, 2], 1)
    assert SECRET not in repr(sent)

    run = run_of(mlflow, 1)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "version 1"
    assert run.data.metrics["rmse"] == 2.125
    assert run.data.metrics["validation_rmse"] > 1
    assert (run.data.params["framework"], run.data.params["num_boost_round"]) == ("xgboost", "6")
    assert run.data.tags["approval"] == "approved by the gate"
    assert run.data.tags["release_digest"] == "release a"
    assert (run.data.tags["rows"], run.data.tags["survey_days"]) == ("300", "2")
    assert MADE.facts().items() <= run.data.tags.items()
    assert run.data.tags["mlflow.source.git.commit"] == MADE.code.commit
    (model,) = mlflow.search_model_versions(f"name = '{name()}' and run_id = '{run.info.run_id}'")
    assert model.tags["code"] == "0.1.0, commit 1a2b3c4d5e with changes"
    assert files_of(mlflow, run) == {
        "decision.json",
        "evaluation.json",
        "model",
        "pictures",
        "report.html",
    }
    pictures = [each.path for each in mlflow.list_artifacts(run.info.run_id, "pictures")]
    assert pictures == ["pictures/by_sex_age.svg"]
    assert "report.html" not in files_of(mlflow, run_of(mlflow, 2))

    settings = load_settings()
    registry = open_registry(settings)
    assert isinstance(registry, FolderRegistry)
    host = ModelHost(registry, settings.endpoint_name)
    host.refresh()
    capture = DataCapture(ObjectStore(tmp_path / "captured"), settings.endpoint_name)
    answer = TestClient(build_app(host, capture)).post(
        f"/endpoints/{settings.endpoint_name}/invocations",
        content="\n".join(LINES),
        headers={"Content-Type": "text/csv", "Accept": "application/json"},
    )
    columns = [[float(x) if i else x for i, x in enumerate(line.split(","))] for line in LINES]
    frame = pd.DataFrame(columns, columns=list(survey.FEATURES))
    code = f"""
import json, sys, mlflow, pandas
import abalone_assets.errors
installed = abalone_assets, abalone_assets.errors
mlflow.set_tracking_uri({mlflow.tracking_uri!r})
frame = pandas.read_json(sys.stdin, orient="split", convert_dates=False, dtype=False)
model = mlflow.pyfunc.load_model("models:/{settings.endpoint_name}@champion")
other = mlflow.pyfunc.load_model("models:/{settings.endpoint_name}/2")
answers = [each.predict(frame).to_dict("records") for each in (model, other)]
print(json.dumps(answers))
names = [name for name in sys.modules if name.startswith("abalone_assets")]
assert names == ["abalone_assets", "abalone_assets.errors"], names
assert installed == (*map(sys.modules.get, names),), "the installed package is left alone"
assert not [name for name in sys.modules if name.startswith("dagster")]
try:
    model.predict(frame.assign(length=-1.0))
except Exception as error:
    print("refused:", error)
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        input=frame.to_json(orient="split"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    ours, other = json.loads(lines[0])
    assert ours == answer.json()["predictions"]
    assert set(other[0]) == {"rings", "age_years"}
    assert other != [{k: each[k] for k in other[0]} for each in ours]
    assert "row 1, column length" in lines[1]


def test_what_is_there_stays_and_decisions_and_late_reports_follow(mlflow: MlflowClient) -> None:
    register(tiny_archive(1), "a")
    register(tiny_archive(2), "b")
    go_live(2)
    assert tell().versions == (2, 1)
    assert champion(mlflow) == "2"
    before = run_of(mlflow, 2)
    assert tell().versions == ()
    assert read_told(ObjectStore(load_settings().lake_uri)).state == state_of(load_settings())

    registry = open_registry(load_settings())
    registry.reject(2, because="it guesses", by="ana")
    go_live(1)
    report_on("b")
    assert read_told(ObjectStore(load_settings().lake_uri)).state != state_of(load_settings())
    result = abalone("mlflow", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["sent"] == [2]
    assert champion(mlflow) == "1"
    after = run_of(mlflow, 2)
    assert after.info.run_id == before.info.run_id
    assert after.data.tags["approval"] == "rejected by ana"
    assert "report.html" in files_of(mlflow, after)
    models = mlflow.search_model_versions(f"name = '{name()}'")
    assert {each.tags["version"]: each.tags["approval"] for each in models} == {
        "1": "approved by the gate",
        "2": "rejected by ana",
    }


def test_a_version_whose_archive_is_gone_is_a_run_without_a_model(mlflow: MlflowClient) -> None:
    register(tiny_archive(1), "a")
    register(tiny_archive(2), "b")
    registry = open_registry(load_settings())
    registry.remove_archive(1)
    (load_settings().home / "registry" / registry.get(2).model_key).write_bytes(b"damaged")
    sent = tell()
    assert (sent.problem, sent.versions, sent.champion) == (None, (2, 1), None)
    assert run_of(mlflow, 1).data.metrics["rmse"] == 2.125
    assert mlflow.search_model_versions(f"name = '{name()}'") == []
    assert champion(mlflow) is None


def test_a_disk_that_is_full_delays_a_models_files_and_calls_no_archive_damaged(
    mlflow: MlflowClient,
) -> None:
    register(tiny_archive(1), "a")
    go_live(1)
    with largest_file(5000):
        sent = tell()
    assert sent.versions == ()
    assert "cannot be unpacked here at present" in str(sent.problem)
    assert "abalone.model" not in run_of(mlflow, 1).data.tags

    sent = tell()
    assert (sent.problem, sent.versions, sent.champion) == (None, (1,), 1)
    assert champion(mlflow) == "1"


def test_a_server_that_dies_half_way_has_everything_once_when_it_is_back(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow import MlflowClient

    port = free_port()
    monkeypatch.setenv("ABALONE_MLFLOW_URI", f"http://ana:{SECRET}@127.0.0.1:{port}")
    for number, digest in enumerate("abc", start=1):
        register(tiny_archive(number), digest)
    go_live(3)
    with mlflow_server(tmp_path / "server", port) as server:
        told: list[str] = []

        def kill_it(said: str) -> None:
            told.append(said)
            if server.poll() is None:
                os.killpg(server.pid, signal.SIGKILL)

        sent = tell_mlflow(load_settings(), kill_it, 200)
        assert told == ["version 3 is in MLflow"]
        assert sent.problem is not None
        assert f"MLflow at http://127.0.0.1:{port} lacks versions" in sent.problem
        assert "abalone mlflow" in sent.problem
        assert SECRET not in sent.problem
    lake = ObjectStore(load_settings().lake_uri)
    assert read_told(lake).failures == 1
    with mlflow_server(tmp_path / "server", port):
        assert tell().versions == (2, 1)
        client = MlflowClient(f"http://127.0.0.1:{port}")
        assert champion(client) == "3"
        assert len(client.search_model_versions("name = 'abalone'")) == 3
        assert [run_of(client, version).info.status for version in (1, 2, 3)] == ["FINISHED"] * 3
    assert read_told(lake).failures == 0
    assert home.exists()


def test_a_sagemaker_server_is_found_by_its_arn(
    address: str, mlflow: MlflowClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS's plug-in signs; here the calls go to a server that does not look.

    As SageMaker's does, it leaves it to the client to write files to where they belong.
    """
    mlflow.create_experiment(name(), artifact_location=(tmp_path / "files").as_uri())
    arn = "arn:aws:sagemaker:us-east-1:123456789012:mlflow-tracking-server/tracker"
    monkeypatch.setenv("ABALONE_MLFLOW_URI", arn)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("SAGEMAKER_MLFLOW_CUSTOM_ENDPOINT", f"http://{address}")
    register(tiny_archive(1), "a")
    sent = tell()
    assert (sent.problem, sent.versions, sent.server) == (None, (1,), arn)
    assert run_of(mlflow, 1).data.tags["approval"] == "approved by the gate"
    assert [*(tmp_path / "files").rglob("model/MLmodel")]


def test_what_tells_ends_with_whom_it_tells_for(home: Path) -> None:
    register(tiny_archive(1), "a")
    code = """
from abalone_assets.settings.platform import load_settings
from abalone_assets.tracking.tell import tell_mlflow
tell_mlflow(load_settings(), print)
"""
    with silent_server() as uri:
        environment = {**os.environ, "ABALONE_MLFLOW_URI": uri}
        parent = subprocess.Popen([sys.executable, "-c", code], env=environment)
        children: list[psutil.Process] = []
        for _ in range(600):
            children = psutil.Process(parent.pid).children()
            if children:
                break
            time.sleep(0.1)
        time.sleep(1)
        parent.kill()
        parent.wait()
        assert len(children) == 1
        assert psutil.wait_procs(children, timeout=60)[1] == []
    assert home.exists()


def test_a_server_that_is_away_is_told_in_a_sentence(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    monkeypatch.setenv("ABALONE_MLFLOW_URI", address)
    register(tiny_archive(1), "a")
    problem = tell().problem
    assert problem.startswith(f"MLflow at {address} lacks versions: it does not answer. No release")


def test_a_silent_server_costs_no_more_than_the_patience(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(tiny_archive(1), "a")
    with silent_server() as uri:
        monkeypatch.setenv("ABALONE_MLFLOW_URI", uri)
        began = time.monotonic()
        sent = tell(patience=4)
        assert 3.5 < time.monotonic() - began < 30
    assert sent.problem is not None
    assert "took longer than 4 s" in sent.problem
    told = read_told(ObjectStore(load_settings().lake_uri))
    assert told.failures == 1
    server = MlflowServer.of(load_settings())
    assert server is not None
    assert told.waits_until(server.identity, timedelta(hours=1), datetime.now(UTC))
    assert home.exists()
