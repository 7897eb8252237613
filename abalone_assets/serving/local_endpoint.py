"""The local endpoint: a server of this machine, told by a pointer which version to serve."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.errors import EndpointError
from abalone_assets.serving.client import EndpointClient, EndpointUnreachableError
from abalone_assets.serving.endpoint import (
    Deployment,
    Endpoint,
    WrongAnswerError,
    body_of,
    check_answers,
    require_probes,
)
from abalone_assets.serving.pointer import (
    EndpointPointer,
    forget_previous,
    publish_pointer,
    read_pointer,
    roll_back_pointer,
)
from abalone_assets.serving.state import lasting_url, read_state

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.storage.object_store import ObjectStore

_POLL_SECONDS: Final = 0.05


def connect(
    endpoint_name: str, *, state_file: Path | None = None, url: str | None = None
) -> EndpointClient | None:
    """A client of the endpoint's running server, or None when none answers.

    The server is at ``url`` or else where the state file says.

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


class LocalEndpoint(Endpoint):
    """The server of ``abalone serve``, which follows a pointer in the registry's store.

    Without a running server a version is only asked for: the next server serves it.

    Args:
        registry: Where versions and the endpoint's pointer are kept.
        state_file: Where a server on this machine says where it is.
        host: Address of a later server, for links that outlast this one.
        port: Its port.
        timeout_seconds: How long the server may take to serve a version.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        name: str,
        *,
        state_file: Path,
        host: str,
        port: int,
        timeout_seconds: float = 30.0,
    ) -> None:
        self.name = name
        self._registry = registry
        self._state_file = state_file
        self._later = (host, port)
        self._timeout_seconds = timeout_seconds

    def live_version(self) -> int | None:
        """The version that the pointer names."""
        pointer = read_pointer(self._registry.store, self.name)
        return None if pointer is None else pointer.version

    def deploy(
        self,
        version: int,
        probes: Sequence[tuple[str, float]],
        on_progress: Callable[[str], None] = lambda _: None,  # noqa: ARG002 - it takes a second
    ) -> Deployment:
        """Publish the version; a running server swaps to it and is asked the probes."""
        require_probes(probes)
        self._registry.get(version)
        started = time.monotonic()
        store, client = self._registry.store, connect(self.name, state_file=self._state_file)
        pointer = None if client is None else _live_pointer(store, client, version)
        live_already = pointer is not None
        if pointer is None:
            pointer = publish_pointer(store, self.name, version)
        if client is not None:
            rollout = _Deployment(store, client, pointer, self._timeout_seconds, live_already)
            rollout.verify_or_roll_back(probes)
        if pointer.previous is not None and not self._registry.can_serve(pointer.previous):
            forget_previous(store, pointer)  # it is lost: nothing can return to it
        return Deployment(
            version=version,
            previous=pointer.previous,
            served=client is not None,
            url=None if client is None else self._page(),
            seconds=time.monotonic() - started,
            message=_message(version, served=client is not None, live_already=live_already),
        )

    def _page(self) -> str:
        """What describes the endpoint in a browser; a server's base URL shows nothing."""
        return f"{lasting_url(self._state_file, *self._later)}/endpoints/{self.name}"


def _live_pointer(
    store: ObjectStore, client: EndpointClient, version: int
) -> EndpointPointer | None:
    """The endpoint's pointer when it names the version and the server serves it already."""
    pointer = read_pointer(store, client.name)
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
class _Deployment:
    """One published version on its way to a running server, or on it already."""

    store: ObjectStore
    client: EndpointClient
    pointer: EndpointPointer
    timeout_seconds: float
    live_already: bool

    def verify_or_roll_back(self, probes: Sequence[tuple[str, float]]) -> None:
        try:
            self._wait_until(self._is_live, f"version {self.pointer.version} is not live")
            self._check_probes(probes)
        except EndpointError as error:
            raise EndpointError(f"{error}; {self._after(error)}") from error
        except BaseException:  # the run was cancelled: nothing unverified stays asked for
            if not self.live_already:
                self._put_back()
            raise

    def _after(self, error: EndpointError) -> str:
        """Roll back, unless that would take down a version which may be right; says which."""
        replaceable = isinstance(error, WrongAnswerError) and self.pointer.previous is not None
        if self.live_already and not replaceable:
            return f"version {self.pointer.version} was live before and is not taken back"
        return self._roll_back()

    def _wait_until(self, done: Callable[[dict[str, Any]], bool], complaint: str) -> None:
        """Ask the server until it is done; one that is being restarted does not answer for a while.

        Raises:
            EndpointError: It was not done in time.
        """
        deadline = time.monotonic() + self.timeout_seconds
        while True:
            try:
                description = self.client.describe()
                if done(description):
                    return
                # A refusal that is not this request's would be told of another version.
                reason = description["refused_version"] is None and description["failure_reason"]
            except EndpointUnreachableError as error:
                reason = error
            if time.monotonic() > deadline:
                late = f"{complaint} after {self.timeout_seconds:g} s"
                raise EndpointError(f"{late}: {reason}" if reason else late)
            time.sleep(_POLL_SECONDS)

    def _is_live(self, description: dict[str, Any]) -> bool:
        wanted = read_pointer(self.store, self.pointer.endpoint)
        if wanted is None or wanted.version != self.pointer.version:
            other = wanted.version if wanted else "none"
            raise EndpointError(
                f"version {self.pointer.version} was superseded by another deployment"
                f" (version {other})"
            )
        if description["refused_request"] == wanted.requested_at:
            raise EndpointError(str(description["failure_reason"]))
        return bool(description["version"] == self.pointer.version)

    def _check_probes(self, probes: Sequence[tuple[str, float]]) -> None:
        answer = self.client.invoke(body_of(probes))
        if answer.version != self.pointer.version:
            raise EndpointError(
                f"version {answer.version} answered instead of version {self.pointer.version}"
            )
        check_answers(f"version {answer.version}", probes, answer.rings)

    def _roll_back(self) -> str:
        """Put the version before back and wait until it serves; says how that went."""
        restored = self._put_back()
        wanted = None if restored is None else restored.version
        if wanted is None:
            outcome = "nothing is deployed"
        elif wanted == self.pointer.previous:
            outcome = f"version {wanted} is deployed again"
        else:
            outcome = f"another deployment has asked for version {wanted} since"
        try:
            self._wait_until(
                lambda description: description["version"] == wanted,
                "this is not live",
            )
        except EndpointError as error:
            return f"{outcome}, but {error}"
        return outcome

    def _put_back(self) -> EndpointPointer | None:
        return roll_back_pointer(self.store, self.pointer, self.pointer.previous)
