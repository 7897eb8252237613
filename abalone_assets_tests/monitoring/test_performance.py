"""Errors on animals that were asked about first and surveyed later."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from abalone_assets.ingest.frames import schema_of
from abalone_assets.monitoring.performance import counted_later, live_errors
from abalone_assets.survey import FEATURES
from abalone_assets_tests.monitoring.support import animals

ASKED = datetime(2025, 3, 3, 10, tzinfo=UTC)
ANIMALS = animals(60)


def requests(predicted: Any, *, at: datetime = ASKED, **given: Any) -> pl.DataFrame:
    """The bundled animals, asked about at a time."""
    rings = np.asarray(predicted, dtype=np.float64)
    count = rings.size
    columns = {
        "event_id": [f"event {number}" for number in range(count)],
        "row": [1] * count,
        "asked_at": [at] * count,
        "model_version": [1] * count,
        **{name: ANIMALS[name][:count] for name in FEATURES},
        "rings": rings,
        "rings_low": rings - 2,
        "rings_high": rings + 2,
        **given,
    }
    frame = pl.DataFrame(columns)
    schema = schema_of("captured_requests")
    missing = [pl.lit(None).alias(name) for name in schema if name not in columns]
    return frame.with_columns(missing).cast(dict(schema)).select(list(schema))  # type: ignore[arg-type]


def survey(name: str = "abalone.20250304100000", *, count: int = 60, **given: Any) -> pl.DataFrame:
    """The bundled animals as a crew surveyed them."""
    columns = {
        **{name: values[:count] for name, values in ANIMALS.items()},
        "source_file": [name] * count,
        "line": list(range(1, count + 1)),
        "origin": ["surveyed"] * count,
        **given,
    }
    return pl.DataFrame(columns).cast(dict(schema_of("new_surveys")))  # type: ignore[arg-type]


def test_tells_the_errors_of_answers_given_before_the_count() -> None:
    found = counted_later(requests(ANIMALS["rings"] + 1.0), survey())
    errors = live_errors(found, {1: 2.0})
    assert errors is not None
    assert (errors.animals, errors.mae, errors.bias, errors.coverage) == (60, 1, 1, 1)
    assert errors.low == errors.rmse == errors.high == 1
    assert errors.expected == 2
    assert not errors.alarming


def test_an_error_larger_than_expected_is_alarming_once_it_is_certain() -> None:
    wrong = ANIMALS["rings"] + np.where(np.arange(60) % 2, 3.0, -3.0)
    errors = live_errors(counted_later(requests(wrong), survey()), {1: 2.0})
    assert errors is not None
    assert errors.alarming
    assert errors.coverage == 0
    few = live_errors(counted_later(requests(wrong[:20]), survey()), {1: 2.0})
    assert few is not None
    assert not few.alarming
    unknown = live_errors(counted_later(requests(wrong), survey()), {})
    assert unknown is not None
    assert (unknown.expected, unknown.alarming) == (None, False)


def test_a_larger_error_that_may_be_chance_is_not_alarming() -> None:
    """One animal of forty is far off: the error is larger, but where it really lies is open."""
    wrong = ANIMALS["rings"][:40] + np.where(np.arange(40) == 0, 20.0, 1.0)
    errors = live_errors(counted_later(requests(wrong), survey()), {1: 2.0})
    assert errors is not None
    assert errors.rmse > 1.1 * 2.0 > errors.low
    assert not errors.alarming


@pytest.mark.parametrize("name", ["abalone.20250303100000", "abalone.20250301000000"])
def test_what_the_model_could_have_known_proves_nothing(name: str) -> None:
    assert counted_later(requests(ANIMALS["rings"]), survey(name)).is_empty()
    assert live_errors(counted_later(requests(ANIMALS["rings"]), survey(name)), {}) is None


def test_simulated_animals_prove_nothing_and_example_ones_count() -> None:
    example = counted_later(requests(ANIMALS["rings"]), survey(origin=["example"] * 60))
    assert len(example) == 60
    found = counted_later(requests(ANIMALS["rings"]), survey(origin=["synthetic"] * 60))
    assert found.is_empty()


def test_the_last_answer_before_the_count_is_the_one_that_counts() -> None:
    asked = pl.concat(
        [
            requests([1.0], at=ASKED),
            requests([2.0], at=ASKED + timedelta(hours=1)),
            requests([3.0], at=ASKED + timedelta(days=7)),
        ]
    )
    assert counted_later(asked, survey(count=1))["rings"].to_list() == [2.0]


def test_float_noise_hides_no_animal() -> None:
    noisy = survey(length=ANIMALS["length"] + 1e-9)
    assert len(counted_later(requests(ANIMALS["rings"]), noisy)) == 60


def test_animals_alike_with_other_rings_are_left_out() -> None:
    twice = pl.concat([survey(count=2), survey("abalone.20250305000000", count=1, rings=[30])])
    assert len(counted_later(requests(ANIMALS["rings"]), twice)) == 1


def test_lines_without_animals_are_left_out() -> None:
    assert counted_later(requests([9.0], problem=["damaged"]), survey()).is_empty()
