"""A file of animals, read some thousand lines at a time, and their ages, written as they come."""

from __future__ import annotations

import csv
import os
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from abalone_assets.errors import StorageError, SurveyError
from abalone_assets.survey import COLUMNS, FEATURES, SurveyRowError, validate_measurements

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    import pyarrow as pa

BATCH_ROWS: Final = 10_000
"""Rows of one request; well below the largest body that an endpoint takes."""

STDOUT: Final = "-"
ANSWERS: Final = ("rings", "rings_low", "rings_high", "age_years", "model_version")
OUTPUT_COLUMNS: Final = (*FEATURES, *ANSWERS)
_NAMES: Final = tuple(column.name for column in COLUMNS)


@dataclass(frozen=True)
class Batch:
    """Some animals of a file.

    Attributes:
        rows: Sex and seven measurements of each, valid and canonical.
        ignored_rings: How many lines had a ninth field, which is not asked about.
    """

    rows: list[Sequence[Any]]
    ignored_rings: int

    def to_csv(self) -> str:
        """As an endpoint takes them."""
        return "".join(",".join(map(str, row)) + "\n" for row in self.rows)


def read_animals(
    lines: Iterable[str], name: str, *, batch_rows: int = BATCH_ROWS
) -> Iterator[Batch]:
    """The animals of CSV lines: eight fields, or nine with the rings, which are left out.

    A first line of the columns' names is passed over, and so are empty lines.

    Args:
        lines: As a text file gives them.
        name: The file's, for errors.
        batch_rows: Animals of a batch, at the most.

    Raises:
        SurveyError: A line is no animal, which is told with its number and column; the lines are no
            UTF-8 text, or there is no animal in them.
    """
    rows: list[Sequence[Any]] = []
    ignored = found = 0
    try:
        for fields, number in _records(lines, name):
            if number == 1 and _is_header(fields):
                continue
            ignored += len(fields) == len(_NAMES)
            rows.append(_animal(fields, name, number))
            found += 1
            if len(rows) == batch_rows:
                yield Batch(rows, ignored)
                rows, ignored = [], 0
    except UnicodeDecodeError as error:
        raise SurveyError(f"{name}: not UTF-8 text: {error.reason}") from error
    if not found:
        raise SurveyError(f"{name}: no rows in it; give eight fields a line")
    if rows:
        yield Batch(rows, ignored)


def _records(lines: Iterable[str], name: str) -> Iterator[tuple[list[str], int]]:
    """The fields of each line that has any, with the line's number, from 1."""
    reader = csv.reader(lines, strict=True)
    number = 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                yield fields, number
            number = reader.line_num + 1
    except csv.Error as error:
        raise SurveyError(f"{name}, line {reader.line_num}: not CSV: {error}") from error


def _is_header(fields: Sequence[str]) -> bool:
    names = [field.strip().lower().removeprefix("\ufeff") for field in fields]
    return names in ([*_NAMES], [*FEATURES])


def _animal(fields: list[str], name: str, number: int) -> Sequence[Any]:
    if number == 1:
        fields[0] = fields[0].removeprefix("\ufeff")
    measured = fields[:-1] if len(fields) == len(_NAMES) else fields
    try:
        return validate_measurements(measured)
    except SurveyRowError as error:
        column = f", column {error.column}" if error.column else ""
        raise SurveyError(f"{name}, line {number}{column}: {error.message}") from error


class Writer(Protocol):
    """What takes rows of `OUTPUT_COLUMNS`."""

    def __call__(self, rows: Sequence[Sequence[Any]], /) -> None:
        """Write some rows."""


@contextmanager
def writing_ages(target: str, to_stdout: Callable[[str], object]) -> Iterator[Writer]:
    """Write rows to a CSV file, a Parquet file (``.parquet``) or, for ``-``, as CSV to stdout.

    A file appears whole, over an earlier one, or not at all.

    Raises:
        StorageError: The file cannot be written.
    """
    with ExitStack() as stack:
        if target == STDOUT:
            yield _csv_writer(to_stdout)
            return
        path = Path(target)
        try:
            partial = path.with_name(f".{path.name}.{os.getpid()}")
            stack.callback(partial.unlink, missing_ok=True)
            with ExitStack() as opened:
                if path.suffix == ".parquet":
                    yield _parquet_writer(partial, opened)
                else:
                    yield _csv_writer(opened.enter_context(partial.open("w", newline="")).write)
            partial.replace(path)
        except OSError as error:
            raise StorageError(f"{target}: cannot be written: {error.strerror or error}") from error


def _csv_writer(write: Callable[[str], object]) -> Writer:
    write(",".join(OUTPUT_COLUMNS) + "\n")

    def rows_written(rows: Sequence[Sequence[Any]]) -> None:
        write("".join(",".join(["" if v is None else str(v) for v in row]) + "\n" for row in rows))

    return rows_written


def _parquet_writer(path: Path, stack: ExitStack) -> Writer:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"sex": pa.string(), "model_version": pa.int64()}
    schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in OUTPUT_COLUMNS])
    file = stack.enter_context(pq.ParquetWriter(path, schema))

    def rows_written(rows: Sequence[Sequence[Any]]) -> None:
        columns = dict(zip(OUTPUT_COLUMNS, zip(*rows, strict=True), strict=True))
        table: pa.Table = pa.table(
            {name: list(values) for name, values in columns.items()}, schema=schema
        )
        file.write_table(table)

    return rows_written
