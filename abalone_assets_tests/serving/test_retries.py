"""A version that cannot be fetched is tried again; one that is wrong is not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import EndpointError, ModelArchiveError, StorageError
from abalone_assets.serving import model_host
from abalone_assets.serving.model_host import ModelHost
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets_tests.serving.support import (
    BODY,
    ENDPOINT,
    LINES,
    RunningServer,
    endpoint_of,
    register,
    running_server,
    wait_until,
)

if TYPE_CHECKING:
    from abalone_assets.registry.folder import FolderRegistry

DOWN = StorageError("versions/000002/model.tar.gz: the network is down\nDebug source: ...")


def fail_to_read(
    patched: pytest.MonkeyPatch, registry: FolderRegistry, version: int, error: Exception = DOWN
) -> None:
    """Let the archive of one version be unreadable."""
    read = registry.store.read

    def read_others(key: str) -> bytes:
        if key == registry.get(version).model_key:
            raise error
        return read(key)

    patched.setattr(registry.store, "read", read_others)


@pytest.mark.parametrize("error", [DOWN, OSError("the network is down")], ids=["store", "os"])
def test_a_store_that_fails_for_a_while_delays_a_version_and_does_not_refuse_it(
    live: RunningServer,
    registry: FolderRegistry,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    error: Exception,
) -> None:
    monkeypatch.setattr(model_host, "FIRST_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(model_host, "LONGEST_RETRY_SECONDS", 0.02)
    with monkeypatch.context() as patched:
        fail_to_read(patched, registry, 2, error)
        publish_pointer(registry.store, ENDPOINT, 2)
        wait_until(lambda: live.client.describe()["failure_reason"])

        description = live.client.describe()
        assert description["failure_reason"].startswith("version 2 cannot be fetched yet: ")
        assert description["failure_reason"].endswith("the network is down")
        assert (description["version"], description["refused_version"]) == (1, None)
        assert live.client.invoke(BODY).version == 1
    live.wait_for_version(2)
    assert live.client.describe()["failure_reason"] is None
    assert len([r for r in caplog.records if "network is down" in r.message]) == 1


def test_another_version_does_not_wait_for_the_delayed_one(
    live: RunningServer, registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_host, "FIRST_RETRY_SECONDS", 600)
    fail_to_read(monkeypatch, registry, 2)
    publish_pointer(registry.store, ENDPOINT, 2)
    wait_until(lambda: live.client.describe()["failure_reason"])
    publish_pointer(registry.store, ENDPOINT, 3)
    live.wait_for_version(3)
    assert live.client.describe()["failure_reason"] is None


def test_an_endpoint_without_a_model_says_why_its_first_version_is_delayed(
    archives: list[bytes], registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(registry, archives[0])
    fail_to_read(monkeypatch, registry, 1)
    publish_pointer(registry.store, ENDPOINT, 1)
    with running_server(registry) as running:
        wait_until(lambda: running.client.describe()["failure_reason"])
        assert running.client.describe()["status"] == "Creating"
        with pytest.raises(EndpointError, match=r"version 1 cannot be fetched yet: .* is down"):
            running.client.invoke(BODY)


def attempts_within_a_minute(
    registry: FolderRegistry, patched: pytest.MonkeyPatch, error: Exception
) -> list[float]:
    """When a host tries to load a version that fails, in seconds of a clock set by hand."""
    clock = SimpleNamespace(now=0.0)
    clock.monotonic = lambda: clock.now
    attempts: list[float] = []

    def fail(*_: object) -> None:
        attempts.append(clock.now)
        raise error

    patched.setattr(model_host, "time", clock)
    patched.setattr(model_host, "load_model", fail)
    publish_pointer(registry.store, ENDPOINT, 1)
    host = ModelHost(registry, ENDPOINT)
    while clock.now < 60:
        host.refresh()
        clock.now += 0.25
    return attempts


def test_the_waits_between_attempts_double_up_to_ten_seconds(
    registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = attempts_within_a_minute(registry, monkeypatch, DOWN)
    assert attempts == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 25.5, 35.5, 45.5, 55.5]


@pytest.mark.parametrize("error", [ModelArchiveError("damaged"), EndpointError("predicts nan")])
def test_a_version_that_is_wrong_is_tried_once(
    registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    assert attempts_within_a_minute(registry, monkeypatch, error) == [0]


def test_a_deployment_that_is_late_says_what_delays_it(
    live: RunningServer, registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_to_read(monkeypatch, registry, 2)
    message = (
        r"version 2 is not live after 0\.3 s: version 2 cannot be fetched yet: .* is down"
        "; version 1 is deployed again$"
    )
    with pytest.raises(EndpointError, match=message):
        endpoint_of(registry, timeout_seconds=0.3).deploy(2, [(LINES[0], 9.0)])
