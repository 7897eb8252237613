"""The frames of ingestion."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from abalone_assets.ingest.frames import (
    QUARANTINE_SCHEMA,
    SURVEY_SCHEMA,
    count_violations,
    quarantine_frame,
    survey_frame,
    surveyed_rows,
    to_parquet,
)
from abalone_assets.survey import ParsedSurvey, parse_survey
from abalone_assets_tests.support.platform import survey_rows


def parsed(count: int, name: str) -> ParsedSurvey:
    return parse_survey(survey_rows(count, seed=count) + b"X,1\n", name)


FILES = [parsed(6, "c"), parsed(0, "a"), parsed(9, "b")]


def test_the_rows_of_several_files_are_those_of_each_in_turn() -> None:
    each = pl.concat([survey_frame([file], origins={"b": "synthetic"}) for file in FILES])
    assert_frame_equal(survey_frame(iter(FILES), origins={"b": "synthetic"}), each)
    assert each["source_file"].to_list() == ["c"] * 6 + ["b"] * 9
    assert each["origin"].to_list() == ["surveyed"] * 6 + ["synthetic"] * 9
    assert len(quarantine_frame(FILES)) == len(FILES)


def test_example_rows_count_as_surveyed_and_simulated_ones_do_not(tmp_path: Path) -> None:
    frame = survey_frame(FILES, origins={"b": "synthetic", "c": "example"})
    (tmp_path / "rows.parquet").write_bytes(to_parquet(frame))
    assert surveyed_rows(str(tmp_path / "rows.parquet")) == 6


def test_no_files_are_frames_without_rows() -> None:
    assert survey_frame([]).schema == SURVEY_SCHEMA
    assert quarantine_frame([]).schema == QUARANTINE_SCHEMA


@pytest.mark.parametrize("rows", [0, 3])
def test_usual_rows_violate_nothing(rows: int) -> None:
    assert set(count_violations(survey_frame([parsed(rows, "a")])).values()) == {0}
