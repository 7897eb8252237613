from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.support import programs
from abalone_assets_tests.support.programs import (
    PROGRAMS,
    describe_missing,
    find_postgres,
    has_compose,
)

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any program but those that a test puts there."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(programs, "POSTGRES", tmp_path / "postgresql")
    (tmp_path / "bin").mkdir()
    return tmp_path


def install(file: Path, exit_code: int = 0) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!{sys.executable}\nraise SystemExit({exit_code})\n")
    file.chmod(0o755)


def test_one_line_tells_what_is_missing_what_is_left_out_and_how_to_install_it(
    machine: Path,
) -> None:
    line = describe_missing()
    assert line is not None
    assert "\n" not in line
    for program in PROGRAMS:
        assert f"no {program.name}: {program.tests} left out" in line
    assert line.endswith("install --no-install-recommends chromium postgresql)")


def test_nothing_is_told_of_what_is_there(machine: Path) -> None:
    for program in ("chromium", "docker"):
        install(machine / "bin" / program)
    for version in ("9", "15"):
        install(machine / "postgresql" / version / "bin" / "initdb")
    assert describe_missing() is None
    assert find_postgres() == machine / "postgresql" / "15" / "bin"


def test_docker_may_lack_compose(machine: Path) -> None:
    install(machine / "bin" / "docker", exit_code=1)
    assert not has_compose()
