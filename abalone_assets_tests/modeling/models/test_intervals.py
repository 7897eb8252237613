import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abalone_assets.errors import ModelArchiveError
from abalone_assets.modeling.models.intervals import Intervals
from abalone_assets_tests.modeling.support import Table

RATIOS = {"M": (-0.2, 0.3), "F": (-0.3, 0.4), "I": (-0.25, 0.25)}


def animals(sexes: str, noise: float = 0.2, seed: int = 0) -> tuple[np.ndarray, Table]:
    """Predictions, and animals whose rings spread around them, females' twice as far."""
    random = np.random.default_rng(seed)
    sex = np.asarray(list(sexes), dtype=object)
    predicted = random.uniform(5, 15, sex.size)
    spread = noise * np.where(sex == "F", 2, 1)
    return predicted, {"sex": sex, "rings": predicted * np.exp(random.normal(0, spread))}


def calibrated(predicted: np.ndarray, columns: Table, coverage: float = 0.9) -> Intervals:
    intervals = Intervals.calibrate(predicted, columns, coverage)
    assert intervals is not None
    return intervals


def test_hold_the_share_wanted_of_new_animals_of_each_sex() -> None:
    intervals = calibrated(*animals("MFI" * 1000))
    predicted, columns = animals("MFI" * 3000, seed=1)
    low, high = intervals.around(predicted, columns["sex"])
    inside = (low <= columns["rings"]) & (columns["rings"] <= high)
    for sex in "MFI":
        assert inside[columns["sex"] == sex].mean() == pytest.approx(0.9, abs=0.02)
    width = {sex: high - low for sex, (low, high) in intervals.log_ratios.items()}
    assert width["F"] > 1.8 * width["M"]


def test_a_sex_of_few_animals_takes_the_intervals_of_all() -> None:
    predicted, columns = animals("M" * 300 + "F" * 39)
    intervals = calibrated(predicted, columns)
    pooled = calibrated(predicted, columns | {"sex": np.full(339, "M", dtype=object)})
    assert intervals.log_ratios["F"] == intervals.log_ratios["I"] == pooled.log_ratios["M"]
    assert intervals.log_ratios["M"] != pooled.log_ratios["M"]


def test_too_few_animals_calibrate_nothing() -> None:
    assert Intervals.calibrate(*animals("M" * 19)) is None
    assert Intervals.calibrate(*animals("")) is None
    assert Intervals.calibrate(*animals("M" * 20)) is not None


@settings(max_examples=50, deadline=None)
@given(
    seed=st.integers(0, 1000),
    count=st.integers(40, 200),
    coverage=st.sampled_from([0.5, 0.8, 0.9, 0.99]),
)
def test_hold_at_least_their_share_of_the_animals_that_calibrated_them(
    seed: int, count: int, coverage: float
) -> None:
    """The corrected quantiles, one animal further out, are what split conformal rests on."""
    predicted, columns = animals("I" * count, seed=seed)
    low, high = calibrated(predicted, columns, coverage).log_ratios["I"]
    scores = np.log(columns["rings"] / predicted)
    rank = min(math.ceil((count + 1) * (1 + coverage) / 2), count)
    assert (scores <= high).sum() >= rank
    assert (scores >= low).sum() >= rank


def test_lie_around_the_prediction_in_rings() -> None:
    low, high = Intervals(0.9, RATIOS).around([10.0, 20.0], ["M", "F"])
    assert low == pytest.approx([10 * math.exp(-0.2), 20 * math.exp(-0.3)])
    assert high == pytest.approx([10 * math.exp(0.3), 20 * math.exp(0.4)])
    assert [ends.shape for ends in Intervals(0.9, RATIOS).around([], [])] == [(0,), (0,)]


def test_a_prediction_of_no_rings_has_an_interval_all_the_same() -> None:
    """A network may answer anything."""
    low, high = Intervals(0.9, RATIOS).around([-3.0], ["M"])
    assert 0 < low[0] < high[0]
    assert Intervals.calibrate(np.full(30, -1.0), animals("M" * 30)[1]) is not None


def test_survive_the_round_trip_through_a_model_card() -> None:
    document = json.loads(json.dumps(Intervals(0.9, RATIOS).document()))
    assert Intervals.from_document(document) == Intervals(0.9, RATIOS)


@pytest.mark.parametrize(
    "document",
    [
        None,
        7,
        {},
        {"coverage": 0.9, "log_ratios": {"M": [0, 1]}},
        {"coverage": "high", "log_ratios": RATIOS},
        {"coverage": 0.9, "log_ratios": RATIOS | {"F": [1]}},
        {"coverage": 0.9, "log_ratios": RATIOS | {"F": [1, 0]}},
        {"coverage": 0.9, "log_ratios": RATIOS | {"F": [math.nan, 0]}},
    ],
)
def test_refuse_a_document_that_is_none(document: object) -> None:
    with pytest.raises(ModelArchiveError, match="intervals"):
        Intervals.from_document(document)
