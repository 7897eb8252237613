"""A week of a fleet: daily surveys of real animals, and among them all that goes wrong with files.

Two crews send a clean survey each, every day. Others send what is found in practice: other units,
columns in another order, ages, files that are cut short, cannot be read, grow or are corrected.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

import numpy as np
import polars as pl

from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.modeling.archive import read_archived
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.scores import rmse
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey import COLUMNS
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals, aged
from abalone_assets_tests.survey import found

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import IngestedFile

    Row = tuple[Any, ...]
    Write = Callable[[list[list[str]]], bytes]

Outcome = Literal["read", "held", "refused"]

DAYS: Final = 7
BASE_ANIMALS: Final = 1500
CLEAN_ANIMALS: Final = 30
"""In each of the clean files."""

ODD_ANIMALS: Final = 50
"""In each of the others."""

UNITS_MM_G: Final = found.named_units("mm", "g")


@dataclass(frozen=True)
class Kind:
    """What a crew does to a file.

    Attributes:
        what: In words.
        day: Of the week, from 1 on.
        outcome: What becomes of the file's good rows in the end.
        told: A pattern of the note or reason; empty when nothing is told.
        write: Makes the file's bytes from the fields of its rows.
        lost: Animals at its end that are quarantined.
    """

    what: str
    day: int
    outcome: Outcome
    told: str
    write: Write
    lost: int = 0


def _in_every_row(error: str) -> Write:
    change = ERRORS[error] if error in ERRORS else aged(np.ceil)
    return lambda rows: _animals(rows).with_error(change).file()


def _trailing_commas(rows: list[list[str]]) -> bytes:
    return found.text([[fields[0].lower(), *fields[1:], ""] for fields in rows])


def _cut_short(rows: list[list[str]]) -> bytes:
    """Without the second half of the last line."""
    return found.text([*rows[:-1], rows[-1][:5]], end="")


def _decimal_commas(rows: list[list[str]]) -> bytes:
    return found.text([found.with_commas(fields) for fields in rows], delimiter=";")


UNREADABLE: Final = "cannot be read at first"
CORRECTED: Final = "corrected in place, with equal size and time"
GROWING: Final = "grows row by row"

KINDS: Final = (
    Kind("lower-case sexes, trailing commas", 1, "read", "lower case", _trailing_commas),
    Kind(
        "a header in another order",
        1,
        "read",
        "in the order ",
        lambda rows: found.text(
            [found.ordered(fields) for fields in rows], found.ordered(found.UCI)
        ),
    ),
    Kind("weights * 0.2", 2, "held", "weights were in kilograms", _in_every_row("weights * 0.2")),
    Kind(
        "a header with mm and g",
        2,
        "read",
        "converted from mm and g",
        lambda rows: found.text(found.in_units(1, 1, rows), UNITS_MM_G),
    ),
    Kind(
        "all measurements * 0.2",
        3,
        "held",
        "measurements were in metres and kilograms",
        _in_every_row("all measurements * 0.2"),
    ),
    Kind("semicolons, decimal commas", 3, "refused", "separated by semicolons", _decimal_commas),
    Kind(
        "shucked and viscera weight swapped, no header",
        4,
        "held",
        "shucked_weight and viscera_weight stood in each other's columns",
        _in_every_row("shucked_weight and viscera_weight swapped"),
    ),
    Kind(
        "centimetres, no header",
        4,
        "refused",
        "look like centimetres",
        lambda rows: found.text(found.in_units(10, 200, rows)),
    ),
    Kind(
        "ages for rings",
        5,
        "refused",
        r"rings \+ 1\.5",
        lambda rows: found.text([found.aged(fields) for fields in rows]),
    ),
    Kind(
        "ages for rings, rounded up",
        5,
        "held",
        "rings were ages in years",
        _in_every_row("ages, rounded up, for rings"),
    ),
    Kind("cut short", 6, "read", "if the file was cut short", _cut_short, lost=1),
    Kind(UNREADABLE, 6, "read", "", found.text),
    Kind(CORRECTED, 7, "read", "", found.text),
    Kind(GROWING, 7, "read", "", found.text),
)


def _animals(rows: Sequence[Sequence[str]]) -> Animals:
    numbers = np.array([fields[1:] for fields in rows], dtype=np.float64)
    return Animals(np.array([fields[0] for fields in rows]), numbers)


def _fields(animals: Animals) -> list[list[str]]:
    return [line.split(",") for line in animals.file().decode().splitlines()]


@dataclass(frozen=True)
class Sent:
    """A file that a crew sends, as it is in the end.

    Attributes:
        kind: What its crew did to it; None for a clean file.
        name: Its name.
        data: Its bytes.
        animals: What was measured.
    """

    kind: Kind | None
    day: int
    name: str
    data: bytes
    animals: Animals

    @property
    def outcome(self) -> Outcome:
        return self.kind.outcome if self.kind else "read"

    @property
    def records(self) -> int:
        """Lines of the file but for its header."""
        return len(self.data.decode().splitlines()) - (b"ength" in self.data)

    @property
    def merged(self) -> set[Row]:
        """The rows that are in ``merged_dataset`` in the end."""
        if self.outcome != "read":
            return set()
        return rows_of(self.animals[: len(self.animals) - (self.kind.lost if self.kind else 0)])


@dataclass(frozen=True)
class FleetWeek:
    """What is sent in the week, and what is known of it.

    Attributes:
        base: The base survey's animals.
        held_out: Clean animals that nobody sends, to judge the models by.
        sent: The files.
    """

    base: Animals
    held_out: Animals
    sent: tuple[Sent, ...]

    @classmethod
    def drawn_from(cls, animals: Animals, *, seed: int = 0) -> Self:
        """Draw each of the animals for one purpose."""
        order = np.random.default_rng(seed).permutation(len(animals))
        start, sent = BASE_ANIMALS, list[Sent]()
        for day in range(1, DAYS + 1):
            kinds = [None, None, *(kind for kind in KINDS if kind.day == day)]
            for hour, kind in enumerate(kinds, start=6):
                count = ODD_ANIMALS if kind else CLEAN_ANIMALS
                these = animals[order[start : start + count]]
                start += count
                data = kind.write(_fields(these)) if kind else these.file()
                sent.append(Sent(kind, day, f"{day_prefix(day)}{hour:02}0000", data, these))
        return cls(animals[order[:BASE_ANIMALS]], animals[order[start:]], tuple(sent))

    @property
    def clean(self) -> tuple[Sent, ...]:
        """The clean files."""
        return tuple(sent for sent in self.sent if sent.kind is None)

    def the(self, what: str) -> Sent:
        """The file with which this was done."""
        return next(sent for sent in self.sent if sent.kind and sent.kind.what == what)

    @property
    def merged(self) -> set[Row]:
        """What ``merged_dataset`` holds in the end, exactly."""
        return rows_of(self.base).union(*(sent.merged for sent in self.sent))

    def error_of(self, home: Path, version: int) -> float:
        """RMSE, in rings, of a registered version on the animals that nobody sent."""
        archive = FolderRegistry(ObjectStore(str(home / "registry"))).read_model(version)
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "model.tar.gz").write_bytes(archive)
            model = read_archived(Path(folder) / "model.tar.gz").model
        columns = {name: np.asarray(each) for name, each in self.held_out.columns().items()}
        return float(rmse(predict_rings(model, columns), columns["rings"]))


def day_prefix(day: int) -> str:
    """What the names of a day's files begin with."""
    return f"abalone.2025030{day + 2}"


def iso_day(day: int) -> str:
    """A day of the week as an ISO date."""
    return f"2025-03-0{day + 2}"


def rows_of(animals: Animals) -> set[Row]:
    """The animals as ``merged_dataset`` holds them."""
    return {
        (str(sex), *(round(float(value), 4) for value in numbers))
        for sex, numbers in zip(animals.sex, animals.numbers, strict=True)
    }


def merged_rows(lake: Lake) -> list[Row]:
    """What ``merged_dataset`` holds."""
    rows = pl.read_parquet(lake.uri("merged_dataset")).select(each.name for each in COLUMNS).rows()
    return [(sex, *(round(float(value), 4) for value in values)) for sex, *values in rows]


@dataclass
class Crews:
    """The crews at work in a landing zone, and what befalls it.

    Attributes:
        week: What they send.
        folder: The landing zone.
    """

    week: FleetWeek
    folder: Path
    _written: int = 0

    def send(self, day: int) -> None:
        """Land a day's files; those of which more is to come, as they are at first."""
        for sent in self.week.sent:
            if sent.day == day and sent.kind is None:
                self._land(sent.name, sent.data)
            elif sent.day == day and sent.kind and sent.kind.what == GROWING:
                self.write_rows(10)
            elif sent.day == day and sent.kind and sent.kind.what == CORRECTED:
                self._land(sent.name, self.mistaken)
            elif sent.day == day:
                self._land(sent.name, sent.data)
                if sent.kind and sent.kind.what == UNREADABLE:
                    (self.folder / sent.name).chmod(0)
        if day == DAYS - 1:
            self._send_oddities()

    def _land(self, name: str, data: bytes) -> None:
        FolderLandingZone(self.folder).land(name, data)

    def _send_oddities(self) -> None:
        aside = self.folder.parent / "aside"
        aside.mkdir()
        (aside / "survey.csv").write_bytes(self.week.clean[0].data)
        (self.folder / LINK).symlink_to(aside / "survey.csv")
        (self.folder / FOLDER).mkdir()
        (self.folder / FOLDER / "survey.csv").write_bytes(self.week.clean[0].data)

    @property
    def mistaken(self) -> bytes:
        """The file that will be corrected: one digit of its first animal is another one."""
        data = self.week.the(CORRECTED).data
        line, _, rest = data.partition(b"\n")
        fields = line.split(b",")
        digit = b"1" if fields[1][-1:] != b"1" else b"2"
        return b",".join([fields[0], fields[1][:-1] + digit, *fields[2:]]) + b"\n" + rest

    def write_rows(self, count: int) -> None:
        """Append to the file that grows, in place, as a logger does."""
        sent = self.week.the(GROWING)
        lines = sent.data.splitlines(keepends=True)[self._written : self._written + count]
        self._written += count
        with (self.folder / sent.name).open("ab") as file:
            file.write(b"".join(lines))

    def correct(self) -> None:
        """Write the corrected file over the mistaken one, and give it its time."""
        path, sent = self.folder / self.week.the(CORRECTED).name, self.week.the(CORRECTED)
        before = path.stat()
        path.write_bytes(sent.data)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        after = path.stat()
        assert (after.st_size, after.st_mtime_ns) == (before.st_size, before.st_mtime_ns)

    def mend(self) -> None:
        """Let the unreadable file be read."""
        (self.folder / self.week.the(UNREADABLE).name).chmod(0o644)

    @contextmanager
    def unmounted(self, *, mount_point: bool) -> Iterator[None]:
        """The landing zone is gone; its mount point, if that is left, is empty."""
        away = self.folder.with_name("away")
        self.folder.rename(away)
        if mount_point:
            self.folder.mkdir()
        try:
            yield
        finally:
            if mount_point:
                self.folder.rmdir()
            away.rename(self.folder)


LINK: Final = f"{day_prefix(DAYS - 1)}200000"
FOLDER: Final = f"{day_prefix(DAYS - 1)}210000"


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


@dataclass
class Address:
    """Where the base survey is asked for: a server that answers what it is told to.

    Attributes:
        uri: The address.
        survey: The base survey.
        breaks: Whether it answers a page instead, with status 200.
    """

    uri: str
    survey: bytes
    breaks: bool = False
    page: bytes = field(default=b"<!DOCTYPE html><html><title>Sign in</title></html>")

    @classmethod
    @contextmanager
    def of(cls, survey: bytes) -> Iterator[Self]:
        """Serve a base survey on a free port."""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = address.page if address.breaks else address.survey
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments: object) -> None:
                pass

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            address = cls(f"http://127.0.0.1:{server.server_port}/abalone.data", survey)
            thread = threading.Thread(target=server.serve_forever, args=(0.01,))
            thread.start()
            try:
                yield address
            finally:
                server.shutdown()
                thread.join()
