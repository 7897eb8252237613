"""Deploys a model version to an endpoint, proves it with real requests, or takes it back."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.errors import EndpointError
from abalone_assets.serving.client import EndpointClient, EndpointUnreachableError
from abalone_assets.serving.pointer import (
    EndpointPointer,
    publish_pointer,
    read_pointer,
    roll_back_pointer,
)
from abalone_assets.serving.state import read_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from abalone_assets.serving.registry import ModelRegistry

__all__ = ["Deployment", "EndpointClient", "connect", "deploy"]

RINGS_TOLERANCE: Final = 1e-4
_LOOK_SECONDS: Final = 0.05


@dataclass(frozen=True)
class Deployment:
    """The outcome of a deployment that was not refused.

    Attributes:
        version: The version that the endpoint was asked to serve.
        previous: The version that it was asked to serve before, if any.
        served: Whether a running server answers with it; False when none is running.
        url: Base URL of that server.
        seconds: How long it took.
        message: One sentence for people.
    """

    version: int
    previous: int | None
    served: bool
    url: str | None
    seconds: float
    message: str


def connect(
    endpoint_name: str, *, state_file: Path | None = None, url: str | None = None
) -> EndpointClient | None:
    """A client of the endpoint's running server, or None when none answers.

    Args:
        endpoint_name: The endpoint's name.
        state_file: Where a server on this machine says where it is.
        url: The server's base URL; wins over the state file.

    Raises:
        EndpointError: The server at ``url`` does not have this endpoint.
    """
    if url is not None:
        return _answering(EndpointClient(url, endpoint_name))
    state = read_state(state_file) if state_file is not None else None
    if state is None:
        return None
    # The port in a killed server's file may since belong to the server of another endpoint.
    with suppress(EndpointError):
        return _answering(EndpointClient(state.url, endpoint_name))
    return None


def _answering(client: EndpointClient) -> EndpointClient | None:
    with suppress(EndpointUnreachableError):
        client.describe()
        return client
    return None


def deploy(
    registry: ModelRegistry,
    endpoint_name: str,
    version: int,
    probes: Sequence[tuple[str, float]],
    *,
    state_file: Path | None = None,
    url: str | None = None,
    timeout_seconds: float = 30.0,
) -> Deployment:
    """Make an endpoint serve a version, verified by real requests.

    Without a running server the version is only asked for: the next server serves it. A version
    that already serves is verified and left alone.

    Args:
        registry: Where versions and the endpoint's pointer are kept.
        endpoint_name: The endpoint's name.
        version: The version to serve.
        probes: CSV lines and the rings that the version must predict for them, within 1e-4.
        state_file: Where a server on this machine says where it is.
        url: The server's base URL; wins over the state file.
        timeout_seconds: How long the server may take to serve the version.

    Raises:
        StorageError: There is no such version.
        EndpointError: No probe was given; or the version was refused, late or answered wrongly,
            and the version before was put back.
    """
    if not probes:
        raise EndpointError("a deployment needs at least one probe to prove the new version")
    registry.get(version)
    started = time.monotonic()
    client = connect(endpoint_name, state_file=state_file, url=url)
    pointer = None if client is None else _live_pointer(registry, client, version)
    live_already = pointer is not None
    if pointer is None:
        pointer = publish_pointer(registry.store, endpoint_name, version)
    if client is not None:
        _Rollout(registry, client, pointer, timeout_seconds).verify_or_roll_back(probes)
    return Deployment(
        version=version,
        previous=pointer.previous,
        served=client is not None,
        url=None if client is None else client.url,
        seconds=time.monotonic() - started,
        message=_message(version, served=client is not None, live_already=live_already),
    )


def _live_pointer(
    registry: ModelRegistry, client: EndpointClient, version: int
) -> EndpointPointer | None:
    """The endpoint's pointer when it names the version and the server serves it already."""
    pointer = read_pointer(registry.store, client.name)
    if pointer is None or pointer.version != version or client.describe()["version"] != version:
        return None
    return pointer


def _message(version: int, *, served: bool, live_already: bool) -> str:
    if not served:
        return (
            f"version {version} is deployed but no server answers: start one with `abalone serve`"
        )
    return f"version {version} was live already" if live_already else f"version {version} is live"


@dataclass(frozen=True)
class _Rollout:
    """One published version on its way to a running server."""

    registry: ModelRegistry
    client: EndpointClient
    pointer: EndpointPointer
    timeout_seconds: float

    def verify_or_roll_back(self, probes: Sequence[tuple[str, float]]) -> None:
        try:
            self._wait_until(self._is_live, f"version {self.pointer.version} is not live")
            self._check_probes(probes)
        except EndpointError as error:
            raise EndpointError(f"{error}; {self._roll_back()}") from error
        except BaseException:  # the run was cancelled: nothing unverified stays asked for
            self._put_back()
            raise

    def _wait_until(self, done: Callable[[dict[str, Any]], bool], complaint: str) -> None:
        deadline = time.monotonic() + self.timeout_seconds
        while not done(self.client.describe()):
            if time.monotonic() > deadline:
                raise EndpointError(f"{complaint} after {self.timeout_seconds:g} s")
            time.sleep(_LOOK_SECONDS)

    def _is_live(self, description: dict[str, Any]) -> bool:
        if description["refused_request"] == self.pointer.requested_at:
            raise EndpointError(str(description["failure_reason"]))
        wanted = read_pointer(self.registry.store, self.pointer.endpoint)
        if wanted is None or wanted.version != self.pointer.version:
            other = wanted.version if wanted else "none"
            raise EndpointError(
                f"version {self.pointer.version} was superseded by another deployment"
                f" (version {other})"
            )
        return bool(description["version"] == self.pointer.version)

    def _check_probes(self, probes: Sequence[tuple[str, float]]) -> None:
        lines, expected = zip(*probes, strict=True)
        answer = self.client.invoke("".join(line.rstrip("\r\n") + "\n" for line in lines))
        if answer.version != self.pointer.version:
            raise EndpointError(
                f"version {answer.version} answered instead of version {self.pointer.version}"
            )
        if len(answer.rings) != len(expected):
            raise EndpointError(f"{len(answer.rings)} predictions for {len(expected)} probes")
        for line, wanted, rings in zip(lines, expected, answer.rings, strict=True):
            if not abs(rings - wanted) <= RINGS_TOLERANCE:  # also catches NaN
                raise EndpointError(
                    f"version {self.pointer.version} predicts {rings} rings for {line.strip()!r}"
                    f" where {wanted} was expected"
                )

    def _roll_back(self) -> str:
        """Put the version before back and wait until it serves; says how that went."""
        restored = self._put_back()
        wanted = None if restored is None else restored.version
        outcome = "nothing is deployed" if wanted is None else f"version {wanted} is deployed again"
        try:
            self._wait_until(
                lambda description: description["version"] == wanted,
                "this is not live",
            )
        except EndpointError as error:
            return f"{outcome}, but {error}"
        return outcome

    def _put_back(self) -> EndpointPointer | None:
        return roll_back_pointer(self.registry.store, self.pointer, self.pointer.previous)
