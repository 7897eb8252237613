"""Write the ages of days: an object in the lake, and a CSV in the landing zone for each file.

The footer of a day's object says of which content each file's ages are, and by which model. So a
file is aged once: another model does not age it again, unless that is asked for. The CSVs are
written first, then the object, then the record that the day was aged: a run that is killed in
between leaves a day that is due.

What is aged is one object of the day's animals, whatever is written there meanwhile. A day that is
of another content once its ages are known is left as it is, and due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.ageing.ages import AGED_SCHEMA, AnimalBlock, Counted, aged_rows
from abalone_assets.ageing.intake import UNAGED_SCHEMA
from abalone_assets.ageing.rows_file import (
    RowsFile,
    batches,
    note_of,
    on_this_machine,
    rows_of_file,
    write_beside,
)
from abalone_assets.errors import AbaloneError, StorageError
from abalone_assets.etl.parquet_output import staged
from abalone_assets.lake.animals import AgedDay
from abalone_assets.lake.names import AGED_ANIMALS, UNAGED_ANIMALS
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

    from abalone_assets.ageing.doubts import Doubter
    from abalone_assets.ingest.landing_zone import LandingZone
    from abalone_assets.lake.animals import Animals
    from abalone_assets.lake.manifest import DaySummary, IngestedFile
    from abalone_assets.modeling.inference import Predictions

OUTPUT_COLUMNS: Final = (
    "line",
    *(name for name in AGED_SCHEMA if name not in {"line", "source_file"}),
)
"""Of a CSV of ages."""

_REMEDY: Final = f"materialize {UNAGED_ANIMALS} of this day again"

Score = Callable[[Callable[[], Iterator[AnimalBlock]]], "Iterator[tuple[AnimalBlock, Predictions]]"]
"""Asks a model about blocks, which it may go through more than once; in their order."""


@dataclass(frozen=True)
class AgedFile:
    """The ages of one file: of which content, and by which model."""

    sha256: str
    version: int


@dataclass(frozen=True)
class _Note:
    """What the footer of aged rows says of them."""

    files: dict[str, AgedFile] = field(default_factory=dict)


@dataclass(frozen=True)
class _UnagedNote:
    """What the footer of a day's animals says of them: the SHA-256 of each file's content."""

    files: dict[str, str] = field(default_factory=dict)


class _TakenInAgainError(AbaloneError):
    """A day is of another content than it was when its ageing began."""


@dataclass(frozen=True)
class DayToAge:
    """What is done about one day.

    Attributes:
        day: An ISO date.
        digest: Of its content, as the manifest has it.
        files: Its files with animals, in order, as the manifest has them.
        kept: Those whose ages stay as they are.
        gone: Files whose ages the lake has, and which have no animals any more.
        aged: The day's ages of before, on this machine.
        animals: The day's animals, on this machine; None when none of them is to be aged.
    """

    day: str
    digest: str
    files: Sequence[IngestedFile]
    kept: Mapping[str, AgedFile]
    gone: frozenset[str] = frozenset()
    aged: Path | None = None
    animals: Path | None = None

    @property
    def wanted(self) -> frozenset[str]:
        """The files whose animals are to be aged."""
        return frozenset(file.name for file in self.files) - self.kept.keys()


@dataclass(frozen=True)
class Ageing:
    """Ages animals of the lake by one model.

    Attributes:
        animals: The lake's records of them.
        zone: Where the CSVs go.
        version: The model's.
        doubter: Knows when to doubt it.
        folder: For what is read from S3 meanwhile.
    """

    animals: Animals
    zone: LandingZone
    version: int
    doubter: Doubter
    folder: Path

    def plan(self, days: Sequence[str], *, again: bool) -> list[DayToAge]:
        """What is to be done about some days, those aside that are being written.

        Args:
            days: ISO dates, in order.
            again: Whether to age what was aged before, too.

        Raises:
            StorageError: The lake refuses, or holds animals of another content than the manifest
                lists.
        """
        manifest = self.animals.manifest()
        summaries = {day: manifest.summaries.get(day) for day in days}
        return [
            self._plan(day, summary, manifest.days[day].files, again=again)
            for day, summary in summaries.items()
            if summary is not None and not summary.being_written
        ]

    def _plan(
        self, day: str, summary: DaySummary, files: Sequence[IngestedFile], *, again: bool
    ) -> DayToAge:
        key = self.animals.lake.key(AGED_ANIMALS, day)
        aged = on_this_machine(self.animals.store, key, self.folder)
        before = _noted(aged)
        with_rows = sorted((file for file in files if file.rows), key=lambda file: file.name)
        kept = {
            file.name: before[file.name]
            for file in with_rows
            if not again and file.name in before and before[file.name].sha256 == file.sha256
        }
        gone = frozenset(before) - {file.name for file in with_rows}
        plan = DayToAge(day, summary.content, with_rows, kept, gone, aged)
        return replace(plan, animals=self._animals_of(plan)) if plan.wanted else plan

    def _animals_of(self, plan: DayToAge) -> Path:
        key = self.animals.lake.key(UNAGED_ANIMALS, plan.day)
        place = self.animals.store.uri_of(key)
        path = on_this_machine(self.animals.store, key, self.folder)
        if path is None:
            raise StorageError(f"{place}: no such object; {_REMEDY}")
        note = note_of(path)
        if note is not None:  # objects of earlier releases have none
            taken_in = record_of(_UnagedNote, note, place, remedy=_REMEDY).files
            for file in plan.files:
                if file.name in plan.wanted and taken_in.get(file.name) != file.sha256:
                    raise StorageError(
                        f"{place}: its animals of {file.name} are of another content than the "
                        f"manifest lists; {_REMEDY}"
                    )
        return path

    def blocks(self, plan: Sequence[DayToAge]) -> Iterator[AnimalBlock]:
        """The animals whose ages are to be told, day by day and file by file.

        Raises:
            StorageError: A day's rows cannot be read.
        """
        for each in plan:
            if each.animals is None:
                continue
            for batch in batches(each.animals, UNAGED_SCHEMA):
                for frame in _by_file(batch):
                    if frame["source_file"][0] in each.wanted:
                        yield AnimalBlock(each.day, frame)

    def age(self, plan: Sequence[DayToAge], score: Score) -> Iterator[tuple[str, Counted]]:
        """Write the ages of each day, and what was counted of them.

        A day that was taken in again meanwhile is left out, and stays due.

        Raises:
            StorageError: The lake or the landing zone refuses, or a file's animals are not those
                that the manifest lists.
        """
        scored: Iterator[tuple[AnimalBlock, Predictions]] = iter(())
        if any(each.wanted for each in plan):
            scored = score(lambda: self.blocks(plan))
        groups = groupby(scored, lambda pair: (pair[0].day, pair[0].file))
        for each in plan:
            try:
                counted = self._write(each, _ByFile(groups))
            except _TakenInAgainError:
                continue
            self.animals.record_aged(
                {
                    each.day: AgedDay(
                        each.digest, counted.rows, counted.doubtful, tuple(sorted(counted.versions))
                    )
                }
            )
            yield each.day, counted

    def _write(self, plan: DayToAge, scored: _ByFile) -> Counted:
        counted = Counted()
        uris = {plan.day: self.animals.lake.uri(AGED_ANIMALS, plan.day)}
        noted = {
            file.name: plan.kept.get(file.name, AgedFile(file.sha256, self.version))
            for file in plan.files
        }
        csvs: dict[str, Path] = {}
        with staged(uris) as targets, RowsFile(targets[plan.day], AGED_SCHEMA) as aged:
            for file in plan.files:
                is_kept = file.name in plan.kept
                rows = (
                    self._kept(plan, file)
                    if is_kept
                    else self._told(scored.of(plan.day, file.name))
                )
                if not (is_kept and self.zone.has_aged(file.name)):
                    csvs[file.name] = self.folder / f"{file.name}.csv"
                before = counted.rows
                _write_file(rows, aged, counted, csvs.get(file.name))
                if counted.rows - before != file.rows:
                    raise StorageError(
                        f"{file.name}: {counted.rows - before} of {file.rows} animals have an age; "
                        f"materialize {UNAGED_ANIMALS} of {plan.day} again"
                    )
            aged.finish({"files": {name: vars(each) for name, each in noted.items()}})
            self._check_is_as_planned(plan)
            for name, path in csvs.items():
                self.zone.write_aged(name, path)
                path.unlink()
            for name in plan.gone:
                self.zone.remove_aged(name)
        return counted

    def _check_is_as_planned(self, plan: DayToAge) -> None:
        """Ages of a content that is no more must not take the place of those of the present one."""
        summary = self.animals.manifest().summaries.get(plan.day)
        if summary is None or summary.content != plan.digest:  # which a revoked day has not
            raise _TakenInAgainError(f"{plan.day} was taken in again while it was aged")

    def _kept(self, plan: DayToAge, file: IngestedFile) -> Iterator[pl.DataFrame]:
        assert plan.aged is not None  # noqa: S101 - its footer said that they are kept
        return rows_of_file(plan.aged, AGED_SCHEMA, file.name)

    def _told(self, scored: Iterator[tuple[AnimalBlock, Predictions]]) -> Iterator[pl.DataFrame]:
        for block, predictions in scored:
            yield aged_rows(block, predictions, self.version, self.doubter)


def _by_file(rows: pl.DataFrame) -> list[pl.DataFrame]:
    """The rows of each landed file, which lie beside each other; mostly all are of one."""
    names = rows["source_file"]
    if (names == names[0]).all():
        return [rows]
    return rows.partition_by("source_file", maintain_order=True)


def _write_file(
    rows: Iterable[pl.DataFrame], aged: RowsFile, counted: Counted, csv: Path | None
) -> None:
    """Add a file's ages to the day's, and write them to a CSV if one is wanted."""
    with ExitStack() as stack:
        file = None if csv is None else stack.enter_context(csv.open("wb"))

        def write(frame: pl.DataFrame) -> None:
            aged.add(frame)
            counted.add(frame)
            if file is not None:
                frame.select(OUTPUT_COLUMNS).write_csv(file, include_header=not file.tell())

        write_beside(rows, write)


class _ByFile:
    """The answers on each file, taken in the order in which they come."""

    def __init__(self, groups: Iterator[tuple[Any, Any]]) -> None:
        self._groups = groups

    def of(self, day: str, name: str) -> Iterator[tuple[AnimalBlock, Predictions]]:
        """Those on a file, which is the next one."""
        key, answers = next(self._groups, (None, iter(())))
        if key != (day, name):
            raise StorageError(
                f"{name}: the rows of {UNAGED_ANIMALS} of {day} are not those that the manifest "
                "lists; materialize it again"
            )
        yield from answers


def _noted(aged: Path | None) -> Mapping[str, AgedFile]:
    """What the day's object of before says of its files; nothing where it cannot be believed."""
    note = None if aged is None else note_of(aged)
    if note is None:
        return {}
    try:
        return record_of(_Note, note, str(aged), remedy="delete it").files
    except StorageError:
        return {}
