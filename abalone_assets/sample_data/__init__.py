"""Simulated surveys that ship with the package, for a first run without a network."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def base_survey() -> Path:
    """A simulated base survey: 4,177 valid rows, no header line."""
    return _folder() / "base_survey.csv"


def surveys() -> list[Path]:
    """Simulated survey files by time: six, two of one day, with bad rows and repeats in them."""
    return sorted((_folder() / "surveys").glob("abalone.*"))


def _folder() -> Path:
    return Path(str(files(__name__)))
