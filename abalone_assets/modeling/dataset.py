"""A split as its columns: read from Parquet, checked, and known by the digest of its rows."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets import survey
from abalone_assets.errors import AbaloneError
from abalone_assets.survey.origin import EXAMPLE, ORIGINS, SURVEYED, SYNTHETIC

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Sequence

    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns

COLUMN_NAMES: tuple[str, ...] = (*survey.FEATURES, survey.TARGET)

_PROVENANCE: Final = {"source_file": "", "origin": SURVEYED}
"""What tells where a row is from, and what holds for splits written before they told."""


class DatasetError(AbaloneError):
    """A split is missing, empty or lacks a column."""


def read_split(folder: str | os.PathLike[str], name: str) -> dict[str, NDArray[Any]]:
    """The rows of the Parquet files below a folder, in the order of the files' names.

    As SQL engines do, it passes over names that begin with a dot or an underscore: what is not
    finished, and what is no data.

    Args:
        folder: Such as a SageMaker channel.
        name: What to call the split in an error, such as ``train``.

    Returns:
        The nine survey columns, ``source_file`` and ``origin`` by name, ``n`` values each. A file
        without the last two counts as surveyed.

    Raises:
        DatasetError: No folder, no Parquet file, an unreadable one, a missing column, an unknown
            origin, or no rows.
    """
    import pandas as pd

    if not Path(folder).is_dir():
        raise DatasetError(f"{name}: there is no folder {folder}")
    files = sorted(_visible(Path(folder)))
    if not files:
        raise DatasetError(f"{name}: no .parquet file below {folder}")
    frame = pd.concat([_read(file, name) for file in files], ignore_index=True)
    if frame.empty:
        raise DatasetError(f"{name}: the Parquet files below {folder} have no rows")
    unknown = sorted({str(origin) for origin in frame["origin"]} - set(ORIGINS))
    if unknown:
        raise DatasetError(f"{name}: origin is {unknown[0]!r}; it must be {' or '.join(ORIGINS)}")
    return {column: frame[column].to_numpy() for column in frame}


def _visible(folder: Path) -> Iterator[Path]:
    for file in folder.rglob("*.parquet"):
        if not any(part.startswith((".", "_")) for part in file.relative_to(folder).parts):
            yield file


def _read(file: Path, name: str) -> Any:  # noqa: ANN401 - pandas is imported inside functions
    import pandas as pd

    try:
        frame = pd.read_parquet(file)
    except (OSError, ValueError) as error:
        raise DatasetError(f"{name}: {file} is not a Parquet file: {error}") from error
    missing = [column for column in COLUMN_NAMES if column not in frame]
    if missing:
        raise DatasetError(f"{name}: {file} lacks the column {', '.join(missing)}")
    known = frame.assign(**{k: v for k, v in _PROVENANCE.items() if k not in frame})
    return known[[*COLUMN_NAMES, *_PROVENANCE]]


def target(columns: Columns) -> NDArray[np.float64]:
    """The rings of ``n`` abalones.

    Raises:
        DatasetError: The column is missing, empty or does not hold positive numbers.
    """
    if survey.TARGET not in columns:
        raise DatasetError(f"missing column {survey.TARGET}: nothing to learn from or to score")
    try:
        rings = np.asarray(columns[survey.TARGET], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{survey.TARGET} does not hold numbers: {error}") from error
    if not rings.size:
        raise DatasetError("no rows: nothing to learn from or to score")
    if not (np.isfinite(rings) & (rings > 0)).all():
        raise DatasetError(f"{survey.TARGET} must be positive numbers")
    return rings


def is_surveyed(columns: Columns) -> NDArray[np.bool_]:
    """Which rows count as animals that a crew measured, ``(n,)``; all of them without an origin.

    Example rows do: they play that part.
    """
    if "origin" not in columns:
        return np.ones(len(next(iter(columns.values()))), dtype=np.bool_)
    return np.asarray(np.asarray(columns["origin"], dtype=object) != SYNTHETIC, dtype=np.bool_)


def count_examples(columns: Columns) -> int:
    """How many rows are example data."""
    return int((np.asarray(columns.get("origin", ()), dtype=object) == EXAMPLE).sum())


def take(columns: Columns, rows: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Some rows, of every column.

    Args:
        columns: Columns by name, ``n`` values each.
        rows: A mask of ``n`` booleans, or indices in the wanted order.
    """
    return {name: np.asarray(values)[rows] for name, values in columns.items()}


def concat(parts: Sequence[Columns]) -> dict[str, NDArray[Any]]:
    """The rows of several splits, one after the other, with the columns that all of them have."""
    first, *others = parts
    shared = [name for name in first if all(name in part for part in others)]
    return {name: np.concatenate([np.asarray(part[name]) for part in parts]) for name in shared}


def row_keys(columns: Columns) -> NDArray[np.uint64]:
    """A key of each row, ``(n,)``: 64 bits of a BLAKE2b digest of its nine survey columns.

    The same animal has the same key in every split and every release, in whatever place.
    """
    digests = b"".join(
        hashlib.blake2b(line.encode(), digest_size=8).digest() for line in _lines(columns)
    )
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def rows_sha256(columns: Columns) -> str:
    """The digest of a split's rows, whatever their order; measurements count to 4 decimals."""
    return hashlib.sha256("\n".join(sorted(_lines(columns))).encode()).hexdigest()


def _lines(columns: Columns) -> Iterator[str]:
    """Each row as one text, the same whatever float noise its measurements carry."""
    places = survey.MEASUREMENT_DECIMALS
    texts = [
        _texts(columns[name], lambda value: f"{value:.{places}f}") for name in survey.MEASUREMENTS
    ]
    rings = _texts(columns[survey.TARGET], lambda value: str(int(value)))
    return map(",".join, zip(columns["sex"], *texts, rings, strict=True))


def _texts(values: Any, text: Callable[[Any], str]) -> list[str]:  # noqa: ANN401 - as Columns'
    """The text of each value; many have the same, and its making is dear."""
    listed = np.asarray(values).tolist()
    known = {value: text(value) for value in set(listed)}
    return [known[value] for value in listed]
