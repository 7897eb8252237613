"""What the evaluation's tests share: small splits and models that need no training."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from abalone_assets.modeling.archive import ArchivedModel
from abalone_assets.modeling.dataset import row_keys
from abalone_assets.modeling.evaluation.evaluate import Splits
from abalone_assets.modeling.features import Columns
from abalone_assets.modeling.models.intervals import Intervals
from abalone_assets.modeling.models.out_of_fold import OutOfFold
from abalone_assets.survey.origin import SURVEYED, SYNTHETIC
from abalone_assets_tests.modeling.support import Table, card, survey_frame, table

BASE = "abalone.data"


@dataclass(frozen=True)
class ShellModel:
    """Tells rings from the shell's weight alone; off by ``shift`` rings."""

    shift: float = 0.0
    explains: bool = True

    @property
    def features(self) -> tuple[str, ...]:
        return ("shell_weight", "length")

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        return 6.5 + 14.5 * np.asarray(matrix[:, 0], dtype=np.float64) + self.shift

    def importance(self) -> dict[str, float] | None:
        return {"length": 0.0, "shell_weight": 1.0} if self.explains else None

    def contributions(self, matrix: NDArray[np.float32]) -> NDArray[np.float64] | None:
        if not self.explains:
            return None
        effect = np.asarray(matrix[:, 0], dtype=np.float64) - 0.2
        return np.column_stack([effect, np.zeros_like(effect), np.full_like(effect, 2.0)])


def rows(first: int, last: int, source: str = BASE, origin: str = SURVEYED) -> Table:
    """Some rows of the survey with their origin."""
    part = table(survey_frame()[first:last])
    count = last - first
    return {
        **part,
        "source_file": np.asarray([source] * count, dtype=object),
        "origin": np.asarray([origin] * count, dtype=object),
    }


def small_splits() -> Splits:
    return Splits(train=rows(0, 300), validation=rows(300, 380), test=rows(380, 580))


def simulated(part: Columns, count: int) -> Table:
    """The same rows, the first few of them simulated."""
    origin = np.array(part["origin"], dtype=object)
    origin[:count] = SYNTHETIC
    return {**{name: np.asarray(values) for name, values in part.items()}, "origin": origin}


def judged(shift: float = 0.0, **changed: Any) -> ArchivedModel:
    """A model that is off by so many rings, with its papers."""
    given: dict[str, Any] = {"model": ShellModel(shift), "card": card(), **changed}
    return ArchivedModel(**given)


def intervals(log_ratio: float = 0.35) -> Intervals:
    return Intervals(0.9, dict.fromkeys("MFI", (-log_ratio, log_ratio)))


def out_of_fold(columns: Columns, predicted: NDArray[np.float64]) -> OutOfFold:
    return OutOfFold(row_keys(columns), predicted, 5)
