"""The lake's manifest: which content of which survey day the lake holds.

It is the truth about what has been ingested. A day is committed after its data was written and
revoked before it is written again, so a run that dies half-way leaves a day that is due, never one
that looks done. How it is stored: `manifest_store`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Final, Protocol, Self

from abalone_assets.errors import DamagedError, StorageError
from abalone_assets.lake.writers import Writer
from abalone_assets.survey.origin import SURVEYED, SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


@dataclass(frozen=True)
class IngestedFile:
    """One survey file as it was when its day was ingested.

    Attributes:
        name: The file's name in the landing zone.
        size: Bytes.
        e_tag: The landing zone's token of this write; equal tokens mean equal bytes.
        sha256: Digest of the bytes that were parsed.
        rows: Rows that obey the survey contract.
        quarantined: Rows that do not.
        problem: Why the whole file is no survey, or cannot be read now; else None.
        origin: Whether it was surveyed, simulated or is example data.
        notes: What was read as it was meant, and what is odd about the file, a sentence each.
        held: Why the whole file is held: its good rows stay out until a person accepts it, or it
            lands again, corrected; None when it is not.
        held_rows: Rows that would be ``rows`` if the file were not held.
        odd_animals: Of ``rows`` and ``held_rows``, those whose measurements do not go together.
    """

    name: str
    size: int
    e_tag: str
    sha256: str
    rows: int = 0
    quarantined: int = 0
    problem: str | None = None
    origin: str = SURVEYED
    notes: tuple[str, ...] = ()
    held: str | None = None
    held_rows: int = 0
    odd_animals: int = 0

    @property
    def is_out_of_reach(self) -> bool:
        """Whether it cannot be read now: it is no refused file, and what was read before counts."""
        return bool(self.problem) and not self.e_tag

    @property
    def is_refused(self) -> bool:
        """Whether the whole file is no survey, so that nothing of it is used."""
        return bool(self.problem) and not self.is_out_of_reach

    @classmethod
    def left_unread(cls, name: str, size: int, e_tag: str, problem: str) -> Self:
        """One that is never read as it is: the token of its write stands in for its digest."""
        return cls(name, size, e_tag, sha256=e_tag, problem=problem)

    @classmethod
    def out_of_reach(cls, name: str, size: int, problem: str) -> Self:
        """One that cannot be read now: without a token it differs from whatever lies there."""
        return cls(name, size, e_tag="", sha256="", problem=f"{problem}; it is tried again")


@dataclass(frozen=True)
class IngestedDay:
    """One survey day in the lake; its ``digest`` is empty while it is being written.

    ``judged_by`` tells against which profile its files were judged; empty in a manifest of before.
    ``rows_sha256`` is of its object in ``new_surveys``; empty without rows, or in one of before.
    """

    digest: str
    files: tuple[IngestedFile, ...] = ()
    judged_by: str = ""
    rows_sha256: str = ""

    @property
    def rows(self) -> int:
        """Rows in ``new_surveys`` of this day."""
        return sum(file.rows for file in self.files)

    @property
    def quarantined(self) -> int:
        """Rows in ``quarantined_rows`` of this day."""
        return sum(file.quarantined for file in self.files)

    @property
    def held_rows(self) -> int:
        """Rows of this day's held files: neither in ``new_surveys`` nor quarantined."""
        return sum(file.held_rows for file in self.files)

    @property
    def held_files(self) -> dict[str, str]:
        """This day's held files, and why."""
        return {file.name: file.held for file in self.files if file.held}

    @property
    def remarked_files(self) -> list[IngestedFile]:
        """This day's files that were refused, are held, or have a note."""
        return [file for file in self.files if file.problem or file.notes or file.held]

    @property
    def synthetic_rows(self) -> int:
        """Simulated rows in ``new_surveys`` of this day."""
        return sum(file.rows for file in self.files if file.origin == SYNTHETIC)


BEING_WRITTEN: Final = IngestedDay("")


@dataclass(frozen=True)
class IngestedRaw:
    """The base survey in the lake.

    Attributes:
        digest: SHA-256 of its file.
        uri: Where it was asked for.
        simulated: Whether the bundled survey stands in for it, because the network refused.
        rows: Rows that obey the survey contract.
        quarantined: Rows that do not.
        origin: Whether its file was surveyed, simulated or is example data, as the bundled one is.
        rows_sha256: SHA-256 of its object in ``raw_abalone``; empty in a manifest of before.
    """

    digest: str
    uri: str
    simulated: bool
    rows: int
    quarantined: int
    origin: str = SURVEYED
    rows_sha256: str = ""

    @property
    def source(self) -> str:
        """What its rows are, in words: of what was asked for, or of what stands in for it."""
        if not self.simulated:
            return self.uri
        return f"the bundled simulated survey, instead of {self.uri}"


@dataclass(frozen=True)
class DaySummary:
    """What most questions ask of a survey day, without its files.

    Attributes:
        content: Digest of the files with a good row, as it counts in the manifest's; else empty.
        landed: Digest of the files' names, sizes and tokens, as `landed_digest` makes it; empty
            while the day is being written.
        files: How many files it has; while it is being written, how many it had before.
        rows: Rows in ``new_surveys``.
        quarantined: Rows in ``quarantined_rows``.
        remarks: How many of its files were refused, are held, or have a note.
        held: How many of its files are held.
        writers: Which runs write it; none of a day that is not being written.
        run: The beginning of the id of the run that has written it; empty of a day that is being
            written, or in a manifest of before. It tells writes of the same content apart.
    """

    content: str = ""
    landed: str = ""
    files: int = 0
    rows: int = 0
    quarantined: int = 0
    remarks: int = 0
    held: int = 0
    writers: tuple[Writer, ...] = ()
    run: str = ""

    @classmethod
    def of(cls, day: IngestedDay) -> Self:
        """The summary of a day."""
        with_rows = [file for file in day.files if file.rows]
        return cls(
            content=day_digest(with_rows) if with_rows else "",
            landed=landed_digest(day.files) if day.digest else "",
            files=len(day.files),
            rows=day.rows,
            quarantined=day.quarantined,
            remarks=len(day.remarked_files),
            held=len(day.held_files),
        )

    def revoked(self, writers: tuple[Writer, ...]) -> DaySummary:
        """The summary of this day while these runs write it: it holds nothing, but had files."""
        return DaySummary(files=self.files, writers=writers)

    @property
    def being_written(self) -> bool:
        """Whether a run writes it now, or died while it did."""
        return not self.landed

    def is_of(self, day: IngestedDay) -> bool:
        """Whether it says what there is to say of a day, whichever run has written that."""
        return replace(self, run="") == DaySummary.of(day)


class File(Protocol):
    """A file as it landed, or as it was ingested."""

    @property
    def name(self) -> str:
        """Its name in the landing zone."""

    @property
    def size(self) -> int:
        """Bytes."""

    @property
    def e_tag(self) -> str:
        """The landing zone's token of this write."""


class LostPartError(StorageError):
    """The files of a month's days are known no more: their part of the manifest is gone."""


class StoredDays(Mapping[str, IngestedDay]):
    """The days of a stored manifest, by ISO date: their files are read when they are asked for.

    Args:
        summaries: The summary of each day.
        read_month: Reads the days of a month, ``YYYY-MM``; asked again for what it gave before, so
            it has to remember.
        parts: The object that holds the files of each month's days, by month.
    """

    def __init__(
        self,
        summaries: Mapping[str, DaySummary],
        read_month: Callable[[str], Mapping[str, IngestedDay]],
        parts: Mapping[str, str],
    ) -> None:
        self.summaries = summaries
        self.parts = parts
        self._read_month = read_month

    def __getitem__(self, day: str) -> IngestedDay:
        if self.summaries[day].being_written:
            return BEING_WRITTEN
        return self._read_month(month_of(day))[day]

    def __iter__(self) -> Iterator[str]:
        return iter(self.summaries)

    def __len__(self) -> int:
        return len(self.summaries)

    def __contains__(self, day: object) -> bool:
        return day in self.summaries

    def files_before(self, day: str) -> tuple[IngestedFile, ...]:
        """The files that a day which is being written had before; none where nobody knows."""
        if not self.summaries[day].files:
            return ()
        try:
            known = self._read_month(month_of(day)).get(day, BEING_WRITTEN)
        except (LostPartError, DamagedError):
            return ()
        return tuple(replace(file, e_tag="") for file in known.files)

    def since(self, first: str) -> StoredDays:
        """Those from a day on."""
        later = {day: summary for day, summary in self.summaries.items() if day >= first}
        return StoredDays(later, self._read_month, self.parts)


@dataclass(frozen=True)
class Manifest:
    """All that the lake has ingested: the base survey and the survey days, by ISO date."""

    raw: IngestedRaw | None = None
    days: Mapping[str, IngestedDay] = field(default_factory=dict)

    @cached_property
    def summaries(self) -> Mapping[str, DaySummary]:
        """The summary of each day, in the order of ``days``."""
        if isinstance(self.days, StoredDays):
            return self.days.summaries
        return {day: DaySummary.of(entry) for day, entry in self.days.items()}

    @cached_property
    def digest(self) -> str:
        """Digest of everything a release is made from; files without a good row do not count."""
        return self.digest_of(self.days_with_rows)

    def digest_of(self, days: Iterable[str]) -> str:
        """Digest of the base survey and of some days, given in order."""
        surveys = [(day, self.summaries[day].content) for day in days]
        raw = _content(self.raw.origin, self.raw.digest) if self.raw else [None]
        return _sha256([*raw, surveys])

    @cached_property
    def writes(self) -> str:
        """Names the writes of what a release is made from: others of the same content, too."""
        raw = self.raw.rows_sha256 if self.raw else None
        runs = [(day, self.summaries[day].run) for day in self.days_with_rows]
        return _sha256([raw, runs])[:16]

    @property
    def rows(self) -> int:
        """Rows that the base survey and all survey days hold together."""
        surveyed = sum(summary.rows for summary in self.summaries.values())
        return (self.raw.rows if self.raw else 0) + surveyed

    def rows_of(self, day: str) -> int:
        """Rows of one survey day; none when it was never ingested."""
        return self.summaries[day].rows if day in self.summaries else 0

    def last_files(self, day: str) -> tuple[IngestedFile, ...]:
        """The files of a day; of one that is being written, or was when a run died, its last ones.

        These have no tokens: whatever lies in the landing zone by now is read again. There are none
        where the day was never ingested, or was forgotten, or its part of the manifest is lost.
        """
        if day not in self.summaries:
            return ()
        if self.summaries[day].being_written and isinstance(self.days, StoredDays):
            return self.days.files_before(day)
        return self.days[day].files

    @property
    def days_with_rows(self) -> list[str]:
        """The days, in order, that add rows to ``merged_dataset``."""
        return [day for day, summary in sorted(self.summaries.items()) if summary.rows]

    @property
    def days_by_part(self) -> dict[str, list[str]]:
        """The days whose files each stored part of the manifest holds, by the part's key."""
        days: dict[str, list[str]] = {}
        if isinstance(self.days, StoredDays):
            for day, summary in self.summaries.items():
                if not summary.being_written:
                    days.setdefault(self.days.parts[month_of(day)], []).append(day)
        return days

    def since(self, first: str) -> Manifest:
        """The manifest of the days from this one (ISO date) on; this very one if that is all."""
        if first <= min(self.summaries, default=first):
            return self
        if isinstance(self.days, StoredDays):
            return replace(self, days=self.days.since(first))
        return replace(self, days={day: each for day, each in self.days.items() if day >= first})


def month_of(day: str) -> str:
    """The month, ``YYYY-MM``, of an ISO date."""
    return day[:7]


def landed_digest(files: Iterable[File]) -> str:
    """Digest of what a listing shows of files: equal digests mean that nothing was written."""
    shown = sorted((file.name, file.size, file.e_tag) for file in files)
    return _sha256(shown)[:16]


def day_digest(files: Iterable[IngestedFile]) -> str:
    """Digest of a day's content: the (name, size, SHA-256) of its files, in order of name.

    A simulated file's origin counts too, so that a day ingested again because one of its files
    turned out to be a simulation is another content, and is released as such.
    """
    return _sha256(
        sorted(_content(file.origin, file.name, file.size, file.sha256) for file in files)
    )


def _content(origin: str, *identity: str | int) -> list[str | int]:
    return [*identity, *([SYNTHETIC] if origin == SYNTHETIC else [])]


def _sha256(value: object) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()
