"""What a deployment may do to a version that is live already, and to a server that restarts."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.errors import EndpointError
from abalone_assets.serving.client import EndpointClient, EndpointUnreachableError
from abalone_assets.serving.pointer import publish_pointer, read_pointer
from abalone_assets_tests.serving.support import (
    BODY,
    ENDPOINT,
    LINES,
    RunningServer,
    endpoint_of,
    local_prediction,
)

if TYPE_CHECKING:
    from abalone_assets.registry.folder import FolderRegistry

PROBES = [(LINES[0], 9.0)]
WRONG = [(LINES[0], -1.0)]


def raise_on_invoke(patched: pytest.MonkeyPatch, error: BaseException) -> None:
    def invoke(*_: object) -> None:
        raise error

    patched.setattr(EndpointClient, "invoke", invoke)


@pytest.mark.parametrize("version", [1, 2], ids=["the first one", "with one before it"])
@pytest.mark.parametrize(
    "error",
    [EndpointUnreachableError("timed out"), EndpointError("the model failed"), KeyboardInterrupt()],
    ids=["timeout", "error", "cancelled"],
)
def test_a_live_version_that_gives_no_answer_stays_live(
    live: RunningServer,
    registry: FolderRegistry,
    monkeypatch: pytest.MonkeyPatch,
    version: int,
    error: BaseException,
) -> None:
    if version != 1:
        publish_pointer(registry.store, ENDPOINT, version)
        live.wait_for_version(version)
    pointer = read_pointer(registry.store, ENDPOINT)
    with monkeypatch.context() as patched:
        raise_on_invoke(patched, error)
        with pytest.raises((EndpointError, KeyboardInterrupt)) as seen:
            endpoint_of(registry).deploy(version, PROBES)

    if isinstance(error, EndpointError):
        assert str(seen.value) == (
            f"{error}; version {version} was live before and is not taken back"
        )
    assert read_pointer(registry.store, ENDPOINT) == pointer
    assert live.client.invoke(BODY).version == version


def be_unreachable(patched: pytest.MonkeyPatch, *, first: int, last: int | None) -> None:
    """Let the looks at the server from ``first`` to ``last``, counted from 1, find none."""
    describe, looks = EndpointClient.describe, count(1)

    def describe_sometimes(self: EndpointClient) -> dict[str, Any]:
        look = next(looks)
        if look >= first and (last is None or look <= last):
            raise EndpointUnreachableError("no endpoint server answers")
        return describe(self)

    patched.setattr(EndpointClient, "describe", describe_sometimes)


def test_a_server_that_restarts_during_a_deployment_is_waited_for(
    live: RunningServer,
    archives: list[bytes],
    registry: FolderRegistry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    be_unreachable(monkeypatch, first=2, last=4)
    probes = [(LINES[0], local_prediction(archives[1])[0])]
    assert endpoint_of(registry).deploy(2, probes).served
    assert live.client.invoke(BODY).version == 2


def test_a_server_that_does_not_come_back_is_told_and_finds_the_version_before(
    live: RunningServer, registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = (
        r"version 2 is not live after 0\.1 s: no endpoint server answers"
        r"; version 1 is deployed again, but this is not live after 0\.1 s"
    )
    with monkeypatch.context() as patched:
        be_unreachable(patched, first=2, last=None)
        with pytest.raises(EndpointError, match=message):
            endpoint_of(registry, timeout_seconds=0.1).deploy(2, PROBES)
    live.wait_for_version(1)
    assert live.client.invoke(BODY).version == 1


def test_a_newer_request_for_the_same_version_is_left_alone(
    live: RunningServer, registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoke = EndpointClient.invoke

    def invoke_and_be_overtaken(self: EndpointClient, rows: str) -> Any:
        publish_pointer(registry.store, ENDPOINT, 2)
        return invoke(self, rows)

    with monkeypatch.context() as patched:
        patched.setattr(EndpointClient, "invoke", invoke_and_be_overtaken)
        with pytest.raises(EndpointError, match="; another deployment has asked for version 2"):
            endpoint_of(registry).deploy(2, WRONG)
    pointer = read_pointer(registry.store, ENDPOINT)
    assert pointer is not None
    assert (pointer.version, pointer.previous) == (2, 1)
    assert live.client.invoke(BODY).version == 2
