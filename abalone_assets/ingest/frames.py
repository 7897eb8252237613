"""The frames of ingestion: surveys and quarantined rows as Polars data frames."""

from __future__ import annotations

from io import BytesIO
from itertools import chain, repeat
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, cast

import polars as pl

from abalone_assets.lake.tables import TABLES
from abalone_assets.survey import COLUMNS, SOFT_RULES
from abalone_assets.survey.origin import SURVEYED, SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from abalone_assets.survey import ParsedSurvey
    from abalone_assets.survey.soft_rules import SoftRule

_DTYPES: Final = {
    "string": pl.String(),
    "float64": pl.Float64(),
    "int64": pl.Int64(),
    "timestamp": pl.Datetime("us", "UTC"),
    "date": pl.Date(),
    "boolean": pl.Boolean(),
}


def schema_of(asset: str) -> pl.Schema:
    """The columns of an asset's frames, as `TABLES` has them."""
    return pl.Schema({column.name: _DTYPES[column.dtype] for column in TABLES[asset]})


SURVEY_SCHEMA: Final = schema_of("new_surveys")
"""The nine survey columns, then where each row was written and where it comes from."""

NO_ORIGINS: Final[Mapping[str, str]] = MappingProxyType({})

QUARANTINE_SCHEMA: Final = schema_of("quarantined_rows")


def survey_frame(
    surveys: Iterable[ParsedSurvey], *, origins: Mapping[str, str] = NO_ORIGINS
) -> pl.DataFrame:
    """The rows that obey the contract, in the order of the files: see ``SURVEY_SCHEMA``.

    Args:
        surveys: The parsed files.
        origins: The origins of those among them that are not surveyed, by their names.
    """
    surveys = list(surveys)

    def of_all(values: Callable[[ParsedSurvey], Iterable[object]]) -> list[object]:
        return list(chain.from_iterable(map(values, surveys)))

    def origin(survey: ParsedSurvey) -> str:
        return origins.get(survey.file, SURVEYED)

    # One frame of them all: Polars takes ten times as long to make one as to read forty rows.
    measured = {
        column.name: list(chain.from_iterable(each.columns[column.name] for each in surveys))
        for column in COLUMNS
    }
    return pl.DataFrame(
        {
            **measured,
            "source_file": of_all(lambda each: repeat(each.file, each.row_count)),
            "line": of_all(lambda each: each.lines),
            "origin": of_all(lambda each: repeat(origin(each), each.row_count)),
        },
        schema=SURVEY_SCHEMA,
    )


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
        stored = stored.filter(pl.col("origin") != SYNTHETIC)
    return int(stored.select(pl.len()).collect().item())


def _violated(rows: pl.DataFrame, rule: SoftRule) -> pl.Series:
    """Which rows violate a rule: what it says of one row, Polars works out for a column."""
    return cast(
        "pl.Series", rule.is_violated({name: cast("Any", rows[name]) for name in rule.columns})
    )


def count_violations(rows: pl.DataFrame) -> dict[str, int]:
    """How many rows violate each soft rule, and how many are below a plausible minimum.

    Returns:
        The number of rows for every rule's name and for ``below_minimum``, zeros included.
    """
    counts = {rule.name: int(_violated(rows, rule).sum()) for rule in SOFT_RULES}
    below = [pl.col(each.name) < each.minimum for each in COLUMNS if each.minimum is not None]
    return {**counts, "below_minimum": int(rows.select(pl.any_horizontal(below).sum()).item())}
