"""The bundles run where nothing of this project is installed: other packages are refused here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from abalone_assets.ingest.frames import to_parquet
from abalone_assets.resources.aws.code_bundle import CodeBundleError, CodeBundles, _folder
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.resources.splits import split_frames

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.service

CONTAINER = """
import importlib.abc, runpy, sys

class Refused(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {refused}:
            raise ImportError(f"not in the container: {{name}}")

sys.meta_path.insert(0, Refused())
sys.path[:] = [path for path in sys.path if path != {project!r}]
sys.path.insert(0, {code!r})
sys.argv[0] = {script!r}
runpy.run_path({script!r}, run_name="__main__")
import abalone_assets
for bundled in ("abalone_assets", "jinja2", "markupsafe", "threadpoolctl"):
    place = getattr(sys.modules.get(bundled), "__file__", {code!r})
    assert place.startswith({code!r}), place
"""
REFUSED = ("dagster", "polars", "narwhals", "obstore", "pydantic", "duckdb", "rich", "starlette")
PROJECT = Path(__file__).parents[3]


@pytest.fixture
def bundles(tmp_path: Path) -> CodeBundles:
    return CodeBundles(ObjectStore(tmp_path / "jobs"))


@pytest.fixture
def splits(tmp_path: Path) -> dict[str, Path]:
    folders = {}
    for name, frame in split_frames(300, 100, 50).items():
        folders[name] = tmp_path / "data" / name
        folders[name].mkdir(parents=True)
        (folders[name] / "data.parquet").write_bytes(to_parquet(frame))
    return folders


def run_in_container(
    code: Path, script: Path, arguments: list[str], environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    program = CONTAINER.format(
        refused=REFUSED, code=str(code), script=str(script), project=str(PROJECT)
    )
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, **(environ or {})},
        cwd=code.parent,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def train(bundles: CodeBundles, splits: dict[str, Path], folder: Path) -> Path:
    code = folder / "code"
    with tarfile.open(bundles.training("train")) as archive:
        archive.extractall(code, filter="data")
    environ = {
        "SM_MODEL_DIR": str(folder / "model"),
        "SM_OUTPUT_DATA_DIR": str(folder / "output"),
        "SM_CHANNEL_TRAIN": str(splits["train"]),
        "SM_CHANNEL_VALIDATION": str(splits["validation"]),
    }
    done = run_in_container(code, code / "train.py", ["--num_boost_round", "5"], environ)
    assert done.returncode == 0, done.stderr
    assert "validation:rmse=" in done.stdout
    return folder / "model"


def test_training_and_evaluation_run_with_what_the_containers_have(
    bundles: CodeBundles, splits: dict[str, Path], tmp_path: Path
) -> None:
    from abalone_assets.modeling.archive import pack

    model = train(bundles, splits, tmp_path)
    pack(model, tmp_path / "packed" / "model.tar.gz")
    app = Path(bundles.evaluation())
    arguments = ["--model-dir", str(tmp_path / "packed")]
    arguments += [part for name in splits for part in (f"--{name}-dir", str(splits[name]))]
    arguments += ["--output-dir", str(tmp_path / "evaluation"), "--champion-dir", "none"]
    done = run_in_container(app, app, arguments)
    assert done.returncode == 0, done.stderr
    evaluation = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())
    assert evaluation["rows"] == 50
    assert (tmp_path / "evaluation" / "report.html").exists()


def test_the_toolkit_can_install_a_training_bundle_without_network(
    bundles: CodeBundles, tmp_path: Path
) -> None:
    """It writes a ``setup.py`` beside the script and runs pip, which must not ask an index."""
    code, site = tmp_path / "code", tmp_path / "site"
    with tarfile.open(bundles.training("train")) as archive:
        archive.extractall(code, filter="data")
    (code / "setup.py").write_text("raise SystemExit('needs setuptools')")
    pip = [sys.executable, "-m", "pip", "--isolated", "install", "--no-index", "--no-cache-dir"]
    done = subprocess.run(
        [*pip, "--no-compile", "--target", str(site), "."],
        cwd=code,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in site.iterdir()] == ["abalone_assets_scripts-0.dist-info"]


def test_the_preparation_ships_everything_that_spark_lacks(bundles: CodeBundles) -> None:
    script, modules = map(Path, bundles.preparation())
    assert "abalone_assets.external.prepare" in script.read_text()
    with zipfile.ZipFile(modules) as archive:
        packages = {name.split("/")[0] for name in archive.namelist()}
    assert packages == {"abalone_assets", "dagster_pipes", "narwhals"}


def test_a_bundle_lies_where_its_content_says_and_is_written_once(bundles: CodeBundles) -> None:
    first, again = bundles.evaluation(), bundles.evaluation()
    assert first == again
    assert bundles.training("train") == bundles.training("train")
    assert bundles.training("train") != bundles.training("evaluate")
    written = Path(first).stat().st_mtime_ns
    bundles.evaluation()
    assert Path(first).stat().st_mtime_ns == written


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(CodeBundleError, match=r"no_such_package is not installed.*\[aws\]"):
        _folder("no_such_package")
