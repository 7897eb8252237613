from __future__ import annotations

import errno
import os
import threading
import time
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abalone_assets.errors import EndpointError, ModelArchiveError
from abalone_assets.modeling import inference
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.serving import model_host
from abalone_assets.serving.model_host import ModelHost, load_model
from abalone_assets.serving.pointer import pointer_key, publish_pointer
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.modeling.support import packed, quick_blend, quick_network
from abalone_assets_tests.serving.support import (
    BODY,
    DEADLINE_SECONDS,
    ENDPOINT,
    RunningServer,
    local_prediction,
    register,
    running_server,
    wait_until,
)
from abalone_assets_tests.support.small_files import largest_file

SWAPS = int(os.environ.get("ABALONE_TEST_SWAPS", "5"))


class Hammer(threading.Thread):
    """Asks the endpoint as fast as it can; keeps every answer and every failure."""

    def __init__(self, running: RunningServer) -> None:
        super().__init__()
        self.client = running.client
        self.stopping = threading.Event()
        self.answers: list[tuple[int, list[float]]] = []
        self.failures: list[EndpointError] = []

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                answer = self.client.invoke(BODY)
            except EndpointError as error:
                self.failures.append(error)
            else:
                self.answers.append((answer.version, answer.rings))

    def wait_for_answers(self, count: int) -> None:
        wanted = len(self.answers) + count
        wait_until(lambda: len(self.answers) >= wanted)


@pytest.mark.timeout(max(300, 5 * SWAPS))
def test_no_request_fails_while_versions_swap_and_each_answer_is_of_the_version_it_names(
    live: RunningServer, archives: list[bytes], registry: FolderRegistry
) -> None:
    expected = {number: local_prediction(each) for number, each in enumerate(archives, start=1)}
    hammers = [Hammer(live) for _ in range(4)]
    for hammer in hammers:
        hammer.start()
    for version in islice(cycle((2, 3, 1, 3)), SWAPS):
        publish_pointer(registry.store, ENDPOINT, version)
        live.wait_for_version(version)
        hammers[0].wait_for_answers(4)
    for hammer in hammers:
        hammer.stopping.set()
    for hammer in hammers:
        hammer.join(DEADLINE_SECONDS)

    assert [failure for hammer in hammers for failure in hammer.failures] == []
    answers = [answer for hammer in hammers for answer in hammer.answers]
    assert {version for version, _ in answers} == {1, 2, 3}
    assert all(rings == expected[version] for version, rings in answers)


def test_a_broken_archive_is_refused_while_the_version_before_keeps_answering(
    live: RunningServer, registry: FolderRegistry
) -> None:
    broken = register(registry, b"no archive at all").version
    publish_pointer(registry.store, ENDPOINT, broken)
    wait_until(lambda: live.client.describe()["failure_reason"])

    description = live.client.describe()
    assert (description["status"], description["version"]) == ("InService", 1)
    assert description["refused_version"] == broken
    assert f"version {broken} cannot be served" in description["failure_reason"]
    assert live.client.invoke(BODY).version == 1


def test_a_refused_version_is_tried_again_only_when_it_is_asked_for_again(
    archives: list[bytes], registry: FolderRegistry
) -> None:
    entry = register(registry, archives[0])
    registry.store.write(entry.model_key, archives[1])
    publish_pointer(registry.store, ENDPOINT, 1)
    with ModelHost(registry, ENDPOINT, poll_seconds=60) as host:
        wait_until(lambda: host.view.refused)
        refused = host.view.refused
        registry.store.write(entry.model_key, archives[0])
        host.refresh()
        assert host.view.refused is refused
        assert host.view.describe()["status"] == "Failed"

        publish_pointer(registry.store, ENDPOINT, 1)
        host.refresh()
        assert host.view.describe()["status"] == "InService"


def test_a_disk_that_is_full_delays_a_version_and_refuses_none(
    archives: list[bytes], registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_host, "FIRST_RETRY_SECONDS", 0.0)
    register(registry, archives[0])
    publish_pointer(registry.store, ENDPOINT, 1)
    host = ModelHost(registry, ENDPOINT)
    with largest_file(1000):
        host.refresh()
        host.refresh()
    assert (host.view.status, host.view.refused) == ("Creating", None)
    assert "version 1 cannot be fetched yet" in host.view.describe()["failure_reason"]

    host.refresh()
    assert (host.view.status, host.view.problem) == ("InService", None)


@pytest.mark.parametrize("error", [OSError(errno.EMFILE, "Too many open files"), MemoryError()])
def test_a_machine_that_is_short_of_something_refuses_no_version(
    archives: list[bytes],
    registry: FolderRegistry,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    def predict(*_: object) -> None:
        raise error

    monkeypatch.setattr(model_host, "FIRST_RETRY_SECONDS", 0.0)
    register(registry, archives[0])
    publish_pointer(registry.store, ENDPOINT, 1)
    host = ModelHost(registry, ENDPOINT)
    with monkeypatch.context() as patched:
        patched.setattr(inference, "predict_fn", predict)
        host.refresh()
    assert (host.view.status, host.view.refused) == ("Creating", None)

    host.refresh()
    assert host.view.status == "InService"


def predict_nan(*_: object) -> Any:
    return inference.Predictions(np.asarray([np.nan]))


def explode(*_: object) -> None:
    raise ZeroDivisionError("no shell")


@pytest.mark.parametrize(
    ("predict", "message"),
    [(predict_nan, "prediction is nan"), (explode, "prediction failed: no shell")],
)
def test_a_model_that_predicts_nonsense_or_nothing_is_refused(
    archives: list[bytes],
    registry: FolderRegistry,
    monkeypatch: pytest.MonkeyPatch,
    predict: Any,
    message: str,
) -> None:
    register(registry, archives[0])
    monkeypatch.setattr(inference, "predict_fn", predict)
    with pytest.raises(EndpointError, match=f"warm-up {message}"):
        load_model(registry, 1)


def test_a_pointer_taken_away_empties_the_endpoint(
    live: RunningServer, registry: FolderRegistry
) -> None:
    registry.store.delete(pointer_key(ENDPOINT))
    live.wait_for_version(None)
    assert live.client.describe()["status"] == "Creating"


def test_a_damaged_pointer_is_reported_and_the_model_keeps_answering_until_it_is_mended(
    live: RunningServer, registry: FolderRegistry
) -> None:
    registry.store.write(pointer_key(ENDPOINT), b"{")
    wait_until(lambda: live.client.describe()["failure_reason"])
    assert "pointer cannot be read" in live.client.describe()["failure_reason"]
    assert live.client.invoke(BODY).version == 1

    registry.store.delete(pointer_key(ENDPOINT))
    publish_pointer(registry.store, ENDPOINT, 2)
    live.wait_for_version(2)
    assert live.client.describe()["failure_reason"] is None


def test_a_store_that_fails_for_a_while_is_reported_once_and_forgotten_when_it_is_back(
    live: RunningServer,
    registry: FolderRegistry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def unreachable(_key: str) -> None:
        raise OSError("the network is down\nDebug source: ...")

    with monkeypatch.context() as patched:
        patched.setattr(registry.store, "find", unreachable)
        wait_until(lambda: live.client.describe()["failure_reason"])
        assert live.client.describe()["failure_reason"].endswith("the network is down")
        assert live.client.invoke(BODY).version == 1
    wait_until(lambda: live.client.describe()["failure_reason"] is None)
    assert len([r for r in caplog.records if "network is down" in r.message]) == 1


def test_the_status_is_updating_while_another_version_loads(
    live: RunningServer, registry: FolderRegistry, blocked_loads: threading.Event
) -> None:
    publish_pointer(registry.store, ENDPOINT, 2)
    wait_until(lambda: live.client.describe()["status"] == "Updating")
    assert live.client.invoke(BODY).version == 1
    blocked_loads.set()
    live.wait_for_version(2)
    assert live.client.describe()["status"] == "InService"


def test_loading_leaves_no_files_behind(
    archives: list[bytes],
    registry: FolderRegistry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    register(registry, archives[0])
    register(registry, archives[0][:500])
    served = load_model(registry, 1)
    with pytest.raises(ModelArchiveError):
        load_model(registry, 2)
    assert list(temporary.iterdir()) == []
    assert served.invoke(BODY.encode(), "text/csv", "text/csv")[0]


def test_a_registry_on_s3_is_served_swapped_and_captured_the_same(
    archives: list[bytes], s3: str
) -> None:
    registry = FolderRegistry(ObjectStore(f"{s3}/registry"))
    for archive in archives[:2]:
        register(registry, archive)
    publish_pointer(registry.store, ENDPOINT, 1)
    capture_store = ObjectStore(f"{registry.store.uri}-capture")
    with running_server(registry, capture_store=capture_store) as running:
        running.wait_for_version(1)
        publish_pointer(registry.store, ENDPOINT, 2)
        running.wait_for_version(2)
        assert running.client.invoke(BODY).rings == local_prediction(archives[1])
    assert len(list(capture_store.list())) == 1


def test_a_refusal_is_forgotten_once_a_version_loads(
    archives: list[bytes], registry: FolderRegistry
) -> None:
    register(registry, b"no archive")
    register(registry, archives[0])
    publish_pointer(registry.store, ENDPOINT, 1)
    with running_server(registry) as running:
        wait_until(lambda: running.client.describe()["status"] == "Failed")
        with pytest.raises(EndpointError, match="version 1 cannot be served"):
            running.client.invoke(BODY)
        publish_pointer(registry.store, ENDPOINT, 2)
        running.wait_for_version(2)
        assert running.client.describe()["failure_reason"] is None


def test_a_swap_is_seen_within_the_polling_interval(
    archives: list[bytes], registry: FolderRegistry
) -> None:
    register(registry, archives[0])
    with running_server(registry, poll_seconds=0.25) as running:
        running.client.describe()
        load_model(registry, 1)  # warms up the imports, so that only the poll is timed
        started = time.monotonic()
        publish_pointer(registry.store, ENDPOINT, 1)
        running.wait_for_version(1)
        assert time.monotonic() - started < 2


def test_the_endpoint_swaps_from_a_network_to_a_blend_and_back(
    registry: FolderRegistry, tmp_path: Path
) -> None:
    network = packed(quick_network(), tmp_path / "network").read_bytes()
    blend = packed(quick_blend(), tmp_path / "blend").read_bytes()
    expected = {1: local_prediction(network), 2: local_prediction(blend)}
    assert expected[1] != expected[2]
    for archive in (network, blend):
        register(registry, archive)
    publish_pointer(registry.store, ENDPOINT, 1)
    with running_server(registry) as running:
        for version in (1, 2, 1):
            publish_pointer(registry.store, ENDPOINT, version)
            running.wait_for_version(version)
            answer = running.client.invoke(BODY)
            assert answer.version == version
            assert answer.rings == pytest.approx(expected[version], abs=1e-9)
            assert (answer.intervals is None) == (version == 1)
