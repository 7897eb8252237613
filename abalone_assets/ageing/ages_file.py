"""The ages of a file of animals, written as they come: the animals as they were given, and more."""

from __future__ import annotations

import csv
import io
import os
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Protocol

from abalone_assets.ageing.batch import MANY
from abalone_assets.errors import StorageError
from abalone_assets.survey import AGE_OFFSET_YEARS, FEATURES
from abalone_assets.survey.header import PROBLEM

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from _typeshed import ReadableBuffer

    from abalone_assets.ageing.batch import Batch
    from abalone_assets.survey.animals_header import AnimalsHeader

STDOUT: Final = "-"
ANSWERS: Final = ("rings", "rings_low", "rings_high", "age_years", "model_version")
_DECIMALS: Final = 4


@dataclass(frozen=True)
class Ages:
    """What a model said of the animals of a batch.

    Attributes:
        rings: Predicted rings, one for each animal that was asked about.
        intervals: Lower and upper end of each prediction interval, if the model has any.
        version: The model version that answered.
    """

    rings: Sequence[float]
    intervals: Sequence[tuple[float, float]] | None
    version: int

    def columns(self) -> list[Sequence[Any]]:
        """The columns of ``ANSWERS``."""
        import numpy as np

        count = len(self.rings)
        low: Sequence[float | None] = [None] * count
        high: Sequence[float | None] = [None] * count
        if self.intervals:
            low = [end for end, _ in self.intervals]
            high = [end for _, end in self.intervals]
        years = np.round(np.add(self.rings, AGE_OFFSET_YEARS), _DECIMALS).tolist()
        return [self.rings, low, high, years, [self.version] * count]


class Writer(Protocol):
    """What takes batches, and what a model said of them."""

    def __call__(self, batch: Batch, ages: Ages | None, /) -> None:
        """Write all lines of a batch; those that were not asked about get no age."""


def output_columns(header: AnimalsHeader) -> list[str]:
    """The columns of what is written.

    First what goes along, then the animals in the units that they were given in, which the names
    tell, then ``ANSWERS``, and what is wrong with a line that has no age.
    """
    units = header.units
    told = {} if units.is_contract else units.by_column()
    measured = [f"{name}_{unit.name}" if (unit := told.get(name)) else name for name in FEATURES]
    own = [*measured, *ANSWERS, PROBLEM]
    return [
        *(f"given_{name}" if name.casefold() in own else name for _, name in header.others),
        *own,
    ]


def is_parquet(target: str) -> bool:
    """Whether ages go into a file of this name as Parquet; else they are a CSV."""
    return Path(target).suffix.lower() == ".parquet"


@contextmanager
def writing_ages(
    target: str, header: AnimalsHeader, stdout: IO[str], *, decimal_comma: bool = False
) -> Iterator[Writer]:
    """Write ages to a CSV file, a Parquet file (``.parquet``) or, for ``-``, as CSV to stdout.

    A file appears whole, over an earlier one, or not at all. What is there and is no file, such as
    a device or a named pipe, is written to as it is.

    Args:
        target: The file.
        header: Of the animals.
        stdout: Takes the CSV for ``-``.
        decimal_comma: Write a CSV as spreadsheets read it where decimals have a comma: fields
            between semicolons, and a byte order mark in a file.

    Raises:
        StorageError: The file cannot be written.
        OSError: Stdout cannot.
    """
    names = output_columns(header)
    write_csv = _decimal_comma_writer if decimal_comma else _csv_writer
    if target == STDOUT:
        yield write_csv(stdout, names)
        stdout.flush()  # or a full disk would be found when nobody can tell of it any more
        return
    with _told_of(target):
        path, partial = _places_of(target)
    written, opened = partial or path, ExitStack()
    try:
        with _told_of(target):
            if is_parquet(target):
                sink = partial or opened.enter_context(_Onwards(path, "w"))
                write = _parquet_writer(sink, names, len(header.others), opened)
            else:
                encoding = "utf-8-sig" if decimal_comma else "utf-8"
                file = opened.enter_context(written.open("w", encoding=encoding, newline=""))
                write = write_csv(file, names)
        yield _Telling(write, target)
        with _told_of(target):
            opened.close()
            if partial is not None:
                partial.replace(path)
    finally:
        _discard(opened, partial)


def _places_of(target: str) -> tuple[Path, Path | None]:
    """Where the ages are to be, and where until they are whole; None where they go there at once.

    Raises:
        StorageError: It is no file's name, or a folder's.
        OSError: The system does not say what is there.
    """
    if not target:
        raise StorageError("an empty name is no file's: name one, such as ages.csv")
    path = Path(target)
    if path.is_dir():
        raise StorageError(f"{target}: is a folder; name a file in it, such as ages.csv")
    if path.exists() and not path.is_file():
        return path, None
    path = Path(os.path.realpath(path))  # a link stays one
    return path, path.with_name(f".{path.name}.{os.getpid()}")


@dataclass(frozen=True)
class _Telling:
    """A writer whose failures are told of as those of its file.

    What else fails meanwhile, such as the reading of the animals, is not the file's failure.
    """

    write: Writer
    target: str

    def __call__(self, batch: Batch, ages: Ages | None, /) -> None:
        with _told_of(self.target):
            self.write(batch, ages)


@contextmanager
def _told_of(target: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageError(f"{target}: cannot be written: {error.strerror or error}") from error


def _discard(opened: ExitStack, partial: Path | None) -> None:
    """Close and remove what did not become whole; of what did, there is nothing left to do."""
    with suppress(OSError):
        opened.close()
    if partial is not None:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def _csv_writer(stream: IO[str], names: Sequence[str]) -> Writer:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)

    def written(batch: Batch, ages: Ages | None) -> None:
        if len(batch.as_given) >= MANY and not batch.others and ages is not None:
            stream.write(_plain_lines(batch, ages))
            return
        columns = [*batch.others, _sexes(batch), *batch.given[1:], *_answers(batch, ages)]
        writer.writerows(zip(*columns, strict=True))

    return written


def _decimal_comma_writer(stream: IO[str], names: Sequence[str]) -> Writer:
    writer = csv.writer(stream, delimiter=";", lineterminator="\n")
    writer.writerow(names)

    def written(batch: Batch, ages: Ages | None) -> None:
        *answers, problems = _answers(batch, ages)
        numbers = [[_with_comma(each) for each in column] for column in batch.given[1:]]
        numbers += [[_with_comma(each) for each in column] for column in answers]
        columns = [*batch.others, _sexes(batch), *numbers, problems]
        writer.writerows(zip(*columns, strict=True))

    return written


def _with_comma(number: object) -> str:
    return "" if number is None else str(number).replace(".", ",")


def _plain_lines(batch: Batch, ages: Ages) -> str:
    """What `csv` writes of plain fields and numbers, in a tenth of its time."""
    import polars as pl

    answers = dict(zip(ANSWERS, ages.columns(), strict=True))
    frame = pl.DataFrame({"as_given": batch.as_given, **answers, PROBLEM: [""] * len(batch)})
    return frame.write_csv(include_header=False, quote_style="never")


class _Onwards(io.FileIO):
    """Takes bytes one after another, and counts them: a pipe does not tell Arrow where it is."""

    _count = 0

    def write(self, data: ReadableBuffer, /) -> int:
        """Write all of it."""
        left = memoryview(data).cast("B")
        size = len(left)
        while left:
            left = left[super().write(left) :]
        self._count += size
        return size

    def tell(self) -> int:
        """How many bytes came so far."""
        return self._count


def _parquet_writer(
    sink: Path | _Onwards, names: Sequence[str], others: int, stack: ExitStack
) -> Writer:
    import pyarrow as pa
    import pyarrow.parquet as pq

    text = {*range(others + 1), len(names) - 1}
    kinds = [
        pa.string() if place in text else pa.int64() if name == "model_version" else pa.float64()
        for place, name in enumerate(names)
    ]
    schema = pa.schema(list(zip(names, kinds, strict=True)))
    file = stack.enter_context(pq.ParquetWriter(sink, schema))

    def written(batch: Batch, ages: Ages | None) -> None:
        measured = [[_number(field) for field in column] for column in batch.given[1:]]
        columns = [*batch.others, _sexes(batch), *measured, *_answers(batch, ages)]
        arrays = [pa.array(list(column), kind) for column, kind in zip(columns, kinds, strict=True)]
        file.write_table(pa.Table.from_arrays(arrays, schema=schema))

    return written


def _sexes(batch: Batch) -> Sequence[str]:
    """As the contract writes them, and as they were given where a line is no animal."""
    if not batch.bad and batch.animals is not None:
        return batch.animals.columns[0]
    known = iter(batch.animals.columns[0] if batch.animals is not None else ())
    return [
        given if place in batch.bad else next(known) for place, given in enumerate(batch.given[0])
    ]


def _answers(batch: Batch, ages: Ages | None) -> list[Sequence[Any]]:
    """The columns of ``ANSWERS``, and what is wrong, with a value for each line of the batch."""
    columns = [[] for _ in ANSWERS] if ages is None else ages.columns()
    if not batch.bad:
        return [*columns, [None] * len(batch)]
    good = [place for place in range(len(batch)) if place not in batch.bad]
    spread = []
    for column in columns:
        values: list[Any] = [None] * len(batch)
        for place, value in zip(good, column, strict=False):
            values[place] = value
        spread.append(values)
    problems = [str(bad) if (bad := batch.bad.get(at)) else None for at in range(len(batch))]
    return [*spread, problems]


def _number(field: str) -> float | None:
    """The number that a field is, if it is one."""
    try:
        return float(field)
    except ValueError:
        return None
