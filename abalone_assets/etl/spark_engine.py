"""The preparation on Spark: as `abalone_assets.etl.polars_engine`, for a Glue job or any master.

Reading, and most of removing repeats, is spread over the cluster; everything past the first shuffle
is one task, because each output is one object in one order.
"""

from __future__ import annotations

import re
import sys
import time
from contextlib import contextmanager
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Final

import narwhals as nw

from abalone_assets.errors import StorageError
from abalone_assets.etl.preparation import PROVENANCE, SURVEY_COLUMNS, is_missing, merge, split
from abalone_assets.etl.request import MERGED, PrepareReport, PrepareRequest
from abalone_assets.etl.spark_output import replaced
from abalone_assets.survey import COLUMNS
from abalone_assets.survey.origin import SURVEYED, SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyspark.sql import DataFrame, SparkSession

_TYPES: Final = {"string": "string", "float64": "double", "int64": "bigint"}
INPUT_SCHEMA: Final = ", ".join(
    [f"{column.name} {_TYPES[column.dtype]}" for column in COLUMNS]
    + [f"{name} string" for name in PROVENANCE]
)
"""Given, not inferred, because Spark would infer it from a single file of thousands."""

INPUT_FILE: Final = "input_file"

_ONE_TASK: Final = {"spark.sql.shuffle.partitions": "1", "spark.sql.adaptive.enabled": "false"}
_NAMES_A_FILE: Final = re.compile(r"\b(reading|in) file\b")
_GLOB_CHARACTER: Final = re.compile(r"[\\*?\[\]{}]")


def prepare(
    spark: SparkSession,
    request: PrepareRequest,
    before_replacing: Callable[[], object] = lambda: None,
) -> PrepareReport:
    """Merge and split; rows, order, types and splits are those of the Polars engine.

    All is read each time: nothing is kept.

    Args:
        spark: A session whose master can read the inputs and write the outputs.
        request: URIs, local or ``s3://``.
        before_replacing: Called before each output is put in place; what it raises leaves the old.

    Raises:
        StorageError: There is no input, one cannot be read, or an output cannot be written.
    """
    started = time.perf_counter()
    if not request.all_inputs:
        raise StorageError("nothing to prepare: the lake holds neither raw_abalone nor a survey")
    with (
        _translate_errors(),
        _one_task(spark),
        _kept(_read(spark, request)) as inputs,
        _kept(nw.to_native(merge(nw.from_native(inputs)))) as merged,
    ):
        rows_in = _complete_rows(inputs)
        repeats = rows_in - inputs.select(*SURVEY_COLUMNS).distinct().count()
        rows = {}
        for name, uri in request.outputs.items():
            part = merged if name == MERGED else nw.to_native(split(nw.from_native(merged), name))
            with replaced(uri, request.staging) as staged:
                part.write.parquet(staged)
                before_replacing()
            rows[name] = spark.read.schema(part.schema).parquet(_path(uri)).count()
        synthetic_rows = merged.where(merged.origin == SYNTHETIC).count()
    return PrepareReport(
        engine=f"spark {spark.version}",
        rows_in=rows_in,
        repeats=repeats,
        rows=rows,
        synthetic_rows=synthetic_rows,
        seconds=time.perf_counter() - started,
    )


def _read(spark: SparkSession, request: PrepareRequest) -> DataFrame:
    """All rows, each with the file that it was read from and whether it is of the newest."""
    from pyspark.sql import functions as f

    parts = [
        spark.read.schema(INPUT_SCHEMA)
        .parquet(*map(_path, uris))
        .withColumn("newest", f.lit(is_newest))
        for is_newest, uris in enumerate((request.inputs, request.newest))
        if uris
    ]
    rows = reduce(lambda one, other: one.unionAll(other), parts)
    return rows.fillna(SURVEYED, subset=["origin"]).withColumn(INPUT_FILE, f.input_file_name())


def _complete_rows(inputs: DataFrame) -> int:
    """The number of rows.

    Raises:
        StorageError: Some lack a value: Spark reads a column that a file has not got as nulls, and
            what is not finite would be no value of a mean either.
    """
    from pyspark.sql import functions as f

    absent = [inputs[name].isNull() for name in inputs.columns]
    measured = [inputs[name] for name, kind in inputs.dtypes if kind == "double"]
    # isnan, though NaN is the greatest number to Spark: Parquet's statistics know of none.
    not_finite = [f.isnan(each) | (f.abs(each) > sys.float_info.max) for each in measured]
    incomplete = inputs.where(reduce(or_, absent + not_finite)).first()
    if incomplete is not None:
        columns = [name for name in inputs.columns if is_missing(incomplete[name])]
        raise StorageError(
            f"the preparation cannot read or write its data: {incomplete[INPUT_FILE]} lacks "
            f"{', '.join(columns)}"
        )
    return inputs.count()


@contextmanager
def _kept(frame: DataFrame) -> Iterator[DataFrame]:
    """Keep what a frame holds, once computed: thousands of files are read once, not five times."""
    try:
        yield frame.persist()
    finally:
        frame.unpersist()


def _path(uri: str) -> str:
    """The URI as Spark takes it: with a scheme, and nothing that it would take for a pattern."""
    escaped = _GLOB_CHARACTER.sub(r"\\\g<0>", uri)
    return escaped if uri.startswith("s3://") else f"file://{escaped}"


@contextmanager
def _one_task(spark: SparkSession) -> Iterator[None]:
    """One partition after each shuffle, so that a sorted frame is written as one sorted file.

    To `coalesce` several sorted partitions instead would keep their order only by chance: Spark
    takes first what lies near.
    """
    before = {name: str(spark.conf.get(name)) for name in _ONE_TASK}
    for name, value in _ONE_TASK.items():
        spark.conf.set(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            spark.conf.set(name, value)


@contextmanager
def _translate_errors() -> Iterator[None]:
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    try:
        yield
    except (OSError, Py4JError, PySparkException) as error:
        raise StorageError(
            f"the preparation cannot read or write its data: {_reason(error)}"
        ) from error


def _reason(error: Exception) -> str:
    """The first line, of those that Java tells, that names the file, and the innermost cause."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    files = [line for line in lines if _NAMES_A_FILE.search(line)]
    causes = [line for line in lines if line.startswith("Caused by: ")]
    told = [*files[:1], *causes[-1:]] or lines[:1] or [type(error).__name__]
    return "; ".join(line.rpartition("Exception: ")[2].rstrip(": ") for line in told)
