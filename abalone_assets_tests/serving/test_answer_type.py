"""The type of an answer: ``Accept``, else the request's own; of this server and of SageMaker's."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from abalone_assets.modeling.archive import extract
from abalone_assets.registry.model_package_documents import SERVING_ENVIRONMENT
from abalone_assets_tests import fakes
from abalone_assets_tests.serving.support import LINES, new_registry, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Ask = Callable[[str, str, str | None], str]

CSV, JSON = "text/csv", "application/json"
BODIES = {CSV: LINES[0], JSON: json.dumps({"instances": [LINES[0].split(",")]})}


def ask_server(folder: Path, archive: bytes) -> Iterator[Ask]:
    with serving(new_registry(folder), archive) as server:

        def ask(body: str, content_type: str, accept: str | None) -> str:
            headers = {"Content-Type": content_type, "Accept": accept}
            answer = requests.post(f"{server.url}/invocations", body, headers=headers, timeout=10)
            assert answer.ok, answer.text
            return answer.headers["Content-Type"]

        yield ask


def ask_container(folder: Path, archive: bytes) -> Iterator[Ask]:
    extract(archive, folder / "model")
    program = Path(fakes.__file__).with_name("model_server.py")
    environment = {**os.environ, **SERVING_ENVIRONMENT, "PYTHONPATH": str(folder / "model/code")}
    with subprocess.Popen(
        [sys.executable, str(program), str(folder / "model")],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert json.loads(process.stdout.readline())["ready"]

        def ask(body: str, content_type: str, accept: str | None) -> str:
            asked = {"content_type": content_type, "accept": accept or ""}
            asked["body"] = base64.b64encode(body.encode()).decode()
            process.stdin.write(json.dumps(asked) + "\n")  # type: ignore[union-attr]
            process.stdin.flush()  # type: ignore[union-attr]
            answer = json.loads(process.stdout.readline())  # type: ignore[union-attr]
            return str(answer.get("content_type") or answer["error"])

        yield ask
        process.stdin.close()


@pytest.fixture(params=[ask_server, ask_container], ids=["server", "container"])
def ask(request: pytest.FixtureRequest, tmp_path: Path, archives: list[bytes]) -> Iterator[Ask]:
    """Post a body of a type to either, and see of which type the answer is."""
    yield from request.param(tmp_path, archives[0])


def test_the_answer_is_of_the_accepted_type_else_of_the_requests(ask: Ask) -> None:
    for sent, body in BODIES.items():
        for accept in (None, "*/*", "image/png;q=0.1, */*;q=0.2"):
            assert ask(body, sent, accept) == sent, accept
        for accept in (CSV, JSON):
            assert ask(body, sent, accept) == accept
