"""What became of each file of a week, as the lake's tables have it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from abalone_assets.survey import COLUMNS
from abalone_assets_tests.support.fleet.kinds import Outcome
from abalone_assets_tests.support.fleet.week import DAYS, FleetWeek, Sent, iso_day

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import IngestedFile
    from abalone_assets_tests.support.fleet.week import Row


def merged_rows(lake: Lake) -> list[Row]:
    """What ``merged_dataset`` holds."""
    rows = pl.read_parquet(lake.uri("merged_dataset")).select(each.name for each in COLUMNS).rows()
    return [(sex, *(round(float(value), 4) for value in values)) for sex, *values in rows]


def lose_day(lake: Lake, day: int) -> None:
    """Delete a day's folder from the lake by hand."""
    assert lake.store.root is not None
    shutil.rmtree((lake.store.root / lake.key("new_surveys", iso_day(day))).parent)


@dataclass(frozen=True)
class Accounted:
    """What became of one file's records.

    Attributes:
        sent: The file.
        entry: What the manifest says of it.
        rows: Its rows in ``new_surveys``.
        quarantined: Its rows in ``quarantined_rows``.
    """

    sent: Sent
    entry: IngestedFile
    rows: int
    quarantined: int

    @property
    def held(self) -> int:
        return self.entry.held_rows

    @property
    def refused(self) -> int:
        """All records of a file that is no survey, else none."""
        return self.sent.records if self.entry.problem else 0

    @property
    def outcome(self) -> Outcome:
        if self.entry.problem:
            return "refused"
        return "held" if self.entry.held else "read"

    @property
    def told(self) -> str:
        """What is said of it."""
        return self.entry.problem or self.entry.held or "; ".join(self.entry.notes)

    @property
    def is_conserved(self) -> bool:
        """Whether each record is in one place, and the manifest says the same."""
        listed = (self.entry.rows, self.entry.quarantined)
        placed = self.rows + self.quarantined + self.held + self.refused
        return placed == self.sent.records and listed == (self.rows, self.quarantined)


def account(week: FleetWeek, lake: Lake) -> list[Accounted]:
    """What became of every file that was sent, as the lake's tables have it."""
    entries = {file.name: file for day in lake.manifest().days.values() for file in day.files}
    rows, quarantined = (
        _rows_by_file(lake, asset) for asset in ("new_surveys", "quarantined_rows")
    )
    return [
        Accounted(sent, entries[sent.name], rows.get(sent.name, 0), quarantined.get(sent.name, 0))
        for sent in week.sent
        if sent.name in entries
    ]


def _rows_by_file(lake: Lake, asset: str) -> dict[str, int]:
    counted: dict[str, int] = {}
    for day in range(1, DAYS + 1):
        path = Path(lake.uri(asset, iso_day(day)))
        if path.exists():
            found_rows = pl.read_parquet(path, hive_partitioning=False)
            counted.update(found_rows.group_by("source_file").len().iter_rows())
    return counted
