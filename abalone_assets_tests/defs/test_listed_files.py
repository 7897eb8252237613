"""What checks list of files with a remark, of which there may be more than a table holds."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from abalone_assets.defs.ageing.checks import animals_files_are_readable
from abalone_assets.defs.ingestion.checks import files_are_plausible, files_are_surveys
from abalone_assets.defs.metadata import LISTED_FILES
from abalone_assets.lake.manifest import IngestedDay, IngestedFile, Manifest
from abalone_assets_tests.automation.support import table

if TYPE_CHECKING:
    import dagster as dg

FILES = [
    IngestedFile(f"animals.{year}0303120000", 1, "token", "sha")
    for year in range(2000, 2000 + LISTED_FILES + 2)
]
REFUSED = [replace(file, problem="no survey") for file in FILES]
NEWEST_FIRST = [file.name for file in FILES[:1:-1]]


def listed(result: dg.AssetCheckResult, what: str) -> list[object]:
    """The files in a table, of which the newest are listed; all are counted."""
    assert result.metadata[f"{what}_files"].value == len(FILES)
    return [row["file"] for row in table(result.metadata[what])]


def test_of_more_refused_or_noted_files_than_are_listed_the_newest_are() -> None:
    noted = [replace(file, notes=("cut short",)) for file in REFUSED]
    result = files_are_surveys(len(noted), noted)
    assert listed(result, "refused") == listed(result, "noted") == NEWEST_FIRST


def test_of_more_held_files_than_are_listed_the_newest_are() -> None:
    held = [replace(file, held="in kilograms") for file in FILES]
    assert listed(files_are_plausible(len(held), held), "held") == NEWEST_FIRST


def test_of_more_refused_files_of_animals_than_are_listed_the_newest_are() -> None:
    days = {f"{file.name[8:12]}-03-03": IngestedDay("digest", (file,)) for file in REFUSED}
    assert listed(animals_files_are_readable(Manifest(days=days)), "refused") == NEWEST_FIRST
