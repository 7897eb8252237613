"""The columns of the lake's tables, asset by asset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from abalone_assets.survey import COLUMNS
from abalone_assets.survey.origin import SURVEYED, SYNTHETIC


@dataclass(frozen=True)
class TableColumn:
    """One column of a table.

    Attributes:
        name: Its name.
        dtype: The type of its values.
        description: What it holds, with the unit.
        nullable: Whether a value may be missing.
    """

    name: str
    dtype: Literal["string", "float64", "int64"]
    description: str
    nullable: bool = True


_SURVEY: Final = tuple(
    TableColumn(
        column.name,
        column.dtype,
        f"{column.description} [{column.unit}]" if column.unit else column.description,
        nullable=False,
    )
    for column in COLUMNS
)
_SOURCE_FILE: Final = TableColumn("source_file", "string", "File the row was written in.")
_LINE: Final = TableColumn("line", "int64", "Line in that file, from 1.")
_FIRST_FILE: Final = TableColumn("source_file", "string", "First file by name that has the row.")
_ORIGIN: Final = TableColumn(
    "origin",
    "string",
    f"Whether the animal was measured ({SURVEYED}) or simulated ({SYNTHETIC}).",
    nullable=False,
)
_BUCKET: Final = TableColumn("bucket", "int64", "Hash bucket, 0 to 99, that gives its split.")

_SURVEYS: Final = (*_SURVEY, _SOURCE_FILE, _LINE, _ORIGIN)
_SPLIT: Final = (*_SURVEY, _FIRST_FILE, _ORIGIN)

TABLES: Final[dict[str, tuple[TableColumn, ...]]] = {
    "raw_abalone": _SURVEYS,
    "new_surveys": _SURVEYS,
    "quarantined_rows": (
        _SOURCE_FILE,
        _LINE,
        TableColumn("column", "string", "The column at fault; null for a whole row."),
        TableColumn("rule", "string", "The rule of the survey contract it broke."),
        TableColumn("message", "string", "What was found and what is allowed."),
        TableColumn("raw", "string", "The row as it was written."),
    ),
    "merged_dataset": (*_SPLIT, _BUCKET),
    "train_split": _SPLIT,
    "validation_split": _SPLIT,
    "test_split": _SPLIT,
}
"""The columns of each asset that is kept as Parquet, in their order."""
