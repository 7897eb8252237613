"""Good simulations pass, and each way to be bad shows in its number."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import pytest

from abalone_assets.modeling.dataset import concat, take
from abalone_assets.synthesis.contract import SimulatedRows
from abalone_assets.synthesis.quality import (
    THRESHOLDS,
    Quality,
    assess,
    assess_synthesizer,
    broken_thresholds,
    correlations,
    fidelity,
    fit_score,
    nearest,
)
from abalone_assets.synthesis.representation import STEPS
from abalone_assets_tests.synthesis.support import (
    Table,
    animal,
    animals,
    copula,
    real,
    teach_nothing,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@cache
def sample() -> tuple[SimulatedRows, Quality]:
    return assess_synthesizer(copula(), real())


def judged(columns: Table) -> set[str]:
    """The numbers that break their threshold."""
    quality = assess(SimulatedRows(columns, len(columns["sex"]), {}, {}), real())
    return {each.number for each in THRESHOLDS if not each.holds(quality)}


@pytest.fixture
def untaught(monkeypatch: pytest.MonkeyPatch) -> None:
    teach_nothing(monkeypatch)


def test_the_copula_passes_and_is_judged_by_thousands_of_rows() -> None:
    rows, quality = sample()
    assert broken_thresholds(quality) == []
    assert rows.rows == 2000
    assert quality["copies"] == 0


def shifted(rows: Table, name: str, by: float) -> Table:
    return {**rows, name: rows[name] + by}


@pytest.mark.parametrize(
    ("spoil", "broken"),
    [
        pytest.param(lambda _: real().fitted, {"copies", "near_share", "near_ratio"}, id="copies"),
        pytest.param(lambda rows: shifted(rows, "rings", 3), {"ks_worst_excess"}, id="old"),
        pytest.param(
            lambda rows: {**rows, **{name: rows[name] * 1.2 for name in STEPS}},
            {"ks_mean_excess", "ks_worst_excess"},
            id="grown",
        ),
        pytest.param(lambda rows: take(rows, rows["sex"] == "M"), {"sex_tv_excess"}, id="males"),
    ],
)
def test_each_way_to_be_bad_shows_in_its_number(
    untaught: None, spoil: Callable[[Table], Table], broken: set[str]
) -> None:
    assert broken <= judged(spoil(sample()[0].columns))


def test_rows_beside_real_ones_are_too_near_though_no_copies(untaught: None) -> None:
    beside = shifted(real().fitted, "whole_weight", 0.0005)
    assert judged(beside) == {"near_share", "near_ratio"}


def test_columns_shuffled_against_each_other_lose_their_correlations() -> None:
    rng = np.random.default_rng(0)
    shuffled = {name: rng.permutation(values) for name, values in sample()[0].columns.items()}
    assert {"correlation_excess", "tstr_ratio"} <= judged(shuffled)


def test_what_was_rejected_or_repaired_counts() -> None:
    _, quality = sample()
    bad = quality | {"rejected_share": 0.5, "repaired_share": 0.1}
    assert [reason.split(" is ")[0] for reason in broken_thresholds(bad)] == [
        "rejected_share",
        "repaired_share",
    ]


def test_a_number_that_is_none_passes_nothing() -> None:
    bad = sample()[1] | {"tstr_ratio": float("nan")}
    assert broken_thresholds(bad)[0].startswith("tstr_ratio is nan, at most 1.1 passes")


def test_rows_are_as_far_from_themselves_as_chance_says() -> None:
    assert set(fidelity(real().fitted, real().fitted).values()) == {0}


def test_two_slips_of_the_pen_do_not_hide_the_correlations() -> None:
    rows = real().fitted
    slips = animals(animal(height=1.13), animal(height=0.515, rings=3))
    np.testing.assert_allclose(correlations(concat([rows, slips])), correlations(rows))


def test_the_nearest_animal_is_of_the_same_sex() -> None:
    others = animals(animal(), animal(sex="F", length=0.5), animal(length=0.6, rings=20))
    distances = nearest(animals(animal(), animal(sex="F", length=0.5), animal(sex="I")), others)
    assert distances[:2] == pytest.approx([0, 0], abs=1e-6)
    assert distances[2] == np.inf


def test_a_better_fit_scores_lower() -> None:
    columns = sample()[0].columns
    rng = np.random.default_rng(0)
    worse = {**columns, "rings": rng.permutation(columns["rings"])}
    assert fit_score(columns, real().fitted) < fit_score(worse, real().fitted)
