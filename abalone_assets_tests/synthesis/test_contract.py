"""What is simulated obeys the survey contract, and what that took is counted."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from abalone_assets.ingest.frames import count_violations
from abalone_assets.survey import parse_survey
from abalone_assets.synthesis import SynthesisError
from abalone_assets.synthesis.contract import MAX_DRAWS_PER_ROW, simulate
from abalone_assets.synthesis.representation import STEPS
from abalone_assets.synthesis.survey_file import survey_text
from abalone_assets_tests.synthesis.support import Scripted, animal, animals, copula, real

NO_ROWS = animals(animal(rings=29))


def test_a_simulated_survey_has_nothing_to_quarantine_or_to_find_odd() -> None:
    drawn = simulate(copula(), 500, np.random.default_rng(0), real().all)
    parsed = parse_survey(survey_text(drawn.columns), "abalone.20250901061500")
    assert (parsed.row_count, parsed.quarantined) == (500, [])
    assert set(count_violations(pl.DataFrame(parsed.columns)).values()) == {0}
    for name, values in parsed.columns.items():
        assert list(drawn.columns[name]) == values


def test_every_reading_is_on_the_grid_of_its_instrument() -> None:
    drawn = simulate(copula(), 300, np.random.default_rng(0), real().all)
    for name, step in STEPS.items():
        steps = drawn.columns[name] / step
        assert np.abs(steps - np.rint(steps)).max() < 1e-6, name
    assert drawn.columns["rings"].dtype == np.int64


def test_each_broken_rule_is_counted_and_its_row_drawn_again() -> None:
    odd = {
        "length_above_maximum": [animal(length=1.6), animal(length=float("nan"))],
        "whole_weight_above_maximum": [animal(whole_weight=float("inf"))],
        "shucked_over_whole": [animal(shucked_weight=0.6)],
        "parts_over_whole": [animal(shucked_weight=0.4)],
        "diameter_over_length": [animal(diameter=0.5)],
        "height_outlier": [animal(height=0.4)],
        "repeats_a_row": [animal(rings=29), animal(rings=7)],
    }
    bad = [row for rows in odd.values() for row in rows]
    heavy = animal(rings=8, shucked_weight=0.28)  # 3 % over the whole, as real ones are
    drawn = simulate(Scripted([animal(rings=7), *bad, heavy]), 2, np.random.default_rng(0), NO_ROWS)
    assert drawn.columns["rings"].tolist() == [7, 8]
    assert drawn.rejected == {rule: len(rows) for rule, rows in odd.items()}
    assert (drawn.drawn, drawn.rejected_share) == (11, 9 / 11)


def test_what_an_instrument_cannot_show_is_clipped_and_counted() -> None:
    rows = [animal(viscera_weight=0.0001), animal(rings=0.2), animal(rings=70.0)]
    drawn = simulate(Scripted(rows), 3, np.random.default_rng(0), NO_ROWS)
    assert drawn.columns["viscera_weight"].tolist() == [0.0005, 0.101, 0.101]
    assert drawn.columns["rings"].tolist() == [15, 1, 60]
    assert drawn.repaired == {"viscera_weight_below_one_step": 1, "rings_out_of_range": 2}
    assert drawn.repaired_share == 1


def test_a_synthesizer_that_has_learnt_nothing_ends_in_an_error() -> None:
    with pytest.raises(SynthesisError, match=r"9 of 10 rows are still missing .*repeats_a_row"):
        simulate(Scripted([animal()]), 10, np.random.default_rng(0), NO_ROWS)
    assert MAX_DRAWS_PER_ROW < 100  # the error above came after few draws
