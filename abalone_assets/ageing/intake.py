"""Ingest days of animals without rings: what their files hold becomes the day's two tables.

Each file is copied to this machine, digested on the way, and parsed in blocks, so a day costs as
much memory as its largest block, however many animals it has.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import polars as pl

from abalone_assets.ageing.parsing import AnimalsFile
from abalone_assets.ageing.rows_file import (
    RowsFile,
    joined,
    on_this_machine,
    rows_of_file,
    write_beside,
)
from abalone_assets.errors import StorageError
from abalone_assets.etl.parquet_output import staged
from abalone_assets.ingest.frames import rows_written, schema_of
from abalone_assets.ingest.memory import ANIMALS_MEMORY_KEY, Memory, Patience, read_memory
from abalone_assets.lake.manifest import IngestedDay, IngestedFile, day_digest
from abalone_assets.lake.names import QUARANTINED_ANIMALS, UNAGED_ANIMALS
from abalone_assets.survey import ANIMALS, FEATURES, MAX_FILE_BYTES, UnreadableSurveyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from abalone_assets.ageing.blocks import Block
    from abalone_assets.ingest.landing_zone import LandedFile, LandingZone
    from abalone_assets.lake.animals import Animals
    from abalone_assets.lake.manifest import Manifest
    from abalone_assets.settings.platform import Settings
    from abalone_assets.survey import QuarantinedRow

UNAGED_SCHEMA: Final = schema_of(UNAGED_ANIMALS)
QUARANTINED_SCHEMA: Final = schema_of(QUARANTINED_ANIMALS)
_TABLES: Final = {UNAGED_ANIMALS: UNAGED_SCHEMA, QUARANTINED_ANIMALS: QUARANTINED_SCHEMA}


@dataclass(frozen=True)
class TakenInDay:
    """A day whose tables are written.

    Attributes:
        entry: What the manifest will say of it.
        records: How many records its files hold, counted before they were judged.
        written: Rows of each table, as counted in what was written.
    """

    entry: IngestedDay
    records: int
    written: dict[str, int]

    @property
    def is_conserved(self) -> bool:
        """Whether every record is in one of the tables."""
        counted = {UNAGED_ANIMALS: self.entry.rows, QUARANTINED_ANIMALS: self.entry.quarantined}
        return self.written == counted and self.records == sum(counted.values())


@dataclass(frozen=True)
class Intake:
    """Takes in the animals of a landing zone.

    Attributes:
        zone: Where they land.
        animals: The lake's records of them.
        manifest: What the lake held before.
        memory: What looks at the landing zone know of single files.
        patience: How long a file must rest.
    """

    zone: LandingZone
    animals: Animals
    manifest: Manifest
    memory: Memory
    patience: Patience

    @classmethod
    def of(cls, zone: LandingZone, animals: Animals, settings: Settings) -> Intake:
        """That of the lake as it is now.

        Raises:
            StorageError: The lake refuses.
        """
        memory = read_memory(animals.store, ANIMALS_MEMORY_KEY)
        return cls(zone, animals, animals.manifest(), memory, Patience(**settings.patience))

    def days(
        self, days: Sequence[str], before: Callable[[], object] = lambda: None
    ) -> Iterator[tuple[str, TakenInDay]]:
        """Write the tables of some days, in order and without gaps, one after the other.

        Args:
            days: ISO dates.
            before: Called when the landing zone was listed, before anything is written.

        Raises:
            StorageError: The landing zone cannot be listed, or the lake refuses.
        """
        first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
        landing = self.zone.scan(first, last, since=first, kind=ANIMALS)
        before()
        for day in days:
            yield day, self._take_in(day, landing.days.get(day, ()))

    def _take_in(self, day: str, files: Sequence[LandedFile]) -> TakenInDay:
        lake = self.animals.lake
        uris = {asset: lake.uri(asset, day) for asset in _TABLES}
        with TemporaryDirectory(prefix="abalone-animals-") as folder, staged(uris) as targets:
            parts = _Parts(Path(folder))
            known = self.manifest.last_files(day) if day in self.memory.missing else ()
            landed = {file.name for file in files}
            kept = [each for each in known if each.name not in landed]
            entries = [self._file(day, file, parts) for file in files]
            entries += [self._earlier(day, each, parts) for each in kept]
            found = [entry for entry in entries if entry is not None]
            for asset, schema in _TABLES.items():
                joined(parts.of(asset), targets[asset], schema, _note(found))
        written = {asset: rows_written(uri) for asset, uri in uris.items()}
        entry = IngestedDay(day_digest(found), tuple(found))
        return TakenInDay(entry, parts.records, written)

    def _file(self, day: str, file: LandedFile, parts: _Parts) -> IngestedFile | None:
        """The entry of a file whose rows were put into parts; None of one that is not taken in yet.

        One that is still being written, or cannot be read now, keeps what was read of it before.
        """
        known = self.manifest.last_files(day)
        before = next((each for each in known if each.name == file.name), None)
        if self._is_growing(file, before):
            return before and self._earlier(day, before, parts)
        if file.size > MAX_FILE_BYTES:
            problem = f"{file.size} bytes are more than the {MAX_FILE_BYTES} that it may have"
            return IngestedFile.left_unread(file.name, file.size, file.e_tag, problem)
        copy = parts.folder / "landed"
        try:
            sha256 = self.zone.download(file.name, copy)
        except StorageError as error:
            unread = IngestedFile.out_of_reach(file.name, file.size, str(error))
            kept = before and self._earlier(day, before, parts)
            return replace(kept, e_tag="", problem=unread.problem) if kept else unread
        entry = IngestedFile(file.name, copy.stat().st_size, file.e_tag, sha256)
        animals = AnimalsFile(copy, file.name)
        try:
            parts.write(entry, animals.blocks())
        except UnreadableSurveyError as error:
            return replace(entry, problem=error.reason)
        parts.records += animals.records
        return replace(
            entry, rows=animals.rows, quarantined=animals.quarantined, notes=animals.notes
        )

    def _is_growing(self, file: LandedFile, before: IngestedFile | None) -> bool:
        return file.name in self.memory.growing and not self.memory.is_at_rest(
            file, before.e_tag if before else None, self.patience
        )

    def _earlier(self, day: str, entry: IngestedFile, parts: _Parts) -> IngestedFile | None:
        """A file as the lake holds it, its rows put into parts; None when the lake lost them."""
        counted = {UNAGED_ANIMALS: entry.rows, QUARANTINED_ANIMALS: entry.quarantined}
        made: dict[str, Path] = {}
        for asset, rows in counted.items():
            stored = on_this_machine(
                self.animals.store, self.animals.lake.key(asset, day), parts.folder
            )
            with RowsFile(parts.new(), _TABLES[asset]) as part:
                if stored is not None:
                    for frame in rows_of_file(stored, _TABLES[asset], entry.name):
                        part.add(frame)
                part.finish(_note([entry]))
            if part.rows != rows:
                return None
            made[asset] = part.path
        parts.add(entry.name, made)
        parts.records += entry.rows + entry.quarantined
        return entry


class _Parts:
    """The tables of each file of a day, until they are joined.

    Attributes:
        folder: Holds them.
        records: Records in the files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records = 0
        self._made: dict[str, dict[str, Path]] = {}
        self._count = 0

    def new(self) -> Path:
        """Where another may be written."""
        self._count += 1
        return self.folder / f"{self._count}.parquet"

    def add(self, name: str, made: dict[str, Path]) -> None:
        """Take in the tables of a file."""
        self._made[name] = made

    def of(self, asset: str) -> list[Path]:
        """Those of a table, in the order of the files."""
        return [made[asset] for _, made in sorted(self._made.items())]

    def write(self, entry: IngestedFile, blocks: Iterable[Block]) -> None:
        """Write the tables of a file; it adds nothing when a block raises an error."""
        with ExitStack() as stack:
            files = {
                asset: stack.enter_context(RowsFile(self.new(), schema))
                for asset, schema in _TABLES.items()
            }

            def add(block: Block) -> None:
                files[UNAGED_ANIMALS].add(_unaged(block, entry.name))
                if block.bad:
                    files[QUARANTINED_ANIMALS].add(_quarantined(block.bad))

            write_beside(blocks, add)
            for file in files.values():
                file.finish(_note([entry]))
        self.add(entry.name, {asset: file.path for asset, file in files.items()})


def _note(files: Sequence[IngestedFile]) -> dict[str, dict[str, str]]:
    """What the tables of a day say of themselves: of which content of each file their rows are."""
    return {"files": {file.name: file.sha256 for file in files}}


def _unaged(block: Block, name: str) -> pl.DataFrame:
    measured = dict(zip(FEATURES, block.columns, strict=True))
    rows = pl.DataFrame({**measured, "line": block.lines}, strict=False)
    return rows.with_columns(pl.lit(name).alias("source_file")).select(
        pl.col(column).cast(kind) for column, kind in UNAGED_SCHEMA.items()
    )


def _quarantined(bad: Sequence[QuarantinedRow]) -> pl.DataFrame:
    rows = [(row.file, row.line, row.column, row.rule, row.message, row.raw) for row in bad]
    return pl.DataFrame(rows, schema=QUARANTINED_SCHEMA, orient="row")
