"""Peers, each in an environment of its own, made once from the requirements in its folder here.

``benchmarks/peers/NAME/requirements.txt`` pins what it needs; beside it lie the scripts that it
runs. Environments are kept in the user's cache, by name and digest of the requirements.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from filelock import FileLock

HERE: Final = Path(__file__).parent


class PeerUnavailableError(RuntimeError):
    """A peer cannot be installed here; the message says why."""


def names() -> list[str]:
    """The peers that have requirements."""
    return sorted(path.parent.name for path in HERE.glob("*/requirements.txt"))


def python_of(peer: str) -> Path:
    """The interpreter of a peer's environment, which is made when it is first asked for.

    Raises:
        PeerUnavailableError: It has no requirements, or they cannot be installed.
    """
    requirements = HERE / peer / "requirements.txt"
    if not requirements.is_file():
        raise PeerUnavailableError(f"no peer {peer!r}: there are {', '.join(names())}")
    wanted = requirements.read_bytes() + sys.version.encode()
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "abalone-benchmarks"
    folder = cache / f"{peer}-{hashlib.sha256(wanted).hexdigest()[:12]}"
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        if not (folder / "made").exists():
            _make(folder, requirements)
    return folder / "bin" / "python"


def _make(folder: Path, requirements: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python"]
    steps = [
        [sys.executable, "-m", "venv", "--without-pip", folder],
        [*pip, "install", "--quiet", "--disable-pip-version-check", "-r", requirements],
    ]
    for step in steps:
        done = subprocess.run(
            [str(part) for part in step], capture_output=True, text=True, check=False
        )
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines()
            raise PeerUnavailableError(f"cannot install {requirements}: {' '.join(said[-2:])}")
    (folder / "made").touch()
