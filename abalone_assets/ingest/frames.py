"""The frames of ingestion: surveys and quarantined rows as Polars data frames."""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Final

import polars as pl

from abalone_assets.lake.tables import TABLES
from abalone_assets.survey.origin import SURVEYED, SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from abalone_assets.survey import ParsedSurvey

_DTYPES: Final = {
    "string": pl.String(),
    "float64": pl.Float64(),
    "int64": pl.Int64(),
    "timestamp": pl.Datetime("us", "UTC"),
}


def schema_of(asset: str) -> pl.Schema:
    """The columns of an asset's frames, as `TABLES` has them."""
    return pl.Schema({column.name: _DTYPES[column.dtype] for column in TABLES[asset]})


SURVEY_SCHEMA: Final = schema_of("new_surveys")
"""The nine survey columns, then where each row was written and where it comes from."""

QUARANTINE_SCHEMA: Final = schema_of("quarantined_rows")


def survey_frame(
    surveys: Iterable[ParsedSurvey], *, synthetic: Collection[str] = ()
) -> pl.DataFrame:
    """The rows that obey the contract, in the order of the files: see ``SURVEY_SCHEMA``.

    Args:
        surveys: The parsed files.
        synthetic: Names of those among them that are simulations.
    """
    frames = [
        pl.DataFrame(
            {
                **survey.columns,
                "source_file": [survey.file] * survey.row_count,
                "line": survey.lines,
                "origin": [SYNTHETIC if survey.file in synthetic else SURVEYED] * survey.row_count,
            },
            schema=SURVEY_SCHEMA,
        )
        for survey in surveys
    ]
    return pl.concat(frames) if frames else pl.DataFrame(schema=SURVEY_SCHEMA)


def quarantine_frame(surveys: Iterable[ParsedSurvey]) -> pl.DataFrame:
    """The rows that broke the contract, each with its rule and raw text: ``QUARANTINE_SCHEMA``."""
    rows = [
        (row.file, row.line, row.column, row.rule, row.message, row.raw)
        for survey in surveys
        for row in survey.quarantined
    ]
    return pl.DataFrame(rows, schema=QUARANTINE_SCHEMA, orient="row")


def to_parquet(frame: pl.DataFrame) -> bytes:
    """The frame as the bytes of a Parquet file."""
    buffer = BytesIO()
    frame.write_parquet(buffer)
    return buffer.getvalue()


def rows_written(*uris: str) -> int:
    """The rows that Parquet objects hold, counted in the objects themselves."""
    stored = pl.scan_parquet(list(uris), glob=False, hive_partitioning=False)
    return int(stored.select(pl.len()).collect().item())


def surveyed_rows(uri: str) -> int:
    """The rows of a Parquet object that are no simulations."""
    stored = pl.scan_parquet(uri, glob=False, hive_partitioning=False)
    if "origin" in stored.collect_schema().names():
        stored = stored.filter(pl.col("origin") == SURVEYED)
    return int(stored.select(pl.len()).collect().item())
