"""A split as its columns: read from Parquet, checked, and known by the digest of its rows."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from abalone_assets import survey
from abalone_assets.errors import AbaloneError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns

COLUMN_NAMES: tuple[str, ...] = (*survey.FEATURES, survey.TARGET)


class DatasetError(AbaloneError):
    """A split is missing, empty or lacks a column."""


def read_split(folder: str | os.PathLike[str], name: str) -> dict[str, NDArray[Any]]:
    """The nine survey columns of the Parquet files below a folder, in the order of their names.

    As SQL engines do, it passes over names that begin with a dot or an underscore: what is not
    finished, and what is no data.

    Args:
        folder: Such as a SageMaker channel.
        name: What to call the split in an error, such as ``train``.

    Raises:
        DatasetError: No folder, no Parquet file, an unreadable one, a missing column, or no rows.
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
    return {column: frame[column].to_numpy() for column in COLUMN_NAMES}


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
    return frame[list(COLUMN_NAMES)]


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


def rows_sha256(columns: Columns) -> str:
    """The digest of a split's rows, whatever their order; measurements count to 4 decimals."""
    places = survey.MEASUREMENT_DECIMALS
    texts = [
        [f"{value:.{places}f}" for value in cast("Any", columns[name])]
        for name in survey.MEASUREMENTS
    ]
    rings = [str(int(value)) for value in columns[survey.TARGET]]
    lines = sorted(map(",".join, zip(columns["sex"], *texts, rings, strict=True)))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
