"""SageMaker's toolkits, really installed, in an environment that the product never sees.

``python -m abalone_assets_tests.fakes.toolkits`` makes it, or leaves it alone when it is there:
``make test`` does so first. It stands for the image ``sagemaker-xgboost:3.2-0``: see
``toolkits.txt``. Packages are taken from the package index then, and never later.
"""

from __future__ import annotations

import hashlib
import inspect
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from filelock import FileLock

if TYPE_CHECKING:
    from collections.abc import Mapping

REQUIREMENTS: Final = Path(__file__).with_name("toolkits.txt")
PROGRAM: Final = Path(__file__).with_name("image") / "xgboost_image.py"
_PIP: Final = ("-m", "pip", "--quiet", "--disable-pip-version-check")


@dataclass(frozen=True)
class Toolkits:
    """The environment.

    Attributes:
        folder: Where it is.
    """

    folder: Path

    @property
    def python(self) -> str:
        return str(self.folder / "bin" / "python")

    @property
    def wheels(self) -> Path:
        """Holds what pip fetches to build a project of old: all of an index that tests need."""
        return self.folder / "wheels"

    def environment(self, opt_ml: Path, given: Mapping[str, str]) -> dict[str, str]:
        """The variables of a container, which has no package index unless it is given one.

        What pip installs in it goes to a folder of the container's own.

        Args:
            opt_ml: What the container has as ``/opt/ml``.
            given: By whoever starts the container; mentions of ``/opt/ml`` are moved already.
        """
        installed = opt_ml / "installed"
        packages = (
            installed / f"lib/python{sys.version_info[0]}.{sys.version_info[1]}/site-packages"
        )
        path = [each for each in (given.get("PYTHONPATH"), str(packages)) if each]
        own = {
            "HOME": str(opt_ml),
            "PATH": f"{self.folder / 'bin'}:/usr/bin:/bin",
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_INDEX": "1",
            "PIP_PREFIX": str(installed),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "SAGEMAKER_BASE_DIR": str(opt_ml),
        }
        return {**own, **given, "PYTHONPATH": ":".join(path)}


@cache
def toolkits() -> Toolkits:
    """The environment, made when it is missing or other versions are asked for."""
    named = os.environ.get("ABALONE_TEST_TOOLKITS")
    folder = Path(named) if named else Path(sys.prefix) / "share" / "toolkits"
    made, digest = folder / "made", _digest()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_name(f"{folder.name}.lock")):
        if not made.exists() or made.read_text() != digest:
            shutil.rmtree(folder, ignore_errors=True)
            _make(Toolkits(folder))
            made.write_text(digest)
    return Toolkits(folder)


def in_xgboost_image(uri: str) -> bool:
    """Whether an image is the one that the toolkits stand for."""
    return "/sagemaker-xgboost:" in uri


def _digest() -> str:
    """Changes when the environment must be made anew."""
    parts = (REQUIREMENTS.read_text(), inspect.getsource(_make), sys.version)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _make(made: Toolkits) -> None:
    def run(*command: str) -> None:
        # The toolkits are source distributions: they are built with the setuptools of the list.
        environment = {**os.environ, "PIP_CONSTRAINT": str(REQUIREMENTS)}
        subprocess.run([*command], env=environment, check=True)

    run(sys.executable, "-m", "venv", str(made.folder))
    run(made.python, *_PIP, "install", "--no-deps", "-r", str(REQUIREMENTS))
    (setuptools,) = re.findall(r"^setuptools==.*$", REQUIREMENTS.read_text(), re.MULTILINE)
    run(made.python, *_PIP, "download", "--no-deps", "-d", str(made.wheels), setuptools)
    # As the image's Dockerfile does: Python 3.10 moved the class.
    (mapping,) = made.folder.glob("lib/*/site-packages/sagemaker_containers/_mapping.py")
    text = mapping.read_text().replace("collections.Mapping", "collections.abc.Mapping")
    mapping.write_text(text.replace("import collections\n", "import collections.abc\n", 1))


if __name__ == "__main__":
    toolkits()
