"""What is doubted of many animals is what the Age Calculator doubts of each."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest

from abalone_assets.ageing.doubts import Doubter
from abalone_assets.modeling.known_animals import BandError, KnownAnimals
from abalone_assets.pages.calculator.doubts import doubts
from abalone_assets.pages.calculator.measured import Animal
from abalone_assets.survey import FEATURES, MEASUREMENTS
from abalone_assets.survey.units import CONTRACT_UNITS
from abalone_assets_tests.modeling.support import survey_frame

RANGES = {"length": (0.2, 0.7), "diameter": (0.15, 0.55), "height": (0.05, 0.2)}
KNOWN = KnownAnimals(
    {sex: {name: RANGES.get(name, (0.01, 1.5)) for name in MEASUREMENTS} for sex in "MF"},
    dict.fromkeys("MF", (1, 2, 3)),
    (
        BandError(7.0, 9.0, 100, 1.5),
        BandError(9.0, 11.0, 40, 4.0),
        BandError(13.0, np.inf, 50, 4.0),
    ),
)


def by_the_calculator(row: dict[str, float], doubter: Doubter) -> set[str]:
    """The words of the calculator's problems with one animal."""
    animal = Animal(tuple(row[name] for name in FEATURES))
    problems = doubts(animal, CONTRACT_UNITS, doubter.known, row["rings"], doubter.usual_error)
    named = {"outside", "too_small"}
    return {f"{each.rule}:{each.column}" if each.rule in named else each.rule for each in problems}


@pytest.mark.parametrize("known", [KNOWN, None])
def test_the_calculator_and_the_table_doubt_alike(known: KnownAnimals | None) -> None:
    doubter = Doubter(known, 2.0)
    random = np.random.default_rng(0)
    frame = (
        pl.DataFrame(survey_frame()[:400])
        .select(FEATURES)
        .with_columns(
            pl.Series("rings", random.uniform(1, 20, 400)),
            *(
                pl.col(name) * pl.Series(random.choice([0.05, 1, 1, 1, 2], 400))
                for name in MEASUREMENTS
            ),
        )
    )
    told = frame.with_columns(doubter.doubts).to_dicts()
    expected = [by_the_calculator(row, doubter) for row in told]
    assert [set((row["doubts"] or "").split("; ")) - {""} for row in told] == expected
    assert set().union(*expected) >= {"parts_over_whole", "too_small:height"}
    if known is not None:
        assert set().union(*expected) >= {"outside:length", "unknown_sex", "old"}
    assert all(row["doubts"] is None for row, said in zip(told, expected, strict=True) if not said)


def test_a_model_without_a_usual_error_is_not_doubted_for_age() -> None:
    frame = pl.DataFrame({"sex": ["M"], "rings": [15.0]}).with_columns(
        pl.lit(0.3).alias(name) for name in MEASUREMENTS
    )
    old = frame.select(Doubter(KNOWN, 2.0).doubts).item()
    assert "old" in old
    assert "old" not in (frame.select(Doubter(KNOWN, None).doubts).item() or "")
    assert dataclasses.replace(Doubter(KNOWN, 2.0), known=None).known is None
