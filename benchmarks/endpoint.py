"""The endpoint's HTTP answers beside others' over the same model, and beside no model at all.

The model is the default, trained on the bundled survey, and every server a process. The clients
cost them nothing: a blocking socket asks one row after the other, and a loop over sixteen sockets
keeps as many requests under way. What MLflow and FastAPI call is our own prediction.
"""

from __future__ import annotations

import os
import selectors
import socket
import statistics
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from abalone_assets.etl.polars_engine import prepare
from abalone_assets.etl.request import SPLIT_PERCENT, PrepareRequest
from abalone_assets.ingest.frames import survey_frame, to_parquet
from abalone_assets.modeling import archive, inference
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.resources.ml_platform import LocalMLPlatform, TrainingRequest
from abalone_assets.sample_data import base_survey
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey import FEATURES, parse_survey
from benchmarks.peers import HERE, python_of
from benchmarks.timing import OURS, Measured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from benchmarks.timing import Options

CONSTANT: Final = "constant handler"
MLFLOW: Final = "MLflow"
FLOOR: Final = "parse, predict and write, in the process"
CLIENTS: Final = 16
_READY_SECONDS: Final = 120
_CONTENT_TYPES: Final = "text/csv"


def measure(options: Options) -> Measured:
    """Ask for one row, for a hundred and for ten thousand."""
    answered = Measured("endpoint", notes=[f"{CLIENTS} clients are as many requests under way."])
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="abalone-bench-")))
        model = default_model(folder)
        servers = {
            OURS: stack.enter_context(served(folder, model)),
            CONSTANT: stack.enter_context(_peer("constant", sys.executable, model)),
        }
        for name, peer in ((MLFLOW, "mlflow"), ("FastAPI + pandas", "fastapi")):
            try:
                servers[name] = stack.enter_context(_peer(peer, str(python_of(peer)), model))
            except Exception as error:  # noqa: BLE001 - told of; the others are measured
                answered.add(name, {}, error=str(error))
        predictor = inference.model_fn(model)
        turns = options.turns(5)
        for rows, asked in ((1, 2000), (100, 300), (10_000, 8)):
            requests = max(3, asked // 20) if options.quick else asked
            body = animals(rows)
            sides: dict[str, Callable[[], Mapping[str, float]]] = {
                name: partial(_one_client, port, _as_taken_by(name, body), requests)
                for name, port in servers.items()
            }
            sides[FLOOR] = partial(_floor, predictor, body, requests)
            answered.alternate(sides, turns, case=f"{rows:,} rows" if rows > 1 else "1 row")
        busy = {
            name: partial(
                _clients, port, _as_taken_by(name, animals(1)), 200 if options.quick else 4000
            )
            for name, port in servers.items()
        }
        answered.alternate(busy, turns, case=f"1 row, {CLIENTS} clients")
    return answered


def default_model(folder: Path) -> Path:
    """The default model, extracted; its archive lies beside it."""
    raw = folder / "raw.parquet"
    survey = parse_survey(base_survey().read_bytes(), "abalone.data")
    raw.write_bytes(to_parquet(survey_frame([survey])))
    splits = {name: str(folder / name / "data.parquet") for name in SPLIT_PERCENT}
    merged = str(folder / "merged" / "data.parquet")
    prepare(PrepareRequest(inputs=(str(raw),), merged=merged, splits=splits))
    channels = {name: splits[f"{name}_split"] for name in ("train", "validation")}
    request = TrainingRequest(channels, str(folder / "trained"), {})
    trained = LocalMLPlatform().train(request, dg.build_asset_context())
    (folder / "model.tar.gz").write_bytes(Path(trained.model_uri).read_bytes())
    archive.extract(folder / "model.tar.gz", folder / "model")
    return folder / "model"


def _as_taken_by(server: str, body: bytes) -> bytes:
    """MLflow takes a line of names for granted."""
    return ",".join(FEATURES).encode() + b"\n" + body if server.lower() == MLFLOW.lower() else body


def animals(rows: int) -> bytes:
    lines = [line.rpartition(b",")[0] for line in base_survey().read_bytes().split()]
    return b"\n".join((lines * (1 + rows // len(lines)))[:rows]) + b"\n"


@contextmanager
def served(folder: Path, model: Path) -> Iterator[int]:
    """`abalone serve` of a home with the model; gives its port."""
    home = folder / "home"
    registry = FolderRegistry(ObjectStore(home / "registry"))
    version = registry.register(
        model.with_suffix(".tar.gz").read_bytes(),
        evaluation={},
        decision={"approved": True, "reason": "a benchmark"},
        release_digest="",
    )
    publish_pointer(registry.store, "abalone", version.version)
    port = _free_port()
    command = [sys.executable, "-m", "abalone_assets.cli", "serve", "--port", str(port)]
    with _serving(command, port, {"ABALONE_HOME": str(home)}, animals(1)):
        yield port


@contextmanager
def _peer(name: str, python: str, model: Path) -> Iterator[int]:
    port, probe = _free_port(), _as_taken_by(name, animals(1))
    with _serving([python, str(HERE / name / "serve.py"), str(model), str(port)], port, {}, probe):
        yield port


@contextmanager
def _serving(
    command: list[str], port: int, environ: dict[str, str], probe: bytes
) -> Iterator[None]:
    """A server process, once it answers."""
    process = subprocess.Popen(command, env={**os.environ, **environ}, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + _READY_SECONDS
        while True:
            try:
                with socket.create_connection(("127.0.0.1", port)) as connection:
                    _ask(connection, _request(probe))
                break
            except (OSError, RuntimeError) as error:
                if process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"{command[-3:]} does not answer: {error}") from error
                time.sleep(0.2)
        yield
    finally:
        process.terminate()
        process.wait(20)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _request(body: bytes) -> bytes:
    head = f"POST /invocations HTTP/1.1\r\nHost: localhost\r\nContent-Type: {_CONTENT_TYPES}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def _ask(connection: socket.socket, request: bytes) -> None:
    """Send a request and read its answer to the end.

    Raises:
        RuntimeError: It is no 200.
    """
    connection.sendall(request)
    answer = b""
    while (wanted := _length(answer)) is None or len(answer) < wanted:
        got = connection.recv(1 << 20)
        if not got:
            raise RuntimeError("the server hung up")
        answer += got


def _length(answer: bytes) -> int | None:
    """The bytes of the whole answer, once its head is there."""
    head, ended, _ = answer.partition(b"\r\n\r\n")
    if not ended:
        return None
    status, *lines = head.lower().split(b"\r\n")
    if b" 200 " not in status + b" ":
        raise RuntimeError(f"the server said {status.decode()}")
    told = next(line for line in lines if line.startswith(b"content-length"))
    return len(head) + 4 + int(told.partition(b":")[2])


def _one_client(port: int, body: bytes, requests: int) -> dict[str, float]:
    request, seconds = _request(body), []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(requests):
            started = time.perf_counter()
            _ask(connection, request)
            seconds.append(time.perf_counter() - started)
    return {"p50 ms": 1000 * statistics.median(seconds), "a second": requests / sum(seconds)}


def _clients(port: int, body: bytes, requests: int) -> dict[str, float]:
    """Keep as many requests under way as there are clients."""
    request, left = _request(body), requests
    seconds: list[float] = []
    with ExitStack() as stack, selectors.DefaultSelector() as ready:
        begun: dict[Any, float] = {}
        for _ in range(CLIENTS):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            ready.register(connection, selectors.EVENT_READ)
            begun[connection] = time.perf_counter()
            connection.sendall(request)
            left -= 1
        started, answers = time.perf_counter(), dict.fromkeys(begun, b"")
        while len(seconds) < requests:
            for key, _ in ready.select():
                connection = key.fileobj  # type: ignore[assignment] # sockets were registered
                answers[connection] += connection.recv(1 << 16)
                wanted = _length(answers[connection])
                if wanted is None or len(answers[connection]) < wanted:
                    continue
                seconds.append(time.perf_counter() - begun[connection])
                answers[connection] = b""
                if left:
                    begun[connection] = time.perf_counter()
                    connection.sendall(request)
                    left -= 1
        took = time.perf_counter() - started
    return {"p50 ms": 1000 * statistics.median(seconds), "a second": requests / took}


def _floor(predictor: inference.Predictor, body: bytes, requests: int) -> dict[str, float]:
    """What a request costs without HTTP."""
    seconds = []
    for _ in range(requests):
        started = time.perf_counter()
        _answer(predictor, body)
        seconds.append(time.perf_counter() - started)
    return {"p50 ms": 1000 * statistics.median(seconds), "a second": requests / sum(seconds)}


def _answer(predictor: inference.Predictor, body: bytes) -> str:
    rows = inference.input_fn(body, _CONTENT_TYPES)
    return inference.output_fn(inference.predict_fn(rows, predictor), _CONTENT_TYPES)[0]
