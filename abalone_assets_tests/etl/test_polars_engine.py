from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from abalone_assets.errors import StorageError
from abalone_assets.etl.polars_engine import prepare
from abalone_assets.etl.preparation import SURVEY_COLUMNS
from abalone_assets.etl.request import PrepareRequest
from abalone_assets_tests.etl.support import SPLITS, Prepared, frame_of, request_for
from abalone_assets_tests.support.platform import survey_rows

pytest_plugins = ("abalone_assets_tests.fakes.fixtures",)

OUTPUTS = ("merged_dataset", *SPLITS)


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def surveys() -> list[pl.DataFrame]:
    """Two surveys of 100 rows that share 20."""
    first = frame_of(survey_rows(60), "abalone.20250303120000")
    second = frame_of(survey_rows(60, seed=1), "abalone.20250304120000")
    return [first, pl.concat([second, first.head(20)])]


def test_reports_what_it_read_wrote_and_removed(
    tmp_path: Path, surveys: list[pl.DataFrame]
) -> None:
    prepared = Prepared(tmp_path, *surveys)
    report = prepared.report
    distinct = pl.concat(surveys).select(SURVEY_COLUMNS).n_unique()
    assert report.rows_in == 140
    assert report.rows["merged_dataset"] == len(prepared.merged) == distinct
    assert report.repeats == 140 - distinct > 0
    assert {name: report.rows[name] for name in SPLITS} == {
        name: len(frame) for name, frame in prepared.splits.items()
    }
    assert report.engine.startswith("polars ")
    assert report.schema == {name: str(dtype) for name, dtype in prepared.merged.schema.items()}
    assert report.seconds > 0


def test_merged_rows_and_splits_say_which_file_and_what_origin_a_row_has(
    tmp_path: Path, surveys: list[pl.DataFrame]
) -> None:
    prepared = Prepared(tmp_path, *surveys)
    columns = [*surveys[0].columns[:9], "source_file", "origin"]
    assert prepared.merged.columns == [*columns, "bucket"]
    assert all(frame.columns == columns for frame in prepared.splits.values())
    assert prepared.merged["sex"].null_count() == 0


def test_reports_how_many_of_the_merged_rows_are_simulated(
    tmp_path: Path, surveys: list[pl.DataFrame]
) -> None:
    simulated = frame_of(survey_rows(40, seed=2), "abalone.20250305120000", simulated=True)
    prepared = Prepared(tmp_path, *surveys, simulated, simulated.head(5))
    assert prepared.report.synthetic_rows == 40
    assert prepared.report.synthetic_share == 40 / len(prepared.merged)
    together = pl.concat(prepared.splits.values())
    assert dict(together["origin"].value_counts().iter_rows()) == {
        "surveyed": len(prepared.merged) - 40,
        "synthetic": 40,
    }
    assert set(together.filter(pl.col("origin") == "synthetic")["source_file"]) == {
        "abalone.20250305120000"
    }


def test_rows_ingested_before_there_were_simulations_are_surveyed(
    tmp_path: Path, surveys: list[pl.DataFrame]
) -> None:
    prepared = Prepared(tmp_path, surveys[0].drop("origin"), surveys[1])
    assert set(prepared.merged["origin"]) == {"surveyed"}
    assert prepared.report.rows_in == 140


@pytest.mark.parametrize("column", ["rings", "source_file"])
def test_an_input_without_a_column_is_named_with_what_it_lacks(
    tmp_path: Path, surveys: list[pl.DataFrame], column: str
) -> None:
    request = request_for({"whole": surveys[0], "part": surveys[1].drop(column)}, str(tmp_path))
    with pytest.raises(StorageError, match=rf"write its data: .*part\.parquet lacks {column}$"):
        prepare(request)


def test_no_rows_have_no_simulated_share(tmp_path: Path, surveys: list[pl.DataFrame]) -> None:
    assert Prepared(tmp_path, surveys[0].clear()).report.synthetic_share == 0


def test_shuffled_inputs_give_the_same_bytes(tmp_path: Path, surveys: list[pl.DataFrame]) -> None:
    whole = pl.concat(surveys)
    for number in range(3):
        shuffled = whole.sample(fraction=1.0, shuffle=True, seed=number)
        Prepared(tmp_path / f"{number}", shuffled.head(50), shuffled.tail(90))
    for name in OUTPUTS:
        key = f"{name}/data.parquet"
        assert len({(tmp_path / f"{number}" / key).read_bytes() for number in range(3)}) == 1


def test_a_second_preparation_replaces_the_first(
    tmp_path: Path, surveys: list[pl.DataFrame]
) -> None:
    Prepared(tmp_path, *surveys)
    again = Prepared(tmp_path, surveys[0])
    assert len(again.merged) == 60
    assert files_below(tmp_path / "merged_dataset") == ["data.parquet"]


def test_a_split_may_be_empty(tmp_path: Path) -> None:
    prepared = Prepared(tmp_path, frame_of(survey_rows(1)))
    assert sorted(len(frame) for frame in prepared.splits.values()) == [0, 0, 1]


def test_inputs_may_be_empty(tmp_path: Path) -> None:
    prepared = Prepared(tmp_path, frame_of(survey_rows(3)), frame_of(survey_rows(3)).clear())
    assert len(prepared.merged) == 3


def test_the_lake_may_lie_in_a_folder_whose_name_looks_like_a_pattern(
    tmp_path: Path, surveys: list[pl.DataFrame]
) -> None:
    # Polars took the brackets of such a path for a pattern, and found no file.
    assert len(_rows_merged_in(tmp_path / "a [b] *?", surveys)) == 60


def _rows_merged_in(folder: Path, surveys: list[pl.DataFrame]) -> pl.DataFrame:
    request = request_for({"survey": surveys[0]}, str(folder))
    prepare(request)
    return pl.read_parquet(request.merged, glob=False)


def test_nothing_to_prepare_is_one_clear_error() -> None:
    with pytest.raises(StorageError, match="nothing to prepare: the lake holds neither"):
        prepare(PrepareRequest((), "merged.parquet", {}))


def test_a_missing_input_is_one_clear_error_and_writes_nothing(
    tmp_path: Path, surveys: list[pl.DataFrame]
) -> None:
    request = request_for({"survey": surveys[0]}, str(tmp_path))
    missing = replace(request, inputs=(*request.inputs, str(tmp_path / "gone.parquet")))
    with pytest.raises(StorageError, match=r"cannot read or write its data: .*gone\.parquet"):
        prepare(missing)
    assert files_below(tmp_path) == ["inputs/survey.parquet"]


@pytest.mark.parametrize("damage", ["not Parquet", "cut short", "lacks a column"])
def test_a_damaged_input_leaves_the_old_outputs_and_no_staged_file(
    tmp_path: Path, surveys: list[pl.DataFrame], damage: str
) -> None:
    request = request_for({"survey": surveys[0]}, str(tmp_path))
    prepare(request)
    before = {name: (tmp_path / name).read_bytes() for name in files_below(tmp_path)}
    survey = tmp_path / "inputs" / "survey.parquet"
    if damage == "lacks a column":
        surveys[0].drop("rings").write_parquet(survey)
    else:
        survey.write_bytes(b"x" * 100 if damage == "not Parquet" else survey.read_bytes()[:-9])
    with pytest.raises(StorageError, match="cannot read or write its data"):
        prepare(request)
    before["inputs/survey.parquet"] = survey.read_bytes()
    assert {name: (tmp_path / name).read_bytes() for name in files_below(tmp_path)} == before


def test_a_failure_half_way_through_the_rows_leaves_no_staged_file(
    tmp_path: Path, surveys: list[pl.DataFrame]
) -> None:
    request = request_for({"survey": surveys[0]}, str(tmp_path))
    survey = tmp_path / "inputs" / "survey.parquet"
    data = survey.read_bytes()
    survey.write_bytes(data[:4] + b"\xff" * 200 + data[204:])  # the footer is whole, pages are not
    with pytest.raises(StorageError, match="cannot read or write its data"):
        prepare(request)
    assert files_below(tmp_path) == ["inputs/survey.parquet"]


def test_an_output_that_cannot_be_written_is_one_clear_error(
    tmp_path: Path, surveys: list[pl.DataFrame]
) -> None:
    request = request_for({"survey": surveys[0]}, str(tmp_path))
    (tmp_path / "merged_dataset").touch()
    with pytest.raises(StorageError, match="cannot read or write its data"):
        prepare(request)


def test_an_output_that_cannot_be_moved_to_its_place_leaves_no_staged_file(
    tmp_path: Path, surveys: list[pl.DataFrame]
) -> None:
    request = request_for({"survey": surveys[0]}, str(tmp_path))
    (tmp_path / "merged_dataset" / "data.parquet").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot read or write its data"):
        prepare(request)
    assert files_below(tmp_path) == ["inputs/survey.parquet"]


def test_a_reader_sees_the_old_or_the_new_rows_never_a_part(
    tmp_path: Path, surveys: list[pl.DataFrame]
) -> None:
    whole = request_for({"one": surveys[0], "other": surveys[1]}, str(tmp_path))
    half = replace(whole, inputs=whole.inputs[:1])
    counts = {prepare(request).rows["merged_dataset"] for request in (whole, half)}

    def prepare_again_and_again() -> None:
        for request in (whole, half) * 5:
            prepare(request)

    writer = threading.Thread(target=prepare_again_and_again)
    writer.start()
    seen = set()
    while writer.is_alive():
        seen.add(len(pl.read_parquet(Path(whole.merged).read_bytes())))
    writer.join()
    assert seen <= counts


def test_a_lake_on_s3_gives_the_same_rows_as_one_in_a_folder(
    tmp_path: Path, s3: str, surveys: list[pl.DataFrame]
) -> None:
    here, there = Prepared(tmp_path, *surveys), Prepared(s3, *surveys)
    assert there.merged.equals(here.merged)
    assert all(there.splits[name].equals(here.splits[name]) for name in SPLITS)
    assert there.report.rows == here.report.rows


def test_a_missing_input_on_s3_is_one_clear_error(s3: str) -> None:
    request = PrepareRequest((f"{s3}/gone.parquet",), f"{s3}/merged.parquet", {})
    with pytest.raises(StorageError, match=r"gone\.parquet"):
        prepare(request)
