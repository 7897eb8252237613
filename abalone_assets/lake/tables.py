"""The lake's tables, asset by asset: the columns that they should have, and what there is."""

from __future__ import annotations

import re
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Final, Literal

from abalone_assets.lake.names import DATA_FILE, partition_column
from abalone_assets.survey import COLUMNS
from abalone_assets.survey.origin import EXAMPLE, SURVEYED, SYNTHETIC

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake
    from abalone_assets.storage.object_store import StoredObject

_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


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
    dtype: Literal["string", "float64", "int64", "timestamp"]
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
    f"Whether the animal was measured ({SURVEYED}), simulated ({SYNTHETIC}), or is of the example "
    f"data that ship with the platform: simulated, in the part of surveys ({EXAMPLE}).",
    nullable=False,
)
_BUCKET: Final = TableColumn("bucket", "int64", "Hash bucket, 0 to 99, that gives its split.")

_CAPTURED: Final = (
    TableColumn("event_id", "string", "Id of the request; null in a line that is no request."),
    TableColumn("row", "int64", "Which animal of the request, from 1."),
    TableColumn("asked_at", "timestamp", "When it was answered, UTC."),
    TableColumn("model_version", "int64", "The version that answered, where the capture tells."),
    TableColumn("inference_id", "string", "The caller's own id of the request."),
    *(replace(column, nullable=True) for column in _SURVEY[:-1]),
    TableColumn("rings", "float64", "Predicted rings [count]"),
    TableColumn("rings_low", "float64", "Lower end of the prediction interval [count]"),
    TableColumn("rings_high", "float64", "Upper end of the prediction interval [count]"),
    TableColumn("problem", "string", "Why a line has no animal; null for an animal."),
    TableColumn("source_file", "string", "Capture file the request was written in."),
    _LINE,
)

_UNAGED: Final = (*_SURVEY[:-1], _SOURCE_FILE, _LINE)
_AGED: Final = (
    *_SURVEY[:-1],
    TableColumn("rings", "float64", "Predicted rings [count]", nullable=False),
    TableColumn("rings_low", "float64", "Lower end of the prediction interval [count]"),
    TableColumn("rings_high", "float64", "Upper end of the prediction interval [count]"),
    TableColumn("age_years", "float64", "Predicted age [years]", nullable=False),
    TableColumn("model_version", "int64", "The version that told the age.", nullable=False),
    TableColumn(
        "doubts",
        "string",
        "Why the age is not to be trusted, such as `outside:length; old`; null when nothing speaks "
        "against it.",
    ),
    _SOURCE_FILE,
    _LINE,
)

_QUARANTINED: Final = (
    _SOURCE_FILE,
    _LINE,
    TableColumn("column", "string", "The column at fault; null for a whole row."),
    TableColumn("rule", "string", "The rule of the survey contract it broke."),
    TableColumn("message", "string", "What was found and what is allowed."),
    TableColumn("raw", "string", "The row as it was written."),
)

_SURVEYS: Final = (*_SURVEY, _SOURCE_FILE, _LINE, _ORIGIN)
_SPLIT: Final = (*_SURVEY, _FIRST_FILE, _ORIGIN)

TABLES: Final[dict[str, tuple[TableColumn, ...]]] = {
    "raw_abalone": _SURVEYS,
    "new_surveys": _SURVEYS,
    "quarantined_rows": _QUARANTINED,
    "unaged_animals": _UNAGED,
    "quarantined_animals": _QUARANTINED,
    "aged_animals": _AGED,
    "merged_dataset": (*_SPLIT, _BUCKET),
    "train_split": _SPLIT,
    "validation_split": _SPLIT,
    "test_split": _SPLIT,
    "captured_requests": _CAPTURED,
}
"""The columns of each asset that is kept as Parquet, in their order."""


@dataclass(frozen=True)
class AssetTable:
    """What the lake holds of one asset.

    Attributes:
        name: The asset's, and the table's.
        data_uri: One of its Parquet objects.
        days: Its partitions; empty for an unpartitioned asset.
    """

    name: str
    data_uri: str
    days: frozenset[str]


def day_of(key: str) -> str | None:
    """The day of a partition's Parquet object; None for any other key.

    Only the folder that holds the object says it: others may be called ``survey_day=…`` as well.
    """
    asset, folder = key.partition("/")[0], key.rpartition("/")[0].rpartition("/")[2]
    column, _, day = folder.partition("=")
    if column != partition_column(asset) or _DAY.fullmatch(day) is None:
        return None
    with suppress(ValueError):
        return date.fromisoformat(day).isoformat()
    return None


def data_objects(lake: Lake) -> dict[str, dict[str, StoredObject]]:
    """The Parquet objects of each asset, by asset and key, each with its place and write token.

    An asset is one object or one for each survey day; what else lies below its prefix is no table.
    """
    whole: dict[str, dict[str, StoredObject]] = {}
    daily: dict[str, dict[str, StoredObject]] = defaultdict(dict)
    for found in lake.store.list():
        match found.key.split("/"):
            case [asset, name] if name == DATA_FILE:
                whole[asset] = {found.key: found}
            case [asset, _, name] if name == DATA_FILE and day_of(found.key):
                daily[asset][found.key] = found
    return dict(sorted((whole | daily).items()))


def asset_tables(lake: Lake) -> list[AssetTable]:
    """The assets of the lake that are kept as Parquet, by name."""
    return [
        AssetTable(
            asset,
            lake.store.uri_of(max(keys)),
            frozenset(day for key in keys if (day := day_of(key))),
        )
        for asset, keys in data_objects(lake).items()
    ]
