"""The containers behind endpoints: SageMaker's real server, with the code of the model's archive.

A server takes seconds to start, so it is kept for whatever else of the same content is deployed,
by later tests too, until a few others have been needed since.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import queue
import re
import signal
import subprocess
import tarfile
import tempfile
import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import requests

from abalone_assets_tests.fakes.jobs import Sandbox
from abalone_assets_tests.fakes.toolkits import PROGRAM, toolkits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from abalone_assets_tests.fakes.processes import LogStream
    from abalone_assets_tests.fakes.standin import AwsStandIn

KEPT: Final = 4
ANSWER_SECONDS: Final = 60.0
"""As long as SageMaker waits for a container."""

_LISTENING: Final = re.compile(r"Listening at: http://[\d.]+:(\d+)")


@dataclass(frozen=True)
class ContainerAnswer:
    """What a container says to a request."""

    status: int
    content_type: str
    body: bytes


class ModelLoadError(Exception):
    """A model's container does not answer its ping."""


class ModelError(Exception):
    """A model's container does not answer a request by 200.

    Attributes:
        status: What it answers instead.
    """

    def __init__(self, answer: ContainerAnswer) -> None:
        super().__init__(answer.body.decode())
        self.status = answer.status


def _unheard(_line: str) -> None:
    """Nobody listens."""


class ModelServer:
    """A container that serves: the toolkit's server in a process group of its own.

    Args:
        archive: Content of a ``model.tar.gz``.
        environment: The model's, as SageMaker is told it.
        listener: Is told each line of its output.

    Raises:
        ModelLoadError: It ends, or does not answer a ping by 200.
    """

    def __init__(
        self,
        archive: bytes,
        environment: Mapping[str, str],
        listener: Callable[[str], None] = _unheard,
    ) -> None:
        self.listener = listener
        self._closing, self._is_closed = threading.Lock(), False
        self._scratch = tempfile.TemporaryDirectory(prefix="model-server-")
        sandbox = Sandbox(Path(self._scratch.name))
        with tarfile.open(fileobj=io.BytesIO(archive)) as members:
            members.extractall(sandbox.folder("model"), filter="data")
        moved = {name: sandbox.moved(value) for name, value in environment.items()}
        own = {
            "SAGEMAKER_BIND_TO_PORT": "0",
            "SAGEMAKER_MODEL_SERVER_WORKERS": "1",
            "SAGEMAKER_USE_NGINX": "false",
        }
        self._process = subprocess.Popen(
            [toolkits().python, str(PROGRAM), "serve"],
            env=toolkits().environment(sandbox.opt_ml, {**moved, **own}),
            cwd=sandbox.opt_ml,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._port = ""
        self._settled = threading.Event()
        # Who listens may wait for whoever waits for this server to start: reading must go on.
        self._said: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        threading.Thread(target=self._tell, daemon=True).start()
        self._settled.wait()
        if not self._port or self.ask("GET", "/ping").status != requests.codes.ok:
            self.close()
            raise ModelLoadError("the container did not answer its ping")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def _read(self) -> None:
        """Pass the output on, and see in it where the server listens."""
        assert self._process.stdout is not None
        with self._process.stdout as output:
            for line in output:
                self._said.put(line.rstrip("\n"))
                if found := _LISTENING.search(line):
                    self._port = found[1]
                    self._settled.set()
        self._said.put(None)
        self._settled.set()

    def _tell(self) -> None:
        while (line := self._said.get()) is not None:
            self.listener(line)

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> ContainerAnswer:
        """Ask with these headers and no others that would say what is sent or wanted."""
        said = {"Accept": None, "Content-Type": None, **(headers or {})}
        url = f"http://127.0.0.1:{self._port}{path}"
        answer = requests.request(method, url, data=body, headers=said, timeout=ANSWER_SECONDS)
        return ContainerAnswer(
            answer.status_code, answer.headers.get("Content-Type", ""), answer.content
        )

    def answer(self, body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        """The answer's body and content type.

        Raises:
            ModelError: It is none.
        """
        told = {"Content-Type": content_type, "Accept": accept}
        answer = self.ask("POST", "/invocations", body, told)
        if answer.status != requests.codes.ok:
            raise ModelError(answer)
        return answer.body, answer.content_type

    def close(self) -> None:
        """End it and all that it started, once: later its id may be another process's."""
        with self._closing:
            if self._is_closed:
                return
            self._is_closed = True
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._reader.join()
        self._scratch.cleanup()


_running: OrderedDict[str, ModelServer] = OrderedDict()
_lock = threading.Lock()


def close_model_servers() -> None:
    """End all servers."""
    with _lock:
        while _running:
            _running.popitem()[1].close()


class ModelServers:
    """The servers of the models of one account."""

    def __init__(self, aws: AwsStandIn) -> None:
        self._aws = aws

    def of(self, backend: Any, model_name: str, log: LogStream) -> ModelServer:
        """The server of a model, started when none with its content runs.

        Args:
            backend: moto's SageMaker.
            model_name: The SageMaker model.
            log: Where the server's output goes from now on.

        Raises:
            ModelLoadError: It cannot start.
        """
        container = _container(backend, model_name)
        uri, environment = container["ModelDataUrl"], container.get("Environment") or {}
        try:
            archive = self._aws.storage.read(uri)
        except Exception as error:
            raise ModelLoadError(f"cannot download the model data {uri}: {error}") from error
        told = json.dumps(environment, sort_keys=True).encode()
        key = hashlib.sha256(told + b"\0" + archive).hexdigest()
        with _lock:
            server = _running.get(key)
            if server is None or not server.is_running:
                server = _running[key] = ModelServer(archive, environment, log.write)
            server.listener = log.write
            _running.move_to_end(key)
            while len(_running) > KEPT:
                _running.popitem(last=False)[1].close()
            return server

    def close(self) -> None:
        """Have the servers say no more to the logs of the account."""
        with _lock:
            for server in _running.values():
                server.listener = _unheard


def _container(backend: Any, model_name: str) -> dict[str, Any]:
    """The container of a model, looked up in its model package when it was made from one."""
    if model_name not in backend._models:
        raise ModelLoadError(f"there is no model {model_name}")
    container = dict(backend._models[model_name].primary_container)
    if arn := container.get("ModelPackageName"):
        package = backend.describe_model_package(arn)
        specified = dict(package.inference_specification["Containers"][0])
        environment = {
            **(specified.get("Environment") or {}),
            **(container.get("Environment") or {}),
        }
        container = {**specified, "Environment": environment}
    return container
