"""The bad rows of one survey file: read from the lake, and marked where they stand in the file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from abalone_assets.errors import StorageError
from abalone_assets.survey import QuarantinedRow
from abalone_assets.survey.header import PROBLEM
from abalone_assets.survey.opened import open_survey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from abalone_assets.lake.lake import Lake
    from abalone_assets.survey import Reading

_LINE_ENDING: Final = "\r\n"


def quarantined_rows(
    lake: Lake,
    day: str,
    file: str,
    limit: int | None = None,
    asset: str = "quarantined_rows",
) -> list[QuarantinedRow]:
    """The rows of a file that are in quarantine, in file order.

    Args:
        lake: The lake.
        day: The file's survey day, an ISO date.
        file: Its name.
        limit: How many at most; None for all.
        asset: The table that they are in.

    Raises:
        StorageError: The day's rows cannot be read.
    """
    uri = lake.uri(asset, day)
    try:
        rows = pl.scan_parquet(uri, glob=False, hive_partitioning=False)
        rows = rows.filter(pl.col("source_file") == file).sort("line", maintain_order=True)
        found = (rows if limit is None else rows.head(limit)).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StorageError(f"{uri}: cannot be read; ingest the day again: {error}") from error
    names = ("source_file", "line", "column", "rule", "message", "raw")
    return [QuarantinedRow(*row) for row in found.select(names).iter_rows()]


def marked_survey(
    data: bytes, file: str, bad: Iterable[QuarantinedRow], reading: Reading | None = None
) -> bytes:
    """The file as it is, with a first column that says what is wrong with a row; empty if nothing.

    Each record stays as it was written, in its place, so that who counted the animals finds it
    again and mends it there. The mended file can be given as it is: a column of this name is left
    out. It is the first column because a bad row may have any number of fields.

    Args:
        data: The file's content, which can be read as a survey.
        file: Its name, for messages.
        bad: Its bad rows.
        reading: How it is read; None when it obeys the contract.

    Raises:
        UnreadableSurveyError: Its text or its header is not understood.
    """
    opened = open_survey(data, file, reading=reading)
    problems = {row.line: row.message for row in bad}
    delimiter = opened.reading.delimiter
    header = opened.header_text or delimiter.join(opened.reading.names)
    lines = [f"{PROBLEM}{delimiter}{header.rstrip(_LINE_ENDING)}"]
    for line, _, raw in opened.records:
        # The record follows as it was written: its quotes may be what is wrong with it.
        problem = _quoted(problems[line]) if line in problems else ""
        lines.append(f"{problem}{delimiter}{raw.rstrip(_LINE_ENDING)}")
    return ("\n".join(lines) + "\n").encode()


def _quoted(text: str) -> str:
    """The text as a field of its own (RFC 4180)."""
    return '"' + text.replace('"', '""') + '"'
