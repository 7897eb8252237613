"""What people are told to type works as it stands, in their shell and folder."""

from __future__ import annotations

import shutil
import sys
from typing import TYPE_CHECKING

import pytest

from abalone_assets.cli.typed import Typed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An `abalone` in a virtual environment of the current folder, not on the path."""
    script = tmp_path / ".venv" / "bin" / "abalone"
    script.parent.mkdir(parents=True)
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [str(script), "demo"])
    monkeypatch.setenv("PATH", str(tmp_path / "elsewhere"))
    monkeypatch.delenv("MAKELEVEL", raising=False)
    return script


def test_a_script_that_the_shell_does_not_find_is_called_by_its_path(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / ".abalone"
    assert Typed.on(home).command("status") == ".venv/bin/abalone status"
    monkeypatch.setattr(sys, "argv", [".venv/bin/abalone", "demo"])
    assert Typed.on(home).command("status") == ".venv/bin/abalone status"
    monkeypatch.chdir(script.parent)
    monkeypatch.setattr(sys, "argv", [str(script), "demo"])
    home.mkdir()
    assert Typed.on(home).command("status") == "./abalone status"
    (tmp_path / "my work").mkdir()
    shutil.copy(script, tmp_path / "my work" / "abalone")
    monkeypatch.setattr(sys, "argv", [str(tmp_path / "my work" / "abalone")])
    assert Typed.on(home).command("status") == f"'{tmp_path}/my work/abalone' status"


def test_a_script_on_the_path_is_called_by_its_name(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(script.parent))
    assert Typed.on(tmp_path / ".abalone").command("status") == "abalone status"


def test_without_a_script_the_module_is_called(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["-c"])
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    expected = f"{tmp_path}/python -m abalone_assets.cli status"
    assert Typed.on(tmp_path / ".abalone").command("status") == expected


def test_a_home_that_commands_would_not_find_from_here_is_named(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".abalone").mkdir()
    (tmp_path / "below").mkdir()
    monkeypatch.chdir(tmp_path / "below")
    assert Typed.on(tmp_path / ".abalone").prefix == "", "found in the folder above"
    other = tmp_path / "other home"
    assert Typed.on(other).prefix == f"ABALONE_HOME='{other}' "


def test_who_was_called_by_make_is_told_make_dev(
    script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / ".abalone"
    monkeypatch.setenv("MAKELEVEL", "1")
    assert Typed.on(home).dev == ".venv/bin/abalone dev", "there is no Makefile here"
    (tmp_path / "Makefile").touch()
    assert Typed.on(home).dev == "make dev"
    assert Typed.on(tmp_path / "other").dev == f"ABALONE_HOME={tmp_path}/other make dev"
