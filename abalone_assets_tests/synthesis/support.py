"""Real rows to simulate from, and a synthesizer that draws what a test wants."""

from __future__ import annotations

from functools import cache
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from abalone_assets.modeling.dataset import COLUMN_NAMES, take
from abalone_assets.sample_data import base_survey
from abalone_assets.survey import parse_survey
from abalone_assets.synthesis.real_rows import RealRows
from abalone_assets.synthesis.recipes import FitOptions, fit_synthesizer
from abalone_assets.synthesis.synthesizer import FitFacts, Synthesizer

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest

Table = dict[str, Any]
TYPICAL = ("M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15, 15)


@cache
def base_rows() -> Table:
    """The rows of the bundled base survey."""
    path = base_survey()
    parsed = parse_survey(path.read_bytes(), path.name)
    return {name: np.asarray(values) for name, values in parsed.columns.items()}


@cache
def real() -> RealRows:
    """Some hundred of them, dealt."""
    return RealRows.of(take(base_rows(), np.arange(900)))


@cache
def copula() -> Synthesizer:
    return fit_synthesizer(real(), FitOptions())


def animals(*rows: Sequence[Any]) -> Table:
    """The columns of animals that are given row by row."""
    return {
        name: np.asarray(values)
        for name, values in zip(COLUMN_NAMES, zip(*rows, strict=True), strict=True)
    }


def animal(**changes: Any) -> tuple[Any, ...]:
    """A typical animal with some values changed."""
    values = dict(zip(COLUMN_NAMES, TYPICAL, strict=True)) | changes
    return tuple(values[name] for name in COLUMN_NAMES)


class Scripted(Synthesizer):
    """Draws the given rows, one after the other, and then again."""

    def __init__(self, rows: Sequence[Sequence[Any]]) -> None:
        facts = FitFacts("copula", 0, (), 0, 1, 0, "")
        super().__init__(copula().representation, copula().latents, facts)
        object.__setattr__(self, "_rows", cycle(rows))

    def sample(self, rows: int, rng: np.random.Generator) -> Table:
        return animals(*(next(self._rows) for _ in range(rows)))  # type: ignore[attr-defined] # set past the frozen dataclass


def teach_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train no model to see what rows teach, for tests that nothing of it matters to."""
    monkeypatch.setattr("abalone_assets.synthesis.quality.transfer_rmse", lambda *_: 2.0)
