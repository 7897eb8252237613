"""The Makefile: who waits for pip is told what for, and options reach the commands."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

PROJECT = Path(__file__).parents[2]
QUIET = re.compile(r"(pip (install|download) --quiet|fakes\.toolkits$)")

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="there is no make here")


def commands(*arguments: str) -> Sequence[str]:
    """What make would run where nothing was made yet."""
    done = subprocess.run(
        ["make", "--dry-run", "--always-make", *arguments],
        cwd=PROJECT,
        env={name: value for name, value in os.environ.items() if not name.startswith("MAKE")},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.splitlines()


@pytest.mark.parametrize(("target", "steps"), [("demo", 1), ("test", 3), ("synth", 1), ("sbom", 2)])
def test_each_quiet_step_says_before_how_much_is_fetched(
    target: str, steps: int, tmp_path: Path
) -> None:
    lines = commands(target, f"VENV={tmp_path}/venv")
    quiet = [number for number, line in enumerate(lines) if QUIET.search(line)]
    assert len(quiet) == steps
    for number in quiet:
        told = [line for line in lines[max(0, number - 2) : number] if line.startswith("echo")]
        assert re.search(r"[0-9.]+ [GM]B.*; it takes", told[-1]), lines[number]
