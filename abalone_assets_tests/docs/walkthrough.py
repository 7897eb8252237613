"""A page whose diffs and commands are done, word for word, in a copy of the project."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

from abalone_assets.sample_data import base_survey, surveys
from abalone_assets_tests.etl.support import Prepared, frame_of

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT: Final = Path(__file__).parents[2]
BLOCK: Final = re.compile(r"(?ms)^```(?P<kind>console|diff)\n(?P<text>.*?)^```$")
NUMBER: Final = re.compile(r"-?\d+\.\d+")
COPIED: Final = ("abalone_assets", "abalone_assets_tests", "docs", "deploy")


def steps(page: str) -> Iterator[tuple[str, list[str]]]:
    """Each diff and each command of a page, as Bash, with the lines that it should print."""
    for block in BLOCK.finditer((PROJECT / "docs" / page).read_text(encoding="utf-8")):
        if block["kind"] == "diff":
            yield f"git apply <<'EOF'\n{block['text']}EOF", []
            continue
        for command in re.split(r"(?m)^\$ ", block["text"])[1:]:
            lines = command.splitlines()
            end = next(number for number, line in enumerate(lines) if not line.endswith("\\")) + 1
            yield "\n".join(lines[:end]), lines[end:]


def says(output: str, expected: str) -> bool:
    """Whether a line is in the output, its numbers about as large."""
    text, numbers = _parted(expected)
    about: Any = pytest.approx(numbers, rel=0.02, abs=0.002)
    return any(_parted(line) == (text, about) for line in output.splitlines())


def _parted(line: str) -> tuple[str, list[float]]:
    return NUMBER.sub("#", line).strip(" ,"), [float(number) for number in NUMBER.findall(line)]


def copied_project(folder: Path) -> Path:
    """The project with its environment, and the lake as `make demo` leaves it without a network."""
    for name in COPIED:
        ignored = shutil.ignore_patterns("__pycache__", "cdk.out")
        shutil.copytree(PROJECT / name, folder / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(PROJECT / name, folder)
    (folder / ".venv").symlink_to(sys.prefix)
    frames = [frame_of(file.read_bytes(), file.name) for file in [base_survey(), *surveys()]]
    Prepared(folder / ".abalone/lake", *frames)
    return folder


def bash(copy: Path, script: str) -> str:
    """What a script prints in the copy.

    Raises:
        AssertionError: It fails.
    """
    done = subprocess.run(
        ["bash", "-c", f"set -e\n{script}"],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def walk(page: str, copy: Path) -> None:
    """Do what a page tells, and compare what is printed with what stands there."""
    commands, expected = zip(*steps(page), strict=True)
    printed = bash(copy, "\necho '--- next ---'\n".join(["true", *commands]))
    outputs = printed.split("--- next ---\n")[1:]
    missed = [
        f"{line!r} is not in\n{output}"
        for output, lines in zip(outputs, expected, strict=True)
        for line in lines
        if not says(output, line)
    ]
    assert not missed, "\n".join(missed)


def contents(copy: Path) -> dict[str, bytes]:
    """Every file of the copied folders, by its path."""
    return {
        path.relative_to(copy).as_posix(): path.read_bytes()
        for name in COPIED
        for path in (copy / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def changed_files(copy: Path, before: dict[str, bytes]) -> set[str]:
    """The files that are not as they were, or are new."""
    return {name for name, data in contents(copy).items() if before.get(name) != data}
