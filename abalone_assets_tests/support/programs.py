"""System programs that some tests need, and one line about those that this machine lacks.

``python -m abalone_assets_tests.support.programs`` prints the line, or nothing.
"""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

POSTGRES: Final = Path("/usr/lib/postgresql")
"""Where Debian and Ubuntu put the versions of PostgreSQL."""


@dataclass(frozen=True)
class Program:
    """A program from outside Python.

    Attributes:
        name: What people call it.
        package: Debian's package that installs it; empty where there is none.
        tests: What is left out without it.
        is_there: Whether this machine has it.
    """

    name: str
    package: str
    tests: str
    is_there: Callable[[], bool]


def find_chromium() -> str | None:
    """Path of the browser."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def find_postgres() -> Path | None:
    """The folder of the newest PostgreSQL server's programs."""
    found = POSTGRES.glob("*/bin/initdb")
    folders = sorted((path.parent for path in found), key=lambda bin_: float(bin_.parent.name))
    return folders[-1] if folders else None


def has_compose() -> bool:
    """Whether docker knows the command ``compose``."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    asked = subprocess.run([docker, "compose", "version"], capture_output=True, check=False)
    return asked.returncode == 0


PROGRAMS: Final = (
    Program(
        "chromium",
        "chromium",
        "stories/dev/test_browser.py and services/pages",
        lambda: find_chromium() is not None,
    ),
    Program(
        "PostgreSQL's initdb",
        "postgresql",
        "services/production/test_services.py and test_storage.py",
        lambda: find_postgres() is not None,
    ),
    Program(
        "docker compose",
        "",
        "deploy: test_compose_itself_accepts_the_file",
        has_compose,
    ),
)


def describe_missing(programs: Iterable[Program] = PROGRAMS) -> str | None:
    """What this machine lacks, what is left out without it and how to install it: one line."""
    missing = [program for program in programs if not program.is_there()]
    if not missing:
        return None
    left_out = "; ".join(f"no {program.name}: {program.tests} left out" for program in missing)
    packages = " ".join(program.package for program in missing if program.package)
    install = f" (sudo apt-get install --no-install-recommends {packages})" if packages else ""
    return left_out + install


if __name__ == "__main__":
    if line := describe_missing():
        print(line)  # noqa: T201 - what it is for
