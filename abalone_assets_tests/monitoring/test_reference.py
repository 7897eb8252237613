"""What predictions and measurements are compared with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from abalone_assets.ingest.frames import survey_frame
from abalone_assets.monitoring.reference import reference_of
from abalone_assets.survey import parse_survey
from abalone_assets_tests.serving.support import new_registry
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from pathlib import Path


def test_example_animals_are_compared_with_and_simulated_ones_are_not(tmp_path: Path) -> None:
    files = [parse_survey(survey_rows(5, seed=seed), f"file {seed}") for seed in range(3)]
    split: pl.DataFrame = survey_frame(files, origins={"file 1": "example", "file 2": "synthetic"})
    reference = reference_of(split, new_registry(tmp_path), None)
    assert list(reference.columns["length"]) == split["length"].to_list()[:10]
    assert not reference.predicted.size
