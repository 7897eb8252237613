from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest

from abalone_assets.errors import ModelArchiveError
from abalone_assets.modeling.dataset import take
from abalone_assets.modeling.known_animals import BANDS, MIN_ROWS, BandError, KnownAnimals
from abalone_assets.survey import MEASUREMENTS
from abalone_assets_tests.modeling.support import first_rows, quick_blend, splits

NONE = np.empty(0)


def test_ranges_and_ring_counts_are_of_each_sex() -> None:
    columns = first_rows(300)
    known = KnownAnimals.of(columns, NONE, NONE)
    males = np.asarray(columns["sex"]) == "M"
    lengths, rings = columns["length"][males], columns["rings"][males]
    assert known.ranges["M"]["length"] == (lengths.min(), lengths.max())
    assert set(known.ranges["M"]) == set(MEASUREMENTS)
    assert sum(known.rings["M"]) == males.sum()
    assert known.rings["M"][8] == (rings == 9).sum()
    assert len(known.rings["M"]) == rings.max()


def test_a_sex_without_animals_is_left_out() -> None:
    columns = first_rows(300)
    adults = take(columns, np.asarray(columns["sex"]) != "I")
    known = KnownAnimals.of(adults, NONE, NONE)
    assert set(known.ranges) == set(known.rings) == {"M", "F"}


def test_errors_are_told_by_predicted_rings_where_there_are_enough_animals() -> None:
    predicted = np.array([8.0] * MIN_ROWS + [20.0] * MIN_ROWS + [12.0] * (MIN_ROWS - 1))
    actual = predicted + np.where(predicted == 20.0, 3.0, 1.0)
    known = KnownAnimals.of(first_rows(10), predicted, actual)
    assert known.error_at(7.0) == BandError(7.0, 9.0, MIN_ROWS, 1.0)
    assert known.error_at(8.999) == known.error_at(7.0)
    assert known.error_at(9.0) is None
    assert known.error_at(12.0) is None
    assert known.error_at(45.0) == BandError(BANDS[-2], math.inf, MIN_ROWS, 3.0)


def test_the_document_is_json_and_tells_the_same() -> None:
    predicted = np.full(MIN_ROWS, 30.0)
    known = KnownAnimals.of(first_rows(50), predicted, predicted + 2)
    text = json.dumps(known.document(), allow_nan=False)
    assert KnownAnimals.from_document(json.loads(text)) == known


@pytest.mark.parametrize(
    "document",
    [
        None,
        [],
        {},
        {"ranges": {}, "rings": {}},
        {"ranges": 1, "rings": {}, "errors": []},
        {"ranges": {"M": {"length": [1]}}, "rings": {}, "errors": []},
    ],
)
def test_a_damaged_document_is_refused(document: Any) -> None:
    with pytest.raises(ModelArchiveError, match="model card"):
        KnownAnimals.from_document(document)


def test_a_trained_model_tells_of_its_training_rows_and_its_out_of_fold_errors() -> None:
    model = quick_blend()
    assert model.card.known_animals is not None
    known = KnownAnimals.from_document(model.card.known_animals)
    train = splits()["train"]
    assert sum(map(sum, known.rings.values())) == len(train["rings"])
    assert model.out_of_fold is not None
    predicted = model.out_of_fold.predicted
    young, old = known.error_at(8.0), known.error_at(12.0)
    assert young is not None
    assert old is not None
    assert young.rows == ((predicted >= 7) & (predicted < 9)).sum()
    assert 0.5 < young.rmse < old.rmse < 6
