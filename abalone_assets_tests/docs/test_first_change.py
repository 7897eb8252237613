"""docs/first-change.md is done, word for word, in a copy of the project."""

from __future__ import annotations

import json
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

pytestmark = pytest.mark.service

PROJECT: Final = Path(__file__).parents[2]
BLOCK: Final = re.compile(r"(?ms)^```(?P<kind>console|diff)\n(?P<text>.*?)^```$")
NUMBER: Final = re.compile(r"-?\d+\.\d+")


def steps() -> Iterator[tuple[str, list[str]]]:
    """Each diff and each command of the page, as Bash, with the lines that it should print."""
    page = (PROJECT / "docs/first-change.md").read_text(encoding="utf-8")
    for block in BLOCK.finditer(page):
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


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The project with its environment, and the lake as `make demo` leaves it without a network."""
    for name in ("abalone_assets", "abalone_assets_tests"):
        shutil.copytree(PROJECT / name, tmp_path / name)
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    (tmp_path / ".venv").symlink_to(sys.prefix)
    frames = [frame_of(file.read_bytes(), file.name) for file in [base_survey(), *surveys()]]
    Prepared(tmp_path / ".abalone/lake", *frames)
    return tmp_path


def test_the_first_change_goes_as_the_page_tells(copy: Path) -> None:
    commands, expected = zip(*steps(), strict=True)
    script = "\necho '--- next ---'\n".join(["set -e", *commands])
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=copy,
        env={**os.environ, "PYTHONPATH": str(copy)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    outputs = done.stdout.split("--- next ---\n")[1:]
    for output, lines in zip(outputs, expected, strict=True):
        assert [line for line in lines if not says(output, line)] == [], output
    evaluation = json.loads((copy / "test-output/report/evaluation.json").read_text())
    assert next(iter(evaluation["feature_importance"])) == "log_shell_per_length"
