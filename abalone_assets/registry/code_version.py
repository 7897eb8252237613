"""Which code this is: by the package's version, by Git's commit if that is known, by content."""

from __future__ import annotations

import hashlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import abalone_assets
from abalone_assets.settings.platform import load_settings

SHAPING: Final = (
    "__init__.py",
    "errors.py",
    "survey/*.py",
    "etl/*.py",
    "modeling/**/*.py",
    "external/*.py",
)
"""The modules, as patterns in the package, that make a model of the lake's rows."""

_GIT_SECONDS: Final = 10


@dataclass(frozen=True)
class CodeVersion:
    """The code that made something.

    Attributes:
        package: The package's version.
        sha256: Of the sources that make a model of rows: equal digests, equal code.
        commit: The Git commit that was checked out, here or where the image was built; None where
            nobody knows.
        dirty: Whether the package's files differed from it; None as above.
    """

    package: str
    sha256: str
    commit: str | None = None
    dirty: bool | None = None

    def __str__(self) -> str:
        commit = f", commit {self.commit[:10]}" if self.commit else ""
        return f"{self.package}{commit}{' with changes' if self.dirty else ''}"


def code_version() -> CodeVersion:
    """The code that is installed here.

    Raises:
        SettingsError: The environment is malformed.
    """
    package = Path(abalone_assets.__file__).parent
    digest = hashlib.sha256()
    for path in sorted({path for pattern in SHAPING for path in package.glob(pattern)}):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        digest.update(f"{path.relative_to(package).as_posix()} {content}\n".encode())
    version, sha256 = abalone_assets.__version__, digest.hexdigest()
    if _git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        # In nobody's repository, or in another project's: an image knows what it was built from.
        built_from, _, dirty = load_settings().code_commit.partition("-")
        return CodeVersion(version, sha256, built_from or None, bool(dirty) if built_from else None)
    commit = _git(package, "rev-parse", "HEAD")
    changes = _git(package, "status", "--porcelain", "--", ".")
    return CodeVersion(version, sha256, commit, None if changes is None else bool(changes))


def _git(folder: Path, *arguments: str) -> str | None:
    """What Git says; None when it refuses or is not there."""
    try:
        done = subprocess.run(  # noqa: S603 - our own arguments
            ["git", "-C", str(folder), *arguments],  # noqa: S607 - whichever Git is there
            capture_output=True,
            check=True,
            text=True,
            timeout=_GIT_SECONDS,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
