from __future__ import annotations

import base64
import json
import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
import requests

from abalone_assets.serving.capture import CapturedRequest, DataCapture
from abalone_assets.serving.protocol import MAX_BODY_BYTES
from abalone_assets.serving.refusals import LINE_BYTES, RefusedRequest
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.serving.support import (
    BODY,
    ENDPOINT,
    RunningServer,
    local_prediction,
    running_server,
    serving,
    wait_until,
)

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.registry.folder import FolderRegistry


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "capture")


def captured(store: ObjectStore) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for stored in store.list()
        for line in store.read(stored.key).decode().splitlines()
    ]


def wait_for_capture(running: RunningServer, counter: str, value: int) -> None:
    wait_until(lambda: running.client.describe()["capture"][counter] == value)


def request(hour: int = 5, data: bytes = b"M,1", content_type: str = "text/csv") -> CapturedRequest:
    time = datetime(2025, 3, 1, hour, 7, 9, 123_000, tzinfo=UTC)
    return CapturedRequest(content_type, data, "text/csv", b"9.5\n", 3, time=time)


def test_answered_requests_are_captured_as_sagemaker_writes_them(
    archives: list[bytes], registry: FolderRegistry, store: ObjectStore
) -> None:
    with serving(registry, archives[0], capture_store=store) as running:
        headers = {
            "Content-Type": "text/csv",
            "Accept": "text/csv",
            "X-Amzn-SageMaker-Inference-Id": "catch-7",
        }
        url = f"{running.url}/endpoints/{ENDPOINT}/invocations"
        assert requests.post(url, data=BODY, headers=headers, timeout=10).ok
        wait_for_capture(running, "written", 1)

    (document,) = captured(store)
    sides = document["captureData"]
    assert sides["endpointInput"] == {
        "observedContentType": "text/csv",
        "mode": "INPUT",
        "data": BODY,
        "encoding": "CSV",
    }
    assert sides["endpointOutput"]["mode"] == "OUTPUT"
    answered = [float(line) for line in sides["endpointOutput"]["data"].split()]
    assert answered == local_prediction(archives[0])
    metadata = document["eventMetadata"]
    assert metadata["inferenceId"] == "catch-7"
    assert metadata["customAttributes"] == ["model_version=1"]
    assert datetime.fromisoformat(metadata["inferenceTime"]).tzinfo is not None
    assert document["eventVersion"] == "0"


SECRET = "Ana's password is hunter2"
UNREAD = {"too large": MAX_BODY_BYTES, "content encoding": 0}
"""Why a body is not read to its end, and how much of it is."""


@pytest.mark.parametrize(
    ("body", "headers", "reason", "status"),
    [
        (f"{SECRET},.5,.4,.1,.7,.3,.1,.2\n", {}, "sex", 400),
        (f"M,.5,.4,{SECRET},.7,.3,.1,.2\n", {}, "height", 400),
        (f"M,.5,{SECRET}\n", {}, "row", 400),
        ("\n", {}, "body", 400),
        (BODY, {"Content-Type": f"text/{SECRET}"}, "content type", 415),
        (BODY, {"Accept": "image/png"}, "accept", 406),
        (BODY.encode().ljust(MAX_BODY_BYTES + 1, b"\n"), {}, "too large", 413),
        (BODY.encode(), {"Content-Encoding": "gzip"}, "content encoding", 415),
    ],
    ids=lambda value: value if isinstance(value, str) and value.islower() else "",
)
@pytest.mark.parametrize("path", ["/invocations", f"/endpoints/{ENDPOINT}/invocations"])
def test_of_a_refused_request_its_reason_is_captured_and_nothing_of_what_it_held(
    archives: list[bytes],
    registry: FolderRegistry,
    store: ObjectStore,
    path: str,
    body: str | bytes,
    headers: dict[str, str],
    reason: str,
    status: int,
) -> None:
    with serving(registry, archives[0], capture_store=store) as running:
        sent = {"Content-Type": "text/csv", "X-Amzn-SageMaker-Inference-Id": "mine", **headers}
        answer = requests.post(running.url + path, data=body, headers=sent, timeout=10)
        by_model = "endpoints" in path and reason not in UNREAD
        assert answer.status_code == (424 if by_model else status)
        wait_for_capture(running, "written", 1)
        described = running.client.describe()
        assert (described["requests"], described["refused"]) == (0, {reason: 1})
    (document,) = captured(store)
    refusal = document["refusal"]
    assert (refusal["reason"], refusal["status"]) == (reason, status)
    assert refusal["mediaType"] == ("other" if reason == "content type" else "text/csv")
    assert refusal["bytes"] == UNREAD.get(reason, len(body))
    assert "captureData" not in document
    assert "hunter2" not in json.dumps(document)
    metadata = document["eventMetadata"]
    assert (metadata["inferenceId"], metadata["customAttributes"]) == ("mine", ["model_version=1"])


def test_what_no_model_could_answer_is_no_refusal(
    registry: FolderRegistry, store: ObjectStore
) -> None:
    with running_server(registry, capture_store=store) as running:
        assert requests.post(f"{running.url}/invocations", data="X", timeout=10).status_code == 503
        assert running.client.describe()["refused"] == {}
    assert captured(store) == []


def test_everything_answered_before_the_server_stops_is_written(
    archives: list[bytes], registry: FolderRegistry, store: ObjectStore
) -> None:
    with serving(registry, archives[0], capture_store=store, flush_seconds=3600) as running:
        for _ in range(5):
            running.client.invoke(BODY)
        assert captured(store) == []
    documents = captured(store)
    assert len({document["eventMetadata"]["eventId"] for document in documents}) == 5


def test_each_hour_has_its_own_folder_and_files_never_change(store: ObjectStore) -> None:
    capture = DataCapture(store, ENDPOINT)
    for hour in (5, 5, 6):
        capture.record(request(hour))
    capture.flush()
    first = {stored.key: stored.e_tag for stored in store.list()}
    capture.record(request(6))
    capture.flush()
    second = {stored.key: stored.e_tag for stored in store.list()}

    assert sorted(key.rsplit("/", 1)[0] for key in second) == [
        f"{ENDPOINT}/AllTraffic/2025/03/01/05",
        f"{ENDPOINT}/AllTraffic/2025/03/01/06",
        f"{ENDPOINT}/AllTraffic/2025/03/01/06",
    ]
    assert all("/07-09-123-" in key and key.endswith(".jsonl") for key in second)
    assert first.items() <= second.items()
    assert capture.written == 4


@pytest.mark.parametrize(
    ("content_type", "data", "encoding"),
    [
        ("text/csv; charset=utf-8", "M,0.5 ä\u2028".encode(), "CSV"),
        ("application/json", b'{"instances": []}', "JSON"),
        ("application/x-npy", b"\x93NUMPY", "BASE64"),
        ("text/csv", b"\xff", "BASE64"),
    ],
)
def test_data_is_kept_exactly_and_its_encoding_named(
    content_type: str, data: bytes, encoding: str
) -> None:
    line = request(data=data, content_type=content_type).to_json_line()
    assert len(line.splitlines()) == 1
    side = json.loads(line)["captureData"]["endpointInput"]
    assert side["encoding"] == encoding
    text = side["data"]
    assert (base64.b64decode(text) if encoding == "BASE64" else text.encode()) == data


def test_a_write_error_fails_no_request_is_logged_once_and_counted(
    archives: list[bytes],
    registry: FolderRegistry,
    store: ObjectStore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert store.root is not None
    store.root.mkdir(exist_ok=True)
    (store.root / ENDPOINT).write_text("a file where the folder belongs")
    with (
        caplog.at_level(logging.WARNING, "abalone_assets.serving.capture"),
        serving(registry, archives[0], capture_store=store) as running,
    ):
        for lost in range(1, 4):
            assert running.client.invoke(BODY).rings
            wait_for_capture(running, "lost", lost)
        (store.root / ENDPOINT).unlink()
        assert running.client.invoke(BODY).rings
        wait_for_capture(running, "written", 1)
        assert running.client.describe()["capture"]["error"] is None
    assert len([r for r in caplog.records if "data capture lost" in r.message]) == 1


def test_more_waiting_data_than_allowed_is_dropped_and_counted(store: ObjectStore) -> None:
    capture = DataCapture(store, ENDPOINT, max_pending_bytes=2 * request().size)
    for _ in range(5):
        capture.record(request())
    capture.flush()
    assert (capture.written, capture.lost) == (2, 3)
    capture.record(request())
    capture.flush()
    assert (capture.written, capture.lost) == (3, 3)


def test_waiting_refusals_are_bounded_too(store: ObjectStore) -> None:
    capture = DataCapture(store, ENDPOINT, max_pending_bytes=2 * LINE_BYTES)
    for _ in range(3):
        capture.record(
            RefusedRequest.of(
                "sex", 400, content_type="", length=1, model_version=1, inference_id=None
            )
        )
    capture.flush()
    assert (capture.written, capture.lost) == (2, 1)
