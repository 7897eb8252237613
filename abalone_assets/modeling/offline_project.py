"""Files that make a folder of Python code a project which pip installs without a package index.

SageMaker's XGBoost container installs user code by ``pip install .``: the training script's, and
at every start of an endpoint's instance the code of the model archive. For a folder without a
``setup.py`` its toolkit writes one, and for that pip fetches setuptools from the index: no index,
no start. A build backend of its own needs nothing from anywhere.
"""

from __future__ import annotations

from typing import Final

_PYPROJECT: Final = """\
[build-system]
requires = []
build-backend = "nothing_to_build"
backend-path = ["."]
"""
_BACKEND: Final = '''\
"""Builds an empty wheel: the scripts run from this folder, and nothing needs to be installed."""

import zipfile
from pathlib import Path

NAME, VERSION = "abalone_assets_scripts", "0"


def build_wheel(folder, config_settings=None, metadata_directory=None):
    info = f"{NAME}-{VERSION}.dist-info"
    files = {
        "METADATA": f"Metadata-Version: 2.1\\nName: {NAME}\\nVersion: {VERSION}\\n",
        "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        "RECORD": "".join(f"{info}/{name},,\\n" for name in ("METADATA", "WHEEL", "RECORD")),
    }
    wheel = f"{NAME}-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(Path(folder, wheel), "w") as archive:
        for name, text in files.items():
            archive.writestr(f"{info}/{name}", text)
    return wheel
'''

OFFLINE_PROJECT: Final = {
    "pyproject.toml": _PYPROJECT.encode(),
    "nothing_to_build.py": _BACKEND.encode(),
}
"""Names and contents; pip prefers them to a ``setup.py`` beside them."""
