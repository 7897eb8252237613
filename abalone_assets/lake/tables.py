"""The lake's tables, asset by asset: the columns that they should have, and what there is."""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Literal

from abalone_assets.errors import SurveyError
from abalone_assets.lake.names import DATA_FILE, partition_column
from abalone_assets.survey import COLUMNS, parse_day
from abalone_assets.survey.origin import EXAMPLE, SURVEYED, SYNTHETIC

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake
    from abalone_assets.storage.object_store import StoredObject


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
    dtype: Literal["string", "float64", "int64", "timestamp", "date", "boolean"]
    description: str
    nullable: bool = True


MODEL_VERSIONS: Final = "model_versions"
MODEL_METRICS: Final = "model_metrics"
MODEL_DECISIONS: Final = "model_decisions"
RELEASED_FILES: Final = "released_files"
"""Tables that are no assets: `registry.record_tables` writes them from the records."""

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

_VERSION: Final = TableColumn("version", "int64", "Number of the model version.", nullable=False)
_RELEASE_DIGEST: Final = TableColumn(
    "release_digest", "string", "Digest of the data; versions of the same data share it."
)

_MODEL_VERSIONS: Final = (
    _VERSION,
    TableColumn("registered_at", "timestamp", "When it was registered, UTC.", nullable=False),
    TableColumn("approved", "boolean", "Whether it may answer requests: the last word."),
    TableColumn("decided_by", "string", "Whose word that is: a person's, or the gate's."),
    TableColumn("approved_at", "timestamp", "Of its newest approval, rejected since or not, UTC."),
    TableColumn("rmse", "float64", "On the test split's surveyed rows [rings]"),
    TableColumn("rmse_low", "float64", "Lower end of its 95 % interval [rings]"),
    TableColumn("rmse_high", "float64", "Upper end of it [rings]"),
    TableColumn("mae", "float64", "Mean absolute error on the same rows [rings]"),
    TableColumn("test_rows", "int64", "How many rows these are [count]"),
    TableColumn("rows", "int64", "Rows of base survey and survey days in its data [count]"),
    TableColumn("days", "int64", "Survey days with rows in its data [count]"),
    TableColumn("first_day", "date", "The first of these days, UTC."),
    TableColumn("last_day", "date", "The last of them, UTC."),
    TableColumn("champion", "int64", "The version that it had to hold against."),
    TableColumn("reference", "int64", "The older version that it had to hold against, too."),
    _RELEASE_DIGEST,
    TableColumn("model_sha256", "string", "Digest of the model's file, which names its report."),
    TableColumn("archive_sha256", "string", "Digest of the model's archive."),
    TableColumn("framework", "string", "What trained it; null in old records, like what follows."),
    TableColumn("code", "string", "Version and commit of the code, and whether it was changed."),
    TableColumn("code_commit", "string", "The Git commit, where it is known."),
    TableColumn("dagster_run_id", "string", "The Dagster run that trained it."),
    TableColumn("base_survey_sha256", "string", "Digest of the base survey's file."),
)

_MODEL_METRICS: Final = (
    _VERSION,
    TableColumn(
        "measured_on",
        "string",
        "Of which rows: test_split (the surveyed ones), out_of_fold (each predicted by a fit that "
        "had not seen it), or compared (those that neither it nor other_version had learnt from).",
        nullable=False,
    ),
    TableColumn("other_version", "int64", "The champion, where measured_on is compared."),
    TableColumn("slice_of", "string", "all, sex or age_band.", nullable=False),
    TableColumn("slice", "string", "Which rows of these: all, F, 6-10 rings …", nullable=False),
    TableColumn(
        "metric",
        "string",
        "rmse, mae, bias (predicted minus counted), r2, coverage (share of intervals that hold the "
        "count), baseline_rmse (of predicting the mean); compared: rmse, other_rmse, and "
        "rmse_difference between them.",
        nullable=False,
    ),
    TableColumn("value", "float64", "The number, in the unit.", nullable=False),
    TableColumn("low", "float64", "Lower end of its interval: 95 %, of a difference 90 %."),
    TableColumn("high", "float64", "Upper end of it."),
    TableColumn("unit", "string", "rings, or share (a number without unit).", nullable=False),
    TableColumn("rows", "int64", "How many rows it was measured on [count]"),
)

_MODEL_DECISIONS: Final = (
    _VERSION,
    TableColumn("decided_at", "timestamp", "When, UTC.", nullable=False),
    TableColumn("decided_by", "string", "A person, or the gate.", nullable=False),
    TableColumn("approved", "boolean", "What was decided.", nullable=False),
    TableColumn("rule", "string", "The gate's rule that decided; null for a person."),
    TableColumn("reason", "string", "Why, as it was said.", nullable=False),
    TableColumn("holds", "boolean", "Whether it is the last word on the version.", nullable=False),
)

_RELEASED_FILES: Final = (
    TableColumn("source_file", "string", "Name of the survey file.", nullable=False),
    TableColumn("survey_day", "date", "Its survey day, UTC.", nullable=False),
    TableColumn("sha256", "string", "Digest of its bytes.", nullable=False),
    TableColumn(
        "first_released_at",
        "timestamp",
        "When the data of the first release that holds these bytes was prepared, UTC; of a file "
        "that was released before this was recorded, when it was.",
        nullable=False,
    ),
    TableColumn("version", "int64", "The first version that learnt from it; null while none has."),
    _RELEASE_DIGEST,
)

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
    MODEL_VERSIONS: _MODEL_VERSIONS,
    MODEL_METRICS: _MODEL_METRICS,
    MODEL_DECISIONS: _MODEL_DECISIONS,
    RELEASED_FILES: _RELEASED_FILES,
}
"""The columns of each asset, and of each table of records, that is kept as Parquet, in order."""


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
    if column == partition_column(asset):
        with suppress(SurveyError):
            return parse_day(day).isoformat()
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
