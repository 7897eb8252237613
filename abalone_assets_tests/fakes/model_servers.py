"""The containers behind endpoints: one process for each model that serves."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from abalone_assets_tests.fakes.jobs import environment_of
from abalone_assets_tests.fakes.processes import LogStream

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

PROGRAM: Final = Path(__file__).with_name("model_server.py")


class ModelLoadError(Exception):
    """A model's container does not answer its ping."""


class ModelError(Exception):
    """A model's container answers a request by an error."""


class ModelServer:
    """The process that answers with one model.

    Args:
        aws: The stand-in.
        name: The SageMaker model's name.
        archive: ``s3://`` URI of its ``model.tar.gz``.
        environment: Of its container.
        log: Where its output goes.

    Raises:
        ModelLoadError: The archive is missing or its code cannot load the model.
    """

    def __init__(
        self, aws: AwsStandIn, name: str, archive: str, environment: dict[str, str], log: LogStream
    ) -> None:
        folder = aws.folder / "models" / name
        try:
            aws.storage.extract(archive, folder)
        except Exception as error:
            raise ModelLoadError(f"cannot download the model data {archive}: {error}") from error
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [aws.python, str(PROGRAM), str(folder)],
            env=environment_of(aws, name, environment),
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._log = threading.Thread(target=_copy, args=(self._process.stderr, log), daemon=True)
        self._log.start()
        if not self._read().get("ready"):
            self.close()
            raise ModelLoadError("the container did not pass the ping health check")

    def answer(self, body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        """The answer's body and content type.

        Raises:
            ModelError: The model's code fails.
        """
        document = {
            "body": base64.b64encode(body).decode(),
            "content_type": content_type,
            "accept": accept,
        }
        with self._lock:
            assert self._process.stdin is not None
            try:
                self._process.stdin.write(json.dumps(document) + "\n")
                self._process.stdin.flush()
            except OSError as error:
                raise ModelError("the container is gone") from error
            answer = self._read()
        if "body" not in answer:
            raise ModelError(answer.get("error", "the container is gone"))
        return base64.b64decode(answer["body"]), answer["content_type"]

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.join(5)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        return dict(json.loads(line)) if line else {}


def _copy(pipe: IO[str], log: LogStream) -> None:
    with pipe:
        for line in pipe:
            log.write(line.rstrip("\n"))


class ModelServers:
    """The running model servers, by the name of the SageMaker model."""

    def __init__(self, aws: AwsStandIn) -> None:
        self._aws = aws
        self._servers: dict[str, ModelServer] = {}
        self._lock = threading.Lock()

    def of(self, backend: Any, model_name: str, log: LogStream) -> ModelServer:
        """The server of a model, started when it is not running.

        Raises:
            ModelLoadError: It cannot start.
        """
        with self._lock:
            server = self._servers.get(model_name)
            if server is None:
                container = _container(backend, model_name)
                environment = container.get("Environment") or {}
                archive = container["ModelDataUrl"]
                server = ModelServer(self._aws, model_name, archive, environment, log)
                self._servers[model_name] = server
            return server

    def close(self, *model_names: str) -> None:
        """End the servers of some models, or of all when none is named."""
        with self._lock:
            for name in model_names or tuple(self._servers):
                if (server := self._servers.pop(name, None)) is not None:
                    server.close()


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
