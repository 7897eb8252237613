from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from abalone_assets.errors import StorageError
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.last_drift import LastDrift
from abalone_assets.serving.app import build_app
from abalone_assets.serving.capture import DataCapture
from abalone_assets.serving.metrics import Metrics
from abalone_assets.serving.model_host import ModelHost
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.serving.support import BODY, ENDPOINT, register
from abalone_assets_tests.support.out_of_reach import out_of_reach

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.registry.folder import FolderRegistry

INVOKED = "/endpoints/{name}/invocations"


@pytest.fixture
def host(registry: FolderRegistry, archives: list[bytes]) -> ModelHost:
    for archive in archives[:2]:
        register(registry, archive)
    return ModelHost(registry, ENDPOINT)


@pytest.fixture
def capture(tmp_path: Path) -> DataCapture:
    return DataCapture(ObjectStore(tmp_path / "captured"), ENDPOINT, max_pending_bytes=1000)


@pytest.fixture
def client(host: ModelHost, capture: DataCapture) -> TestClient:
    return TestClient(build_app(host, capture), raise_server_exceptions=False)


def serve(host: ModelHost, version: int) -> None:
    publish_pointer(host.registry.store, ENDPOINT, version)
    host.refresh()


def ask(client: TestClient, path: str = f"/endpoints/{ENDPOINT}/invocations") -> int:
    return client.post(path, content=BODY, headers={"Content-Type": "text/csv"}).status_code


def samples(client: TestClient) -> dict[tuple[str, ...], float]:
    """Each sample by its name and the values of its labels, in the order of their names."""
    answer = client.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_status(client: TestClient, host: ModelHost) -> None:
    assert ask(client) == 503
    serve(host, 1)
    assert [ask(client), ask(client), ask(client, "/invocations")] == [200, 200, 200]
    assert client.get("/invocations").status_code == 405
    found = samples(client)
    counted = {k[1:]: value for k, value in found.items() if k[0] == "abalone_http_requests_total"}
    assert counted == {
        (INVOKED, "503"): 1,
        (INVOKED, "200"): 2,
        ("/invocations", "200"): 1,
        ("/invocations", "405"): 1,
    }
    assert samples(client)["abalone_http_requests_total", "/metrics", "200"] == 1


def test_whatever_clients_ask_for_there_are_few_series(client: TestClient) -> None:
    for number in range(30):
        client.get(f"/nowhere/{number}")
        client.request(f"METHOD{number}", f"/endpoints/{number}/invocations")
    routes = {key[1] for key in samples(client) if key[0] == "abalone_http_requests_total"}
    assert routes == {"none", INVOKED}


def test_a_defect_is_counted_as_what_the_client_is_told(
    client: TestClient, host: ModelHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(host, 1)
    with monkeypatch.context() as patched:
        patched.setattr(type(host.view.serving), "invoke", None)
        assert ask(client) == 500
    assert samples(client)["abalone_http_requests_total", INVOKED, "500"] == 1


def test_how_long_answers_take_is_a_histogram(client: TestClient, host: ModelHost) -> None:
    serve(host, 1)
    for _ in range(3):
        ask(client)
    found = samples(client)
    name = "abalone_http_request_duration_seconds"
    assert found[f"{name}_count", INVOKED] == 3
    assert found[f"{name}_bucket", "10.0", INVOKED] == 3
    assert 0 < found[f"{name}_sum", INVOKED] < 10


def test_an_answer_counts_in_every_bucket_that_it_fits_into(host: ModelHost) -> None:
    metrics = Metrics(host, None)
    for seconds in (0.0005, 0.003, 0.003, 20.0):
        metrics.count("/ages", 200, seconds)
    (histogram,) = (each for each in metrics.collect() if each.type == "histogram")
    counted = {each.labels.get("le"): each.value for each in histogram.samples}
    assert (counted["0.0005"], counted["0.0025"], counted["0.005"]) == (1, 1, 3)
    assert (counted["10.0"], counted["+Inf"]) == (3, 4)


def test_the_live_version_is_told_once_there_is_one(client: TestClient, host: ModelHost) -> None:
    assert ("abalone_model_version",) not in samples(client)
    for version in (1, 2):
        serve(host, version)
        found = samples(client)
        assert found["abalone_model_version",] == version
        assert found["abalone_model_requested_version",] == version


def test_what_was_captured_and_what_was_lost_is_told(
    client: TestClient, host: ModelHost, capture: DataCapture, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(host, 1)
    ask(client)
    capture.flush()
    found = samples(client)
    assert found["abalone_captured_requests_total",] == 1
    assert found["abalone_capture_lost_requests_total",] == 0

    def refuse(*_: object) -> None:
        raise StorageError("full")

    monkeypatch.setattr(ObjectStore, "write", refuse)
    ask(client)
    capture.flush()
    assert samples(client)["abalone_capture_lost_requests_total",] == 1


def test_refused_requests_are_counted_by_reason(client: TestClient, host: ModelHost) -> None:
    serve(host, 1)
    for body in ("X,1", "X,.5,.4,.1,.7,.3,.1,.2", "X,.5,.4,.1,.7,.3,.1,.2"):
        client.post("/invocations", content=body, headers={"Content-Type": "text/csv"})
    found = samples(client)
    assert found["abalone_refused_requests_total", "row"] == 1
    assert found["abalone_refused_requests_total", "sex"] == 2


def test_a_server_without_capture_tells_nothing_of_it(host: ModelHost) -> None:
    found = samples(TestClient(build_app(host, None)))
    assert not [key for key in found if "capture" in key[0]]
    assert found["process_resident_memory_bytes",] > 1e6


def test_a_scraper_may_ask_for_openmetrics(client: TestClient) -> None:
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_the_last_drift_report_is_told_feature_by_feature(
    host: ModelHost, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lake = ObjectStore(tmp_path / "lake")
    drift = LastDrift(Lake(str(tmp_path / "lake")))
    client = TestClient(build_app(host, None, drift=drift))
    assert not [key for key in samples(client) if "drift" in key[0]]
    assert not caplog.records
    report = {"last": "2025-03-09", "animals": 500, "verdict": "", "features": []}
    shift = {"feature": "length", "psi": 0.31, "drifted": True, "p_value": 1e-9}
    lake.write_json("drift_report/data.json", report | {"features": [shift]})
    found = samples(client)
    assert found["abalone_drift_psi", "length"] == 0.31
    assert found["abalone_drift_detected", "length"] == 1
    lake.write_json("drift_report/data.json", report | {"features": [shift | {"drifted": False}]})
    assert samples(client)["abalone_drift_detected", "length"] == 0
    assert ("abalone_requests_outside_contract_ratio",) not in samples(client)
    lake.write_json(
        "drift_report/data.json", report | {"outside": 0.02, "outside_contract_share": 0.1}
    )
    found = samples(client)
    assert found["abalone_requests_outside_contract_ratio",] == 0.1
    assert found["abalone_requests_outside_range_ratio",] == 0.02
    lake.write_json("drift_report/data.json", {"features": "none"})
    assert ("abalone_drift_psi", "length") not in samples(client)
    assert [each.message for each in caplog.records] == ["the last drift report cannot be read"]
    lake.delete("drift_report/data.json")
    assert ("abalone_drift_psi", "length") not in samples(client)


def test_a_lake_that_nobody_can_look_into_costs_the_drift_and_no_other_number(
    host: ModelHost, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    serve(host, 1)
    drift = LastDrift(Lake(str(out_of_reach(tmp_path))))
    found = samples(TestClient(build_app(host, None, drift=drift)))
    assert found["abalone_model_version",] == 1
    assert not [key for key in found if "drift" in key[0]]
    assert [each.message for each in caplog.records] == ["the last drift report cannot be read"]
