"""What the serving tests share: tiny models, a server in a thread, polling with a deadline."""

from __future__ import annotations

import hashlib
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from abalone_assets.modeling import archive, inference
from abalone_assets.modeling.hyperparameters import BoosterHyperparameters
from abalone_assets.modeling.training.train import fit
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.serving.client import EndpointClient
from abalone_assets.serving.local_endpoint import LocalEndpoint
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.serving.server import EndpointServer
from abalone_assets.serving.state import read_state
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.cli.support import environment
from abalone_assets_tests.fakes.support import wait_for
from abalone_assets_tests.modeling.support import packed, survey_frame, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abalone_assets.registry.versions import ModelVersion
    from abalone_assets.serving.state import ServerState

ENDPOINT = "abalone-rings"
LINES = (
    "M,0.5,0.4,0.13,0.7,0.3,0.15,0.2",
    "F,0.61,0.48,0.16,1.1,0.45,0.25,0.32",
    "I,0.3,0.22,0.07,0.14,0.06,0.03,0.04",
)
BODY = "".join(line + "\n" for line in LINES)
CREATED_AT = datetime(2025, 3, 1, tzinfo=UTC)
DEADLINE_SECONDS = 20.0
START_SECONDS = 120.0
"""Of a process, which imports much: on a busy machine it takes a minute."""


def tiny_archive(seed: int, *, calibrated: bool = True) -> bytes:
    """A real model archive, trained in milliseconds; another seed predicts otherwise."""
    columns = table(survey_frame()[300 * seed : 300 * (seed + 1)])
    chosen = BoosterHyperparameters(num_boost_round=5 + seed, eta=0.3, seed=seed, folds=0)
    validation = columns if calibrated else {name: rows[:10] for name, rows in columns.items()}
    model = fit("xgboost", columns, validation, chosen, created_at=CREATED_AT.isoformat())
    with TemporaryDirectory() as folder:
        return packed(model, Path(folder)).read_bytes()


def local_prediction(archive_bytes: bytes, body: str = BODY) -> list[float]:
    """What a model answers, computed without a server."""
    with TemporaryDirectory() as folder:
        unpacked = Path(folder, "model")
        archive.extract(archive_bytes, unpacked)
        predictor = inference.model_fn(unpacked)
    rows = inference.input_fn(body, "text/csv")
    text, _ = inference.output_fn(inference.predict_fn(rows, predictor), "text/csv")
    return [float(line) for line in text.split()]


def register(registry: FolderRegistry, archive_bytes: bytes, release: str = "") -> ModelVersion:
    """Register an archive; its digest stands for its booster's."""
    return registry.register(
        archive_bytes,
        evaluation={"rmse": 2.1, "model_sha256": hashlib.sha256(archive_bytes).hexdigest()},
        decision={"approved": True, "reason": "good", "rule": "first_model"},
        release_digest=release or "release-1",
    )


def new_registry(folder: Path) -> FolderRegistry:
    return FolderRegistry(ObjectStore(folder / "registry"))


def state_file_of(registry: FolderRegistry) -> Path | None:
    """Where a server says its address: beside the registry, where that is a folder."""
    root = registry.store.root
    return None if root is None else root.parent / "endpoint" / "server.json"


def endpoint_of(registry: FolderRegistry, **changes: Any) -> LocalEndpoint:
    state_file = state_file_of(registry)
    assert state_file is not None
    later = {"host": "127.0.0.1", "port": 8080}
    return LocalEndpoint(registry, ENDPOINT, **{"state_file": state_file, **later, **changes})


@dataclass(frozen=True)
class RunningServer:
    """A server in a thread of this process."""

    server: EndpointServer
    state: ServerState
    client: EndpointClient

    @property
    def url(self) -> str:
        return self.state.url

    def wait_for_version(self, version: int | None) -> None:
        wait_until(lambda: self.client.describe()["version"] == version)


@contextmanager
def running_server(registry: FolderRegistry, **options: Any) -> Iterator[RunningServer]:
    settings = {"poll_seconds": 0.01, "flush_seconds": 0.02, "state_file": state_file_of(registry)}
    server = EndpointServer(registry, ENDPOINT, **settings | options)
    states: Queue[ServerState] = Queue()
    thread = threading.Thread(target=server.run, args=(states.put,))
    thread.start()
    try:
        state = states.get(timeout=DEADLINE_SECONDS)
        yield RunningServer(server, state, EndpointClient(state.url, ENDPOINT))
    finally:
        server.stop()
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()


@contextmanager
def serving(registry: FolderRegistry, archive: bytes, **options: Any) -> Iterator[RunningServer]:
    """A server that answers with an archive, which becomes version 1."""
    register(registry, archive)
    publish_pointer(registry.store, ENDPOINT, 1)
    with running_server(registry, **options) as running:
        running.wait_for_version(1)
        yield running


@dataclass(frozen=True)
class ServingProcess:
    """`abalone serve` in a process of its own.

    Attributes:
        home: What it serves.
        state: Its address.
        process: The process.
        log: What it says.
    """

    home: Path
    state: ServerState
    process: subprocess.Popen[bytes]
    log: Path


@contextmanager
def serving_process(home: Path, archive: bytes) -> Iterator[ServingProcess]:
    """A process that answers with an archive, which becomes version 1 of its home."""
    registry = new_registry(home)
    publish_pointer(registry.store, "abalone", register(registry, archive).version)
    log = home / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "abalone_assets.cli", "serve", "--port", "0"],
            env=environment(home),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for(lambda: "Ctrl-C" in log.read_text() or process.poll() is not None, START_SECONDS)
        state = read_state(home / "endpoint" / "server.json")
        assert state is not None, log.read_text()
        client = EndpointClient(state.url, "abalone")
        wait_for(lambda: client.describe()["version"] == 1, START_SECONDS)
        yield ServingProcess(home, state, process, log)
        process.send_signal(signal.SIGINT)
        assert process.wait(START_SECONDS) == 0
    finally:
        process.kill()


def wait_until(condition: Callable[[], object]) -> None:
    wait_for(condition, DEADLINE_SECONDS)
