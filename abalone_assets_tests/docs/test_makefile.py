"""What `make dev` passes on, and how it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.docs.test_settings_page import DOCS

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """#!{python}
import signal, sys, time
signal.signal(signal.SIGINT, lambda *_: sys.exit({code}))
print(*sys.argv[1:], flush=True)
{then}
"""


def made(folder: Path, code: int, then: str) -> list[str]:
    """The command that makes `dev` with a program in place of `abalone`."""
    program = folder / "bin" / "abalone"
    program.parent.mkdir()
    program.write_text(PROGRAM.format(python=sys.executable, code=code, then=then))
    program.chmod(0o755)
    base = folder / ".base"
    base.touch()
    places = [f"VENV={folder}", f"BIN={folder / 'bin'}", "-o", str(base)]
    return ["make", "-C", str(DOCS.parent), "--no-print-directory", *places, "dev"]


def test_ctrl_c_ends_it_without_an_error_of_make(tmp_path: Path) -> None:
    command = made(tmp_path, 130, "time.sleep(60)")
    with subprocess.Popen(
        [*command, "PORT=3100", "ENDPOINT_PORT=8081"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "dev --port 3100 --endpoint-port 8081\n"
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        assert process.communicate(timeout=30)[0] == ""


@pytest.mark.parametrize("code", [1, 3])
def test_an_end_by_itself_is_an_error(tmp_path: Path, code: int) -> None:
    made_here = subprocess.run(
        made(tmp_path, 130, f"sys.exit({code})"), capture_output=True, text=True, check=False
    )
    assert made_here.returncode == 2
    assert made_here.stdout == "dev\n"
