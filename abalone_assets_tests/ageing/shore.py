"""Intake and ageing without Dagster, over folder and S3 alike."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl

from abalone_assets.ageing.aged_days import Ageing
from abalone_assets.ageing.doubts import Doubter
from abalone_assets.ageing.intake import Intake
from abalone_assets.ingest.landing_zone import LandingZone
from abalone_assets.ingest.memory import Memory, Patience
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.ingest.reconcile import find_due
from abalone_assets.lake.animals import Animals
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest_store import commit_days, revoke_days
from abalone_assets.modeling.inference import Predictions
from abalone_assets.survey import ANIMALS
from abalone_assets_tests.ageing.support import MONDAY, TUESDAY, animals_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abalone_assets.ageing.ages import AnimalBlock

FIRST, LAST = date(2025, 1, 1), date(2025, 3, 31)
EARLY, LATE = animals_name(MONDAY, "080000"), animals_name(MONDAY, "160000")


class KilledError(BaseException):
    """The process ends here."""


@dataclass
class Shore:
    """A landing zone and a lake, and what a run does with them, without Dagster."""

    zone: LandingZone
    animals: Animals
    folder: Path
    version: int = 1
    asked: int = 0
    meanwhile: Callable[[], object] = lambda: None
    """What happens between the question to the model and its first answer, and after the last."""

    def due(self) -> list[str]:
        landing = self.zone.scan(FIRST, LAST, kind=ANIMALS)
        return list(find_due(landing, self.animals.manifest(), self.zone.read).days)

    def take_in(self, days: list[str]) -> None:
        taking = Intake(self.zone, self.animals, self.animals.manifest(), Memory(), Patience())
        taken = dict(taking.days(days, lambda: revoke_days(self.animals.records, days)))
        assert all(each.is_conserved for each in taken.values())
        commit_days(self.animals.records, {day: each.entry for day, each in taken.items()})

    def age(self, days: list[str], *, again: bool = False) -> None:
        with TemporaryDirectory(dir=self.folder) as folder:
            ageing = Ageing(self.animals, self.zone, self.version, Doubter(), Path(folder))
            list(ageing.age(ageing.plan(days, again=again), self._score))

    def _score(
        self, blocks: Callable[[], Iterator[AnimalBlock]]
    ) -> Iterator[tuple[AnimalBlock, Predictions]]:
        self.meanwhile()
        for block in blocks():
            self.asked += len(block.frame)
            rings = block.frame["length"].to_numpy() * 10 + self.version
            yield block, Predictions(rings, rings - 1, rings + 1)
        self.meanwhile()

    def settle(self) -> None:
        """What the sensor has done about whatever is due."""
        for _ in range(5):
            if due := self.due():
                for day in due:
                    self.take_in([day])
            elif to_age := self.animals.days_to_age(self.animals.manifest()):
                self.age(to_age)
            else:
                return
        raise AssertionError("it does not settle")

    def ages(self, day: str) -> pl.DataFrame:
        key = self.animals.lake.key("aged_animals", day)
        return pl.read_parquet(BytesIO(self.animals.store.read(key)))

    def csv(self, name: str) -> bytes | None:
        pieces = self.zone.read_aged(name)
        return None if pieces is None else b"".join(pieces)

    def everything(self) -> dict[str, Any]:
        """All that readers see."""
        aged = self.animals.aged()
        names = (EARLY, LATE, animals_name(TUESDAY))
        return {
            "tables": {day: self.ages(day).rows() for day, each in aged.items() if each.rows},
            "csv": {name: self.csv(name) for name in names},
            "aged": aged,
        }


def shore_at(zone: str, lake: str, folder: Path) -> Shore:
    (folder / "scratch").mkdir()
    return Shore(open_landing_zone(zone), Animals(Lake(lake)), folder / "scratch")
