"""A week of a fleet: daily surveys of real animals, and among them all that goes wrong with files.

Two crews send a clean survey each, every day. Others send what is found in practice: other units,
columns in another order, ages, files that are cut short, cannot be read, grow or are corrected.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np

from abalone_assets.modeling.archive import read_archived
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.scores import rmse
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.support.fleet.kinds import KINDS, Kind, Outcome
from abalone_assets_tests.support.whole_surveys import Animals

if TYPE_CHECKING:
    Row = tuple[Any, ...]

DAYS: Final = 7
BASE_ANIMALS: Final = 1500
CLEAN_ANIMALS: Final = 30
"""In each of the clean files."""

ODD_ANIMALS: Final = 50
"""In each of the others."""


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
