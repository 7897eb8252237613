"""A model archive in SageMaker's own server, beside the server of this machine.

The container is the image's toolkit: `abalone_assets_tests.fakes.toolkits`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
import requests

from abalone_assets.modeling.archive import extract, pack
from abalone_assets.modeling.offline_project import OFFLINE_PROJECT
from abalone_assets.registry.model_package_documents import SERVING_ENVIRONMENT
from abalone_assets_tests.fakes.model_servers import ModelLoadError, ModelServer
from abalone_assets_tests.fakes.toolkits import toolkits
from abalone_assets_tests.serving.support import LINES, new_registry, serving, tiny_archive

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets_tests.serving.support import RunningServer

pytestmark = pytest.mark.xdist_group("container")

CSV, JSON = "text/csv", "application/json"
ROW = LINES[0].encode()
ROW_IN_JSON = json.dumps({"instances": [LINES[0].split(",")]}).encode()
IN_MM_AND_G = b"M,100,80,26,140,60,30,40"
BAD = b"M,0.5,tall,0.13,0.7,0.3,0.15,0.2"

OLD_CODE = '''\
"""The functions SageMaker calls, from the package beside this file."""

from abalone_assets.modeling.inference import input_fn, model_fn, output_fn, predict_fn

__all__ = ["input_fn", "model_fn", "output_fn", "predict_fn"]
'''
"""``code/inference.py`` of the archives before they had a ``transform_fn`` and a build backend."""


@dataclass(frozen=True)
class Asked:
    """A request, and what both servers say to it.

    Attributes:
        body: What is sent.
        content_type: Its type, if it is said.
        accept: The types that are taken, if they are said.
        status: Of the answer.
        says: The type of the predictions, or words of the refusal.
    """

    body: bytes
    content_type: str | None
    accept: str | None
    status: int
    says: str

    @property
    def headers(self) -> dict[str, str]:
        said = {"Content-Type": self.content_type, "Accept": self.accept}
        return {name: value for name, value in said.items() if value is not None}


TABLE = {
    "a row": Asked(ROW, CSV, CSV, 200, CSV),
    "a row in JSON": Asked(ROW_IN_JSON, JSON, JSON, 200, JSON),
    "a charset": Asked(ROW, "text/csv; charset=utf-8", None, 200, CSV),
    "mm and g": Asked(IN_MM_AND_G, "text/csv; units=mm-g", CSV, 200, CSV),
    "mm and g, told with blanks": Asked(IN_MM_AND_G, "text/csv; units = mm-g", CSV, 200, CSV),
    "mm and g, not said": Asked(IN_MM_AND_G, CSV, CSV, 400, "or say units=mm-g in the content"),
    "not mm and g": Asked(ROW, "text/csv; units=mm-g", CSV, 400, "look like millimetres / 200"),
    "unknown units": Asked(ROW, "text/csv; units=ells", CSV, 415, "units 'ells': say one of"),
    "a byte order mark": Asked(b"\xef\xbb\xbf" + ROW, CSV, None, 200, CSV),
    "no Accept": Asked(ROW, CSV, None, 200, CSV),
    "no Accept, JSON": Asked(ROW_IN_JSON, JSON, None, 200, JSON),
    "*/*": Asked(ROW, CSV, "*/*", 200, CSV),
    "*/*, JSON": Asked(ROW_IN_JSON, JSON, "*/*", 200, JSON),
    "JSON for CSV": Asked(ROW, CSV, JSON, 200, JSON),
    "CSV for JSON": Asked(ROW_IN_JSON, JSON, CSV, 200, CSV),
    "the most wanted": Asked(ROW, CSV, "text/csv;q=0.1, application/json", 200, JSON),
    "text/*": Asked(ROW_IN_JSON, JSON, "text/*", 200, CSV),
    "anything but CSV": Asked(ROW, CSV, "text/csv;q=0, */*", 200, JSON),
    "an unknown Accept": Asked(ROW, CSV, "image/png", 406, "cannot answer with 'image/png'"),
    "a bad row": Asked(BAD, CSV, None, 400, "row 1, column diameter: "),
    "a bad row after a good one": Asked(ROW + b"\n" + BAD, CSV, None, 400, "row 2, column dia"),
    "too few fields": Asked(b"M,0.5", CSV, None, 400, "row 1: found 2 values; expected 8"),
    "nothing": Asked(b"", CSV, None, 400, "no rows"),
    "broken JSON": Asked(b"{", JSON, None, 400, "the body is not JSON"),
    "other JSON": Asked(b"[1]", JSON, None, 400, 'the body must be {"instances"'),
    "a bad row in JSON": Asked(b'{"instances": [[1]]}', JSON, None, 400, "row 1: found 1 values"),
    "bytes that are no UTF-8": Asked(b"M,\xff", CSV, None, 400, "not UTF-8: byte 2"),
    "a wrong type": Asked(ROW, "application/x-npy", None, 415, "'application/x-npy' is not supp"),
    "no type": Asked(ROW, None, None, 415, "content type '' is not supported"),
}


@pytest.fixture(scope="module")
def archive() -> bytes:
    return tiny_archive(1)


@pytest.fixture(scope="module")
def container(archive: bytes) -> Iterator[ModelServer]:
    """The container, without a package index."""
    with ModelServer(archive, SERVING_ENVIRONMENT) as server:
        yield server


@pytest.fixture(scope="module")
def local(archive: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with serving(new_registry(tmp_path_factory.mktemp("local")), archive) as server:
        yield server


def old_archive(archive: bytes, folder: Path) -> bytes:
    """The archive as it was written before: by its entry point, and without the build backend."""
    extract(archive, model := folder / "model")
    (model / "code/inference.py").write_text(OLD_CODE)
    for name in OFFLINE_PROJECT:
        (model / "code" / name).unlink()
    pack(model, packed := folder / "model.tar.gz")
    return packed.read_bytes()


@pytest.mark.parametrize("asked", TABLE.values(), ids=TABLE)
def test_both_servers_say_the_same(
    container: ModelServer, local: RunningServer, asked: Asked
) -> None:
    there = container.ask("POST", "/invocations", asked.body, asked.headers)
    unsaid: dict[str, str | None] = {"Content-Type": None, "Accept": None}
    here = requests.post(
        f"{local.url}/invocations", asked.body, headers={**unsaid, **asked.headers}, timeout=10
    )

    assert (there.status, here.status_code) == (asked.status, asked.status)
    if asked.status == 200:
        assert (there.content_type, here.headers["Content-Type"]) == (asked.says, asked.says)
        assert there.body == here.content
    else:
        assert there.body.decode() == here.json()["Message"]
        assert asked.says in there.body.decode()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/ping", 200), ("GET", "/invocations", 405), ("POST", "/nowhere", 404)],
)
def test_both_servers_have_the_same_routes(
    container: ModelServer, local: RunningServer, method: str, path: str, status: int
) -> None:
    assert container.ask(method, path).status == status
    assert requests.request(method, f"{local.url}{path}", timeout=10).status_code == status


def test_a_defect_of_the_model_is_a_500(archive: bytes, tmp_path: Path) -> None:
    extract(archive, model := tmp_path / "model")
    with (model / "code/inference.py").open("a") as code:
        code.write("\ntransform_fn = lambda *_: 1 // 0\n")
    pack(model, packed := tmp_path / "model.tar.gz")

    with ModelServer(packed.read_bytes(), SERVING_ENVIRONMENT) as server:
        assert server.ask("POST", "/invocations", ROW, {"Content-Type": CSV}).status == 500


def test_an_archive_of_old_starts_where_an_index_is_within_reach(
    archive: bytes, tmp_path: Path
) -> None:
    old, lines = old_archive(archive, tmp_path), list[str]()
    with pytest.raises(ModelLoadError):
        ModelServer(old, SERVING_ENVIRONMENT, lines.append)
    assert any("InstallModuleError" in line for line in lines)

    index = {"PIP_FIND_LINKS": str(toolkits().wheels)}
    with ModelServer(old, SERVING_ENVIRONMENT | index) as server:
        answer = server.ask("POST", "/invocations", ROW, {"Content-Type": CSV})
        assert (answer.status, answer.content_type) == (200, "text/csv; charset=utf-8")
        # What the archive of today mends.
        assert server.ask("POST", "/invocations", BAD, {"Content-Type": CSV}).status == 500
