"""MLflow is told by a process of its own: it may hang or crash, and ends when its time is over."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from filelock import FileLock, Timeout

from abalone_assets.settings.environment import variable
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.tracking.server import MlflowError, MlflowServer
from abalone_assets.tracking.told import read_told, state_of, write_told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abalone_assets.settings.platform import Settings

PATIENCE_SECONDS: Final = 300.0
"""How long one attempt may take in all. What it has told by then stays; the next goes on."""

_WORDS: Final = 600


@dataclass(frozen=True)
class Sent:
    """What an attempt came to.

    Attributes:
        server: The server, without secrets.
        versions: The versions that were sent or brought up to date.
        champion: The version under the alias, or None.
        problem: Why it is not all there, and what to do; None when it is.
    """

    server: str
    versions: tuple[int, ...] = ()
    champion: int | None = None
    problem: str | None = None


def tell_mlflow(
    settings: Settings, say: Callable[[str], None], patience: float = PATIENCE_SECONDS
) -> Sent:
    """Send every version that MLflow lacks, and have its alias follow what is live.

    The same again changes nothing. What became of it is recorded in the lake.

    Args:
        settings: Which server.
        say: Is told of each version that was sent.
        patience: Seconds for all of it.

    Raises:
        MlflowError: No server is named, its client is not installed, or another process tells it.
        StorageError: Lake or registry refuses.
    """
    server = MlflowServer.of(settings)
    if server is None:
        raise MlflowError(
            f"{variable('mlflow_uri')} names no server: set it to the address of an MLflow server "
            "such as http://127.0.0.1:5000, or to the ARN of one in SageMaker"
        )
    server.require_client()
    lake = ObjectStore(settings.lake_uri)
    with _alone(settings):
        told, state = read_told(lake), state_of(settings)
        sent = _told_by_a_child(server, say, patience)
        write_told(lake, told.after(server.identity, state, succeeded=sent.problem is None))
    return sent


@contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """Two that tell at a time would make each version's run twice; on AWS a pool keeps them apart.

    Raises:
        MlflowError: Another process of this home is telling.
    """
    if settings.profile == "aws":
        yield
        return
    try:
        with FileLock(settings.home / "mlflow.lock", timeout=0):
            yield
    except Timeout as error:
        raise MlflowError(
            f"{settings.home}: another process is telling MLflow; wait until it has ended"
        ) from error


def _told_by_a_child(server: MlflowServer, say: Callable[[str], None], patience: float) -> Sent:
    versions: list[int] = []
    end: dict[str, object] = {}
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors,
        subprocess.Popen(
            [sys.executable, "-m", "abalone_assets.tracking.child"],
            stdin=subprocess.PIPE,  # its end tells the child that it is an orphan
            stdout=subprocess.PIPE,
            stderr=errors,
            env=server.environment(),
            text=True,
        ) as child,
    ):
        over = threading.Event()

        def end_it() -> None:
            over.set()
            child.kill()

        timer = threading.Timer(patience, end_it)
        timer.start()
        try:
            for line in child.stdout or ():
                told = json.loads(line)
                if "sent" in told:
                    versions.append(told["sent"])
                    say(f"version {told['sent']} is in MLflow")
                else:
                    end = told
        finally:
            timer.cancel()
            child.kill()
            child.wait()
        errors.seek(0)
        said = errors.read()
    if over.is_set():
        problem = f"the server took longer than {patience:g} s, after {len(versions)} versions"
    elif "champion" in end:
        champion = end["champion"]
        return Sent(server.uri, (*versions,), champion if isinstance(champion, int) else None)
    else:
        last = said.strip().splitlines() or ["it does not say why"]
        problem = str(end.get("problem") or last[-1])
    problem = server.without_secrets(" ".join(problem.split()))[:_WORDS]
    return Sent(
        server.uri,
        (*versions,),
        problem=f"MLflow at {server.uri} lacks versions: {problem}. No release waits for it, and "
        "what it lacks is sent once it answers: look at it, then `abalone mlflow`, or unset "
        f"{variable('mlflow_uri')}",
    )
