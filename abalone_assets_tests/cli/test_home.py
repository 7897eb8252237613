"""Commands find the home that is driven, or say how to; none of them makes another one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.cli.support import ANIMAL, GOOD_ROW, abalone, abalone_json

if TYPE_CHECKING:
    from pathlib import Path

NAME = "abalone.20250314061500"


@pytest.fixture
def project(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a home of the default name, and none that a variable names."""
    project = tmp_path / "project"
    (project / "surveys" / "2025").mkdir(parents=True)
    home.rename(project / ".abalone")
    monkeypatch.delenv("ABALONE_HOME")
    (tmp_path / NAME).write_text(GOOD_ROW)
    return project


def test_a_command_finds_the_home_of_a_folder_above(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project / "surveys" / "2025")
    abalone_json("land", tmp_path / NAME)
    assert (project / ".abalone" / "landing_zone" / NAME).exists()
    assert "ABALONE_HOME" not in os.environ
    assert not list(project.glob("surveys/**/.abalone"))


@pytest.mark.parametrize(
    "command",
    [
        ("land", NAME),
        ("forget", "2025-03-14"),
        ("accept", NAME, "--because", "x"),
        ("approve", "1", "--because", "x"),
        ("reject", "1", "--because", "x"),
        ("synthesize", "--rows", "10", "--land"),
        ("serve",),
        ("status",),
        ("status", NAME),
        ("versions",),
        ("diff", "1", "2"),
        ("reproduce", "1"),
        ("verify",),
        ("predict", *ANIMAL),
    ],
    ids=" ".join,
)
def test_without_one_it_says_how_to_find_it_and_makes_none(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    result = abalone(*command)
    assert result.exit_code == 1
    assert f"{tmp_path}: no home, a folder .abalone, is here or above" in result.stderr
    assert "`abalone dev`" in result.stderr
    assert not (tmp_path / ".abalone").exists()


def test_an_empty_variable_is_not_set(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_HOME", "")
    monkeypatch.chdir(project / "surveys")
    abalone_json("land", tmp_path / NAME)
    assert (project / ".abalone" / "landing_zone" / NAME).exists()
    assert os.environ["ABALONE_HOME"] == ""
    monkeypatch.chdir(tmp_path)
    assert f"{tmp_path}: no home, a folder .abalone" in abalone("status").stderr


def test_the_copy_of_a_home_that_is_lost_is_checked_without_one(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    abalone_json("land", tmp_path / NAME)
    copy = abalone_json("backup", tmp_path / "copies")["folder"]
    (project / ".abalone").rename(tmp_path / "lost")
    assert abalone_json("backup", "--check", copy)["altered"] == []
    assert f"{project}: no home" in abalone("backup", tmp_path / "copies").stderr


@pytest.mark.usefixtures("project")
def test_a_server_that_is_named_is_asked_without_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    url = "http://127.0.0.1:9"
    assert f"no server of endpoint abalone answers at {url}" in abalone(
        "predict", "--url", url, *ANIMAL
    ).stderr  # fmt: skip


def test_one_that_a_variable_names_must_be_there(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_HOME", str(tmp_path / "elsewhere"))
    result = abalone("land", tmp_path / NAME)
    assert result.exit_code == 1
    assert f"{tmp_path / 'elsewhere'}: there is no such home" in result.stderr
    assert not (tmp_path / "elsewhere").exists()


def test_who_names_all_places_needs_none(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("LAKE", "LANDING_ZONE", "REGISTRY"):
        monkeypatch.setenv(f"ABALONE_{name}_URI", str(project / ".abalone" / name.lower()))
    abalone_json("land", tmp_path / NAME)
    assert (project / ".abalone" / "landing_zone" / NAME).exists()
    assert not (tmp_path / ".abalone").exists()


def test_help_needs_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert abalone("land", "--help").exit_code == 0
