from __future__ import annotations

import gc
import sys
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from abalone_assets.errors import SettingsError, StorageError
from abalone_assets.etl import polars_engine, spark_engine
from abalone_assets.etl.java import ensure_java
from abalone_assets.etl.request import PrepareRequest
from abalone_assets.resources.etl_engine import SparkEngine
from abalone_assets.sample_data import surveys
from abalone_assets_tests.etl.support import frame_of, renamed, request_for
from abalone_assets_tests.fakes.spark import LOCAL
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyspark.sql import SparkSession

pytestmark = [
    pytest.mark.xdist_group("spark"),
    # Py4J leaves its sockets to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]


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


@pytest.fixture
def survey() -> pl.DataFrame:
    return frame_of(survey_rows(60))


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def outputs(request: PrepareRequest) -> dict[str, pl.DataFrame]:
    uris = {"merged_dataset": request.merged, **request.splits}
    return {name: pl.read_parquet(uri, glob=False) for name, uri in uris.items()}


def test_rows_order_types_and_splits_are_those_of_polars(
    spark: SparkSession, tmp_path: Path, uci_file: Path
) -> None:
    base = frame_of(uci_file.read_bytes(), "abalone.data")
    inputs = {
        "raw abalone": base,
        "again": renamed(base.sample(500, seed=0), "abalone.19000101000000"),
        **{path.name: frame_of(path.read_bytes(), path.name) for path in surveys()},
        "simulated": frame_of(survey_rows(30, seed=5), "abalone.20250305120000", simulated=True),
        "before simulations": frame_of(survey_rows(40, seed=5)).drop("origin"),
        "empty": base.clear(),
    }
    # Spark takes the brackets of a path for a pattern unless it is told otherwise.
    by_polars = request_for(inputs, str(tmp_path / "polars"))
    by_spark = request_for(inputs, str(tmp_path / "a [b] *? {c}"))
    expected = polars_engine.prepare(by_polars)
    report = spark_engine.prepare(spark, by_spark)
    for name, frame in outputs(by_polars).items():
        assert_frame_equal(outputs(by_spark)[name], frame, check_exact=True)
    assert report.engine == "spark 3.5.6"
    assert report.rows_in == expected.rows_in
    assert report.repeats == expected.repeats > 500
    assert report.rows == expected.rows
    assert report.synthetic_rows == expected.synthetic_rows == 30
    assert report.schema.keys() == expected.schema.keys()
    assert files_below(tmp_path / "a [b] *? {c}" / "merged_dataset") == ["data.parquet"]


def test_the_sessions_own_settings_are_as_before(
    spark: SparkSession, tmp_path: Path, survey: pl.DataFrame
) -> None:
    spark.conf.set("spark.sql.shuffle.partitions", "7")
    spark_engine.prepare(spark, request_for({"survey": survey}, str(tmp_path)))
    assert spark.conf.get("spark.sql.shuffle.partitions") == "7"
    assert spark.conf.get("spark.sql.adaptive.enabled") == "true"


def test_a_hundred_inputs_are_read_and_one_row_leaves_two_splits_empty(
    spark: SparkSession, tmp_path: Path, survey: pl.DataFrame
) -> None:
    days = {f"survey_day={number:03}/data": survey.head(1) for number in range(100)}
    request = request_for(days, str(tmp_path))
    report = spark_engine.prepare(spark, request)
    assert (report.rows_in, report.repeats) == (100, 99)
    assert sorted(len(frame) for frame in outputs(request).values()) == [0, 0, 1, 1]


def test_inputs_without_rows_give_outputs_without_rows(
    spark: SparkSession, tmp_path: Path, survey: pl.DataFrame
) -> None:
    request = request_for({"survey": survey.clear()}, str(tmp_path))
    report = spark_engine.prepare(spark, request)
    assert set(report.rows.values()) == {report.rows_in} == {0}
    assert outputs(request)["train_split"].schema == survey.drop("line").schema


def test_nothing_to_prepare_is_one_clear_error(spark: SparkSession) -> None:
    with pytest.raises(StorageError, match="nothing to prepare: the lake holds neither"):
        spark_engine.prepare(spark, PrepareRequest((), "merged.parquet", {}))


def test_a_missing_input_is_one_clear_error_and_writes_nothing(
    spark: SparkSession, tmp_path: Path, survey: pl.DataFrame
) -> None:
    request = request_for({"survey": survey}, str(tmp_path))
    missing = replace(request, inputs=(*request.inputs, str(tmp_path / "gone.parquet")))
    with pytest.raises(StorageError, match=r"cannot read or write its data: .*gone\.parquet"):
        spark_engine.prepare(spark, missing)
    assert files_below(tmp_path) == ["inputs/survey.parquet"]


@pytest.mark.parametrize("damage", ["not Parquet", "pages", "lacks a column", "another type"])
def test_a_damaged_input_is_named_and_leaves_the_old_outputs(
    spark: SparkSession, tmp_path: Path, survey: pl.DataFrame, damage: str
) -> None:
    request = request_for({"good": survey, "damaged": survey}, str(tmp_path))
    (tmp_path / "merged_dataset").mkdir()
    (tmp_path / "merged_dataset" / "data.parquet").write_bytes(b"old")
    path = tmp_path / "inputs" / "damaged.parquet"
    data = path.read_bytes()
    if damage == "lacks a column":
        survey.drop("rings").write_parquet(path)
    elif damage == "another type":
        survey.with_columns(rings=pl.lit("many")).write_parquet(path)
    else:
        path.write_bytes(data[:4] + b"\xff" * 200 + data[204:] if damage == "pages" else b"x" * 99)
    with pytest.raises(StorageError, match=r"cannot read or write its data: .*damaged\.parquet"):
        spark_engine.prepare(spark, request)
    assert files_below(tmp_path / "merged_dataset") == ["data.parquet"]
    assert (tmp_path / "merged_dataset" / "data.parquet").read_bytes() == b"old"


def test_an_output_that_cannot_be_written_is_one_clear_error_and_leaves_nothing(
    spark: SparkSession, tmp_path: Path, survey: pl.DataFrame
) -> None:
    request = request_for({"survey": survey}, str(tmp_path))
    (tmp_path / "merged_dataset" / "data.parquet").mkdir(parents=True)
    with pytest.raises(StorageError, match="cannot read or write its data"):
        spark_engine.prepare(spark, request)
    assert files_below(tmp_path) == ["inputs/survey.parquet"]


def test_the_spark_engine_prepares_in_this_process(
    spark: SparkSession, tmp_path: Path, survey: pl.DataFrame
) -> None:
    engine = SparkEngine(spark_config={"spark.sql.session.timeZone": "UTC"})
    report, job = engine.prepare(
        request_for({"survey": survey}, str(tmp_path)), dg.build_asset_context()
    )
    assert report.rows["merged_dataset"] == 60
    assert job.seconds == report.seconds


def test_without_the_extra_the_spark_engine_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "dagster_pyspark", None)
    with pytest.raises(SettingsError, match=r"needs dagster_pyspark: .*abalone-assets\[spark\]"):
        SparkEngine().prepare(PrepareRequest((), "", {}), dg.build_asset_context())
