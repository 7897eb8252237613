"""The platform in one process: its real sensors, runs and instance, without a daemon."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from abalone_assets import definitions
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.lake.lake import Lake
from abalone_assets.local.run import LocalPlatform
from abalone_assets.sample_data import base_survey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = [
    "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15",
    "F,0.53,0.42,0.135,0.677,0.2565,0.1415,0.21,9",
    "I,0.33,0.255,0.08,0.205,0.0895,0.0395,0.055,7",
]


BASE_ROWS = 800
QUICK_BLEND = {"num_boost_round": 60, "eta": 0.1, "landmarks": 100, "folds": 2}
"""Hyperparameters of models that are good enough to be released."""


def survey_rows(count: int, *, seed: int = 0) -> bytes:
    """A survey file's bytes: ``count`` valid rows, no two near twins, that no other seed has."""
    # Animals of another size, in proportion, lest the file be held; shells tell seeds 50 apart.
    size, thicker = 1 + 0.012 * (seed % 50), 0.0008 * (seed // 50)
    rows = []
    for number in range(count):
        sex, *values, rings = ROWS[number % len(ROWS)].split(",")
        *lengths, whole, shucked, viscera, shell = map(float, values)
        twin = number // len(ROWS)
        heavier = 0.0006 * ((twin + 1) // 2) * (1 if twin % 2 else -1)
        weights = [whole, shucked, viscera, shell]
        measured = [*(size * each for each in lengths), *(size**3 * each for each in weights)]
        measured[3] += heavier
        measured[-1] += thicker
        aged = round((int(rings) - twin % 2) * size**0.6)
        rows.append(",".join([sex, *(f"{value:.4f}" for value in measured), str(aged)]))
    return ("\n".join(rows) + "\n").encode()


def small_base(folder: Path) -> dict[str, str]:
    """Settings of a platform whose releases are cheap: few rows, and models that learn little."""
    base = folder / "base_survey.csv"
    base.write_bytes(b"".join(base_survey().read_bytes().splitlines(keepends=True)[:BASE_ROWS]))
    return {
        "RAW_URI": str(base),
        "GATE_MIN_ROWS": "20",
        "HYPERPARAMETERS": json.dumps(QUICK_BLEND),
    }


@dataclass(kw_only=True)
class Platform(LocalPlatform):
    """Everything that a test drives: the local platform, its lake and its landing zone.

    Attributes:
        home: The home folder; the persistent instance is in its folder ``dagster``.
    """

    home: Path

    @classmethod
    @contextmanager
    def at(cls, home: Path) -> Iterator[Platform]:
        """Open the platform at a home whose settings are in the environment."""
        with dg.DagsterInstance.get() as instance:
            yield cls(home=home, definitions=definitions.defs(), instance=instance)

    @property
    def lake(self) -> Lake:
        return Lake(str(self.home / "lake"))

    @property
    def landing_zone(self) -> FolderLandingZone:
        return FolderLandingZone(self.home / "landing_zone")

    def land(self, name: str, data: bytes) -> None:
        self.landing_zone.land(name, data)
