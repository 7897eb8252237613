"""A version's run in MLflow, written through its REST API."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from abalone_assets.errors import SettingsError
from abalone_assets.registry.mlflow_runs import MlflowError, MlflowRuns
from abalone_assets.registry.model_package_notes import StudioNotes
from abalone_assets.registry.notes import ReleaseNotes
from abalone_assets.registry.overrides import Override
from abalone_assets.registry.versions import ModelVersion
from abalone_assets.settings.aws import load_aws_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

APP = "arn:aws:sagemaker:us-east-1:123456789012:mlflow-app/app-ABC"
SERVER = "arn:aws:sagemaker:us-east-1:123456789012:mlflow-tracking-server/tracker"
NOTES = ReleaseNotes("run-1", "s3://data/lake/merged_dataset", 4300, 2, "2025-03-03", "2025-03-04")
VERSION = ModelVersion(
    version=3,
    archive_sha256="ab" * 32,
    created_at="2025-03-05T12:00:00+00:00",
    evaluation={"rmse": 2.125, "r2": 0.5, "rows": 209},
    decision={"approved": True, "reason": "Approved: it is good.", "rule": "first_model"},
    release_digest="0123456789abcdef",
    model_key="models/x/model.tar.gz",
)


class Mlflow:
    """The calls of MLflow's REST API that are needed, as its documentation has them."""

    def __init__(self) -> None:
        self.experiments: dict[str, str] = {}
        self.runs: dict[str, dict[str, Any]] = {}
        self.headers: list[dict[str, str]] = []
        self.refusal: tuple[int, dict[str, str]] | None = None
        self.url = ""

    def answer(self, path: str, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if self.refusal is not None:
            return self.refusal
        name = path.removeprefix("/api/2.0/mlflow/").replace("/", "_").replace("-", "_")
        answer: tuple[int, dict[str, Any]] = getattr(self, name)(given)
        return answer

    def experiments_get_by_name(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        name = given["experiment_name"]
        if name not in self.experiments:
            return 404, {"error_code": "RESOURCE_DOES_NOT_EXIST"}
        return 200, {"experiment": {"experiment_id": self.experiments[name]}}

    def experiments_create(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        if given["name"] in self.experiments:
            return 400, {"error_code": "RESOURCE_ALREADY_EXISTS"}
        self.experiments[given["name"]] = str(len(self.experiments) + 1)
        return 200, {"experiment_id": self.experiments[given["name"]]}

    def runs_search(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        key, _, value = given["filter"].removeprefix("tags.`").partition("` = ")
        found = [
            {"info": {"run_id": run_id}}
            for run_id, run in self.runs.items()
            if run["experiment"] in given["experiment_ids"] and run["tags"].get(key) == value[1:-1]
        ]
        return 200, {"runs": found} if found else {}

    def runs_create(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        run_id = f"run{len(self.runs)}"
        self.runs[run_id] = {
            "experiment": given["experiment_id"],
            "name": given["run_name"],
            "tags": {tag["key"]: tag["value"] for tag in given["tags"]},
            "metrics": set(),
            "status": "RUNNING",
        }
        return 200, {"run": {"info": {"run_id": run_id}}}

    def runs_log_batch(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        run = self.runs[given["run_id"]]
        run["metrics"] |= {(m["key"], m["value"], m["timestamp"]) for m in given["metrics"]}
        run["tags"] |= {tag["key"]: tag["value"] for tag in given["tags"]}
        return 200, {}

    def runs_update(self, given: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.runs[given["run_id"]]["status"] = given["status"]
        return 200, {}


@pytest.fixture
def mlflow() -> Iterator[Mlflow]:
    state = Mlflow()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            self._answer(parts.path, query)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(self.path, json.loads(body))

        def _answer(self, path: str, given: dict[str, Any]) -> None:
            state.headers.append({name.lower(): value for name, value in self.headers.items()})
            status, document = state.answer(path, given)
            data = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield state
    server.shutdown()
    thread.join()
    server.server_close()


def nothing() -> None:
    pass


def test_a_version_is_a_finished_run_with_its_metrics_and_what_dagster_knows(
    mlflow: Mlflow,
) -> None:
    MlflowRuns("abalone", mlflow.url).note(VERSION, NOTES, nothing)

    assert mlflow.experiments == {"abalone": "1"}
    [run] = mlflow.runs.values()
    assert (run["name"], run["status"]) == ("version 3", "FINISHED")
    assert {(key, value) for key, value, _ in run["metrics"]} == {
        ("rmse", 2.125),
        ("r2", 0.5),
        ("rows", 209.0),
    }
    assert run["tags"]["dagster_run_id"] == "run-1"
    assert run["tags"]["survey_days"] == "2"
    assert run["tags"]["release_digest"] == VERSION.release_digest
    assert run["tags"]["gate"] == "Approved: it is good."
    assert run["tags"]["approval"] == "approved by the gate"
    assert "authorization" not in mlflow.headers[0]


def test_the_same_version_again_is_the_same_run(mlflow: Mlflow) -> None:
    runs = MlflowRuns("abalone", mlflow.url)
    runs.note(VERSION, NOTES, nothing)
    override = Override(approved=False, because="no", by="ana", at="2025-03-06T00:00:00+00:00")
    runs.note(replace(VERSION, overrides=(override,)), NOTES, nothing)
    runs.note(replace(VERSION, version=4), NOTES, nothing)

    first, _ = mlflow.runs.values()
    assert len(first["metrics"]) == 3
    assert first["tags"]["approval"] == "rejected by ana"


@pytest.mark.parametrize(
    ("arn", "header"),
    [(APP, "x-sm-mlflow-app-arn"), (SERVER, "x-mlflow-sm-tracking-server-arn")],
)
def test_sagemakers_servers_get_signed_requests(
    mlflow: Mlflow, monkeypatch: pytest.MonkeyPatch, arn: str, header: str
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    MlflowRuns("my experiment", arn, endpoint=mlflow.url).note(VERSION, NOTES, nothing)

    assert len(mlflow.runs) == 1
    for headers in mlflow.headers:
        assert headers[header] == arn
        signature = headers["authorization"]
        assert signature.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
        assert "/us-east-1/sagemaker-mlflow/aws4_request" in signature
        assert header in signature  # among the signed headers


def test_the_address_follows_from_the_arn() -> None:
    assert MlflowRuns("x", APP)._address == "https://mlflow.sagemaker.us-east-1.app.aws"
    assert MlflowRuns("x", SERVER)._address == "https://us-east-1.experiments.sagemaker.aws"


def test_a_refusal_names_the_call_and_the_reason(mlflow: Mlflow) -> None:
    mlflow.refusal = 403, {"message": "not allowed to CreateRun"}
    with pytest.raises(MlflowError, match=r"get-by-name failed: .*not allowed .*\(403\)"):
        MlflowRuns("abalone", mlflow.url).note(VERSION, NOTES, nothing)


def test_a_server_that_is_away_is_a_problem_and_no_error() -> None:
    class Away:
        """Neither SageMaker nor MLflow."""

        def __getattr__(self, name: str) -> Any:
            raise ConnectionError("SageMaker is away")

    notes = StudioNotes("abalone", Away(), runs=MlflowRuns("abalone", "http://127.0.0.1:1"))
    package = {"ModelPackageArn": "arn", "CustomerMetadataProperties": {}}
    noted = notes.note(VERSION, package, NOTES, "s3://x", may_update=True)
    assert noted.written == ()
    assert [problem.partition(" of ")[0] for problem in noted.problems] == [
        "model card",
        "lineage",
        "experiment run",
    ]


@pytest.mark.parametrize("uri", ["mlflow", "arn:aws:s3:::bucket", "ftp://x"])
def test_what_is_no_mlflow_is_refused_at_once(monkeypatch: pytest.MonkeyPatch, uri: str) -> None:
    monkeypatch.setenv("ABALONE_MLFLOW_URI", uri)
    with pytest.raises(SettingsError, match="ABALONE_MLFLOW_URI"):
        load_aws_settings()
    for known in (APP, SERVER, "https://mlflow.example.com"):
        monkeypatch.setenv("ABALONE_MLFLOW_URI", known)
        assert load_aws_settings().mlflow_uri == known
