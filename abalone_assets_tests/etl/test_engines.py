"""The preparation on each engine: the same rows in the same order, and the same errors."""

from __future__ import annotations

import gc
import sys
import threading
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from abalone_assets.errors import SettingsError, StorageError
from abalone_assets.etl import polars_engine, spark_engine
from abalone_assets.etl.java import ensure_java
from abalone_assets.etl.preparation import SURVEY_COLUMNS
from abalone_assets.etl.request import PrepareReport, PrepareRequest
from abalone_assets.lake.lease import LeaseError
from abalone_assets.resources.etl_engine import SparkEngine
from abalone_assets.sample_data import surveys as sample_surveys
from abalone_assets_tests.etl.support import SPLITS, Prepared, frame_of, renamed, request_for
from abalone_assets_tests.fakes.spark import LOCAL
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyspark.sql import SparkSession

    Prepare = Callable[..., PrepareReport]

pytestmark = [
    pytest.mark.xdist_group("spark"),
    # Py4J leaves its sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]

OUTPUTS = ("merged_dataset", *SPLITS)


@pytest.fixture(scope="module")
def spark() -> Iterator[SparkSession]:
    """The one session of this module: its start takes longer than any test."""
    from pyspark.sql import SparkSession

    ensure_java()
    builder = SparkSession.builder
    for name, value in LOCAL.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()
    _end_java()


def _end_java() -> None:
    """End the JVM and forget it, so that nothing of it is left to later tests."""
    from pyspark import SparkContext

    gateway = SparkContext._gateway
    assert gateway is not None
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(30)
    SparkContext._gateway = SparkContext._jvm = None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


@pytest.fixture(scope="module", params=["polars", "spark"])
def prepare(request: pytest.FixtureRequest) -> Prepare:
    """A preparation by each engine."""
    if request.param == "polars":
        return polars_engine.prepare
    session = request.getfixturevalue("spark")
    return partial(spark_engine.prepare, session)


@pytest.fixture
def surveys() -> list[pl.DataFrame]:
    """A survey of 60 rows, and one of 80 that has 20 of them."""
    first = frame_of(survey_rows(60), "abalone.20250303120000")
    second = frame_of(survey_rows(60, seed=1), "abalone.20250304120000")
    return [first, pl.concat([second, first.head(20)])]


@pytest.fixture
def survey(surveys: list[pl.DataFrame]) -> pl.DataFrame:
    return surveys[0]


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def with_newest(request: PrepareRequest, count: int) -> PrepareRequest:
    """The same with so many of the last inputs as those of the newest surveys."""
    older = request.inputs[: len(request.inputs) - count]
    newest = request.inputs[len(older) :]
    return replace(request, inputs=older, newest=newest, older="these" if count else "")


def outputs(request: PrepareRequest) -> dict[str, pl.DataFrame]:
    uris = {"merged_dataset": request.merged, **request.splits}
    return {name: pl.read_parquet(uri, glob=False) for name, uri in uris.items()}


# Both engines -----------------------------------------------------------------------------------


def test_a_second_preparation_replaces_the_first_also_in_a_folder_that_looks_like_a_pattern(
    prepare: Prepare, tmp_path: Path, surveys: list[pl.DataFrame]
) -> None:
    # Polars and Spark both take the brackets of a path for a pattern unless told otherwise.
    request = request_for({"one": surveys[0], "other": surveys[1]}, str(tmp_path / "a [b] *?"))
    assert prepare(request).rows["merged_dataset"] == 120
    assert prepare(replace(request, inputs=request.inputs[:1])).rows["merged_dataset"] == 60
    assert len(outputs(request)["merged_dataset"]) == 60
    assert files_below(Path(request.merged).parent) == ["data.parquet"]


def test_a_hundred_inputs_are_read_and_one_row_leaves_two_splits_empty(
    prepare: Prepare, tmp_path: Path, survey: pl.DataFrame
) -> None:
    days = {f"survey_day={number:03}/data": survey.head(1) for number in range(100)}
    request = request_for(days, str(tmp_path))
    report = prepare(request)
    assert (report.rows_in, report.repeats) == (100, 99)
    assert sorted(len(frame) for frame in outputs(request).values()) == [0, 0, 1, 1]


def test_inputs_without_rows_give_outputs_without_rows(
    prepare: Prepare, tmp_path: Path, survey: pl.DataFrame
) -> None:
    request = request_for({"survey": survey.clear()}, str(tmp_path))
    report = prepare(request)
    assert set(report.rows.values()) == {report.rows_in} == {0}
    assert report.synthetic_share == 0
    assert outputs(request)["train_split"].schema == survey.drop("line").schema


def test_nothing_to_prepare_is_one_clear_error(prepare: Prepare) -> None:
    with pytest.raises(StorageError, match="nothing to prepare: the lake holds neither"):
        prepare(PrepareRequest((), "merged.parquet", {}))


def test_a_missing_input_is_one_clear_error_and_writes_nothing(
    prepare: Prepare, tmp_path: Path, survey: pl.DataFrame
) -> None:
    request = request_for({"survey": survey}, str(tmp_path))
    missing = replace(request, inputs=(*request.inputs, str(tmp_path / "gone.parquet")))
    with pytest.raises(StorageError, match=r"cannot read or write its data: .*gone\.parquet"):
        prepare(missing)
    assert files_below(tmp_path) == ["inputs/survey.parquet"]


@pytest.mark.parametrize(
    "damage",
    [
        *("not Parquet", "cut short", "pages", "lacks rings", "lacks source_file", "a type"),
        *("nan", "inf"),
    ],
)
def test_a_damaged_input_leaves_the_old_outputs_and_nothing_staged(
    prepare: Prepare, tmp_path: Path, survey: pl.DataFrame, damage: str
) -> None:
    request = request_for({"good": survey, "damaged": survey}, str(tmp_path))
    for name in OUTPUTS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.parquet").write_bytes(b"old")
    path = tmp_path / "inputs" / "damaged.parquet"
    data, named = path.read_bytes(), ""
    if damage.startswith("lacks"):
        column = damage.removeprefix("lacks ")
        survey.drop(column).write_parquet(path)
        named = rf": .*damaged\.parquet lacks {column}$"
    elif damage in {"nan", "inf"}:
        second = pl.int_range(pl.len()) == 1
        value = pl.when(second).then(float(damage)).otherwise(pl.col("shell_weight"))
        survey.with_columns(shell_weight=value).write_parquet(path)
        named = r": .*damaged\.parquet lacks shell_weight$"
    elif damage == "a type":
        survey.with_columns(rings=pl.lit("many")).write_parquet(path)
    elif damage == "pages":  # the footer is whole
        path.write_bytes(data[:4] + b"\xff" * 200 + data[204:])
    else:
        path.write_bytes(data[:-9] if damage == "cut short" else b"x" * 99)
    if prepare is not polars_engine.prepare:
        named = named or r": .*damaged\.parquet"
    with pytest.raises(StorageError, match=f"cannot read or write its data{named}"):
        prepare(request)
    kept = [f"{name}/data.parquet" for name in OUTPUTS]
    assert files_below(tmp_path) == sorted(["inputs/damaged.parquet", "inputs/good.parquet", *kept])
    assert {(tmp_path / name).read_bytes() for name in kept} == {b"old"}


@pytest.mark.parametrize("obstacle", ["a file for the folder", "a folder for the file"])
def test_an_output_that_cannot_be_written_is_one_clear_error_and_leaves_nothing(
    prepare: Prepare, tmp_path: Path, survey: pl.DataFrame, obstacle: str
) -> None:
    request = request_for({"survey": survey}, str(tmp_path))
    if obstacle == "a file for the folder":
        Path(request.merged).parent.touch()
    else:
        Path(request.merged).mkdir(parents=True)
    before = files_below(tmp_path)
    with pytest.raises(StorageError, match="cannot read or write its data"):
        prepare(request)
    assert files_below(tmp_path) == before


@pytest.mark.parametrize("newest", [0, 5])
def test_rows_order_types_and_splits_of_spark_are_those_of_polars(
    spark: SparkSession, tmp_path: Path, uci_file: Path, newest: int
) -> None:
    base = frame_of(uci_file.read_bytes(), "abalone.data")
    inputs = {
        "raw abalone": base,
        "again": renamed(base.sample(500, seed=0), "abalone.19000101000000"),
        **{path.name: frame_of(path.read_bytes(), path.name) for path in sample_surveys()},
        "simulated": frame_of(survey_rows(30, seed=5), "abalone.20250305120000", simulated=True),
        "before simulations": frame_of(survey_rows(40, seed=5)).drop("origin"),
        "empty": base.clear(),
    }
    by_polars = with_newest(request_for(inputs, str(tmp_path / "polars")), newest)
    by_spark = with_newest(request_for(inputs, str(tmp_path / "spark {c}")), newest)
    expected = polars_engine.prepare(by_polars)
    report = spark_engine.prepare(spark, by_spark)
    for name, frame in outputs(by_polars).items():
        assert_frame_equal(outputs(by_spark)[name], frame, check_exact=True)
    assert report.engine == "spark 3.5.6"
    assert report.rows_in == expected.rows_in
    assert report.repeats == expected.repeats > 500
    assert report.rows == expected.rows
    assert report.synthetic_rows == expected.synthetic_rows == 30


def test_whoever_may_write_no_more_puts_nothing_in_place(
    prepare: Prepare, tmp_path: Path, survey: pl.DataFrame
) -> None:
    request = request_for({"survey": survey}, str(tmp_path))

    def lost() -> NoReturn:
        raise LeaseError("another run has the lake")

    with pytest.raises(LeaseError, match="another run has the lake"):
        prepare(request, lost)
    assert files_below(tmp_path) == ["inputs/survey.parquet"]


# Polars -----------------------------------------------------------------------------------------


def test_reports_what_it_read_wrote_and_removed_and_where_rows_come_from(
    tmp_path: Path, surveys: list[pl.DataFrame]
) -> None:
    simulated = frame_of(survey_rows(40, seed=2), "abalone.20250305120000", simulated=True)
    # Rows ingested before there were simulations are surveyed.
    inputs = [surveys[0].drop("origin"), surveys[1], simulated, simulated.head(5)]
    prepared = Prepared(tmp_path, *inputs)
    report, columns = prepared.report, [*surveys[0].columns[:9], "source_file", "origin"]
    distinct = pl.concat([frame.select(SURVEY_COLUMNS) for frame in inputs]).n_unique()
    assert report.rows_in == 185
    assert report.rows["merged_dataset"] == len(prepared.merged) == distinct
    assert report.repeats == 185 - distinct > 5
    assert (report.synthetic_rows, report.synthetic_share) == (40, 40 / distinct)
    assert report.engine.startswith("polars ")
    assert report.seconds > 0
    assert prepared.merged.columns == [*columns, "bucket"]
    for name, frame in prepared.splits.items():
        assert (frame.columns, len(frame)) == (columns, report.rows[name])
    together = pl.concat(prepared.splits.values())
    assert dict(together["origin"].value_counts().iter_rows()) == {
        "surveyed": distinct - 40,
        "synthetic": 40,
    }
    sources = together.filter(pl.col("origin") == "synthetic")["source_file"]
    assert set(sources) == {"abalone.20250305120000"}


def test_shuffled_inputs_give_the_same_bytes(tmp_path: Path, surveys: list[pl.DataFrame]) -> None:
    whole = pl.concat(surveys)
    for number in range(3):
        shuffled = whole.sample(fraction=1.0, shuffle=True, seed=number)
        Prepared(tmp_path / f"{number}", shuffled.head(50), shuffled.tail(90))
    for name in OUTPUTS:
        key = f"{name}/data.parquet"
        assert len({(tmp_path / f"{number}" / key).read_bytes() for number in range(3)}) == 1


def test_a_reader_sees_the_old_or_the_new_rows_never_a_part(
    tmp_path: Path, surveys: list[pl.DataFrame]
) -> None:
    whole = request_for({"one": surveys[0], "other": surveys[1]}, str(tmp_path))
    half = replace(whole, inputs=whole.inputs[:1])
    counts = {polars_engine.prepare(request).rows["merged_dataset"] for request in (whole, half)}

    def prepare_again_and_again() -> None:
        for request in (whole, half) * 5:
            polars_engine.prepare(request)

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
        polars_engine.prepare(request)


# Spark ------------------------------------------------------------------------------------------


def test_the_spark_engine_prepares_in_this_process_and_leaves_the_sessions_settings(
    spark: SparkSession, tmp_path: Path, survey: pl.DataFrame
) -> None:
    spark.conf.set("spark.sql.shuffle.partitions", "7")
    report, job = SparkEngine(spark_config={"spark.sql.session.timeZone": "UTC"}).prepare(
        request_for({"survey": survey}, str(tmp_path)), dg.build_asset_context()
    )
    assert report.rows["merged_dataset"] == 60
    assert job.seconds == report.seconds
    assert spark.conf.get("spark.sql.shuffle.partitions") == "7"
    assert spark.conf.get("spark.sql.adaptive.enabled") == "true"


def test_without_the_extra_the_spark_engine_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "dagster_pyspark", None)
    with pytest.raises(SettingsError, match=r"needs dagster_pyspark: .*abalone-assets\[spark\]"):
        SparkEngine().prepare(PrepareRequest((), "", {}), dg.build_asset_context())


@pytest.mark.parametrize(
    "folder", ["sex=M/survey_day=2020-01-01", "a #1", "ü%41", "a%2Fb", "[x]*?"]
)
def test_a_folder_of_any_name_changes_no_column(
    prepare: Prepare, tmp_path: Path, folder: str
) -> None:
    survey = frame_of(survey_rows(60))
    request = request_for({"survey_day=2025-03-03/data": survey}, str(tmp_path / folder))
    assert prepare(request).rows["merged_dataset"] == 60
    merged = pl.read_parquet(Path(request.merged).read_bytes())
    columns = ["sex", "length", "whole_weight", "rings"]
    assert merged.select(columns).sort(columns).equals(survey.select(columns).sort(columns))
