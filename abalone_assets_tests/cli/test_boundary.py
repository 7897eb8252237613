"""How every command starts and fails."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from abalone_assets import __version__
from abalone_assets.cli import main
from abalone_assets.cli.output import ErrorBoundary
from abalone_assets.errors import AbaloneError
from abalone_assets_tests.cli.support import abalone, environment

COMMANDS = [
    "accept",
    "approve",
    "backup",
    "demo",
    "dev",
    "diff",
    "doctor",
    "forget",
    "gc",
    "land",
    "mlflow",
    "notify",
    "predict",
    "reject",
    "release",
    "reproduce",
    "restore",
    "rollback",
    "serve",
    "status",
    "synthesize",
    "verify",
    "versions",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_has_an_example(command: str) -> None:
    result = abalone(command, "--help")
    assert result.exit_code == 0
    assert re.search(rf"Examples?:\n  +(head .* \| )?abalone {command}", result.output)


def test_every_command_is_listed() -> None:
    assert sorted(main.commands) == COMMANDS


def test_the_version_is_that_of_the_package() -> None:
    assert abalone("--version").output == f"abalone, version {__version__}\n"


def test_an_error_is_one_line_on_stderr_without_a_trace(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_ENDPOINT_PROT", "1")
    result = abalone("status")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("Error: ABALONE_ENDPOINT_PROT: no such setting")
    assert result.stderr.count("\n") == 1


def test_a_wrong_call_exits_with_two(home: Path) -> None:
    assert abalone("predict").exit_code == 2
    assert abalone("land").exit_code == 2
    assert abalone("status", "--jsn").exit_code == 2


@pytest.mark.parametrize(
    ("error", "exit_code", "message"),
    [
        (AbaloneError("two\nlines"), 1, "Error: two lines\n"),
        (
            OSError(28, "No space left on device", "a.csv"),
            1,
            "Error: [Errno 28] No space left on device: 'a.csv'\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_the_boundary_maps_errors_to_exit_codes(
    error: BaseException, exit_code: int, message: str
) -> None:
    @click.group(cls=ErrorBoundary)
    def group() -> None: ...

    @group.command()
    def fail() -> None:
        raise error

    result = CliRunner().invoke(group, ["fail"])
    assert (result.exit_code, result.output) == (exit_code, message)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["status"],
        ["land", "--help"],
        ["predict", *"M1234567"],
        ["synthesize", "--date", "2025-09-01", "--rows", "30", "--land"],
    ],
)
def test_quick_commands_import_no_dagster(home: Path, arguments: list[str]) -> None:
    program = (
        "import atexit, sys\n"
        "slow = {'dagster', 'torch', 'ctgan'}\n"
        "slow |= {'numpy', 'pandas', 'polars'} if sys.argv[1] != 'synthesize' else set()\n"
        "atexit.register(lambda: print(slow & set(sys.modules)))\n"
        "from abalone_assets.cli import main\n"
        "main(sys.argv[1:])\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.splitlines()[-1] == "set()", result.stderr


FULL = Path("/dev/full")


@pytest.mark.skipif(not FULL.exists(), reason="a device of Linux")
@pytest.mark.parametrize("arguments", [["status"], ["status", "--json"], ["versions", "--help"]])
def test_a_full_disk_behind_stdout_is_one_line(home: Path, arguments: list[str]) -> None:
    with FULL.open("w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "abalone_assets.cli", *arguments],
            env=environment(home),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert result.stderr == "Error: [Errno 28] No space left on device\n"
    assert result.returncode == 1


@pytest.mark.service
def test_ctrl_c_ends_a_command_quietly_with_130(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys\n"
        "from abalone_assets.serving import server\n"
        "def serve(*_, **__): os.kill(os.getpid(), signal.SIGINT)\n"
        "server.serve = serve\n"
        "from abalone_assets.cli import main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # not so in the background
        "main(['serve'])\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout, result.stderr) == (128 + signal.SIGINT, "", "")
