"""The state file: where clients on this machine find the running endpoint server."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from abalone_assets.errors import EndpointError, StorageError
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from pathlib import Path

_ANY_ADDRESS: Final = {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to


@dataclass(frozen=True)
class ServerState:
    """A running endpoint server.

    Attributes:
        url: Its base URL, with the port that it really has.
        pid: Its process's id on its machine.
        started_at: When it started, ISO 8601 in UTC.
        machine: Where its process is; empty in files of older servers.
    """

    url: str
    pid: int
    endpoint: str
    started_at: str
    machine: str = ""


def write_state(path: Path, state: ServerState) -> None:
    """Write the state file atomically.

    Raises:
        EndpointError: It cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(asdict(state)), encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise EndpointError(f"{path}: cannot write the server's state file: {error}") from error


def read_state(path: Path) -> ServerState | None:
    """What the state file says, or None when there is none or it cannot be understood.

    A server that was killed leaves its file behind: the answer may be of a server that is gone.
    """
    try:
        document = json.loads(path.read_bytes())
        return record_of(ServerState, document, str(path), remedy="start the server again")
    except (OSError, ValueError, StorageError):
        return None


def remove_state(path: Path, state: ServerState) -> None:
    """Remove a server's state file, unless another server has taken it over since."""
    if read_state(path) == state:
        path.unlink(missing_ok=True)


def lasting_url(path: Path, host: str, port: int) -> str:
    """Base URL, for links that are kept, of the running server or of the one that will run.

    A server that this very process has started, as the demo does, ends with it: then the address is
    that of a later one.

    Args:
        path: The state file.
        host: Address of the server when none is running yet.
        port: Its port.
    """
    state = read_state(path)
    base = urlsplit(state.url) if state and not _is_own_child(state.pid) else None
    host = (base and base.hostname) or host
    port = (base and base.port) or port
    # A server that listens everywhere is found on this machine.
    name = "localhost" if host in _ANY_ADDRESS else host
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"


def family_of(host: str) -> socket.AddressFamily:
    """What a server at this host's address listens by: IPv6 where the address has colons."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _is_own_child(pid: int) -> bool:
    """Whether a process was started by this one, and not by another on whose behalf this works."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return False
    try:
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True
