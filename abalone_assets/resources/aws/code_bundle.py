"""The code that runs in AWS's containers: packed from the installed package, kept in S3 by content.

A run ships the code that it was built with, so control plane and containers cannot differ, and a
bundle that is there already is not uploaded again. Nothing is fetched from a package index: a
bundle holds our own modules and the pure Python packages that the container lacks.
"""

from __future__ import annotations

import hashlib
import io
import tempfile
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import abalone_assets
from abalone_assets.errors import AbaloneError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from abalone_assets.storage.object_store import ObjectStore

MODELING: Final = (
    "__init__.py",
    "errors.py",
    "survey/*.py",
    "modeling/**/*.py",
    "modeling/**/*.jinja",
    "external/*.py",
)
"""What training and evaluation import, as patterns in the package."""

PREPARATION: Final = (
    "__init__.py",
    "errors.py",
    "survey/*.py",
    "etl/*.py",
    "external/__init__.py",
    "external/entry.py",
    "external/prepare.py",
    "external/reporting.py",
)
"""What the preparation on Spark imports."""

_ZIP_TIME: Final = (1980, 1, 1, 0, 0, 0)
_SCRIPT: Final = '''\
"""Runs in the container: everything is in the package beside this file."""

import runpy

if __name__ == "__main__":
    runpy.run_module("abalone_assets.external.{module}", run_name="__main__", alter_sys=True)
'''


class CodeBundleError(AbaloneError):
    """A package that belongs into a bundle is not installed."""


@dataclass(frozen=True)
class CodeBundles:
    """Makes bundles and keeps them below ``code/`` of a store."""

    store: ObjectStore

    def training(self, script: str) -> str:
        """URI of a ``sourcedir.tar.gz`` whose ``<script>.py`` trains in script mode.

        It is a project that pip installs without network, though nothing needs to be installed.
        """
        from abalone_assets.modeling.archive import pack
        from abalone_assets.modeling.offline_project import OFFLINE_PROJECT

        with tempfile.TemporaryDirectory(prefix="bundle-") as folder:
            root = Path(folder) / "source"
            members = _members(
                MODELING, ("dagster_pipes", "threadpoolctl"), {f"{script}.py": script}
            )
            for name, data in (*members, *OFFLINE_PROJECT.items()):
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
            archive = Path(folder) / "sourcedir.tar.gz"
            pack(root, archive)
            return self._kept("sourcedir.tar.gz", archive.read_bytes())

    def evaluation(self) -> str:
        """URI of a zip application (https://docs.python.org/3/library/zipapp.html)."""
        packages = ("dagster_pipes", "jinja2", "markupsafe", "threadpoolctl")
        members = _members(MODELING, packages, {"__main__.py": "evaluate"})
        return self._kept("evaluate.pyz", _zipped(members))

    def preparation(self) -> tuple[str, str]:
        """URIs of the Glue script, and of the zip for its ``--extra-py-files``."""
        members = _members(PREPARATION, ("dagster_pipes", "narwhals"), {})
        script = _SCRIPT.format(module="prepare").encode()
        return self._kept("prepare.py", script), self._kept("prepare.zip", _zipped(members))

    def _kept(self, name: str, data: bytes) -> str:
        key = f"code/{hashlib.sha256(data).hexdigest()[:16]}/{name}"
        if self.store.find(key) is None:
            self.store.write(key, data)
        return self.store.uri_of(key)


def _members(
    patterns: tuple[str, ...], packages: tuple[str, ...], scripts: Mapping[str, str]
) -> Iterator[tuple[str, bytes]]:
    """Name and content of each file of a bundle, in an order that does not change."""
    ours = Path(abalone_assets.__file__).parent
    files = {ours: sorted({file for pattern in patterns for file in ours.glob(pattern)})}
    for package in packages:
        folder = _folder(package)
        is_module = folder.name != package  # of a single file, beside other packages
        files[folder / package if is_module else folder] = (
            [folder / f"{package}.py"] if is_module else sorted(folder.rglob("*.py"))
        )
    for root, modules in files.items():
        for module in modules:
            yield module.relative_to(root.parent).as_posix(), module.read_bytes()
    for name, script in scripts.items():
        yield name, _SCRIPT.format(module=script).encode()


def _folder(package: str) -> Path:
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise CodeBundleError(f"{package} is not installed: pip install 'abalone-assets[aws]'")
    return Path(spec.origin).parent


def _zipped(members: Iterator[tuple[str, bytes]]) -> bytes:
    """A zip file whose bytes depend on names and contents only."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            member = zipfile.ZipInfo(name, _ZIP_TIME)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, data)
    return packed.getvalue()
