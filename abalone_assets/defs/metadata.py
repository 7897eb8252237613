"""The metadata that assets show in the Dagster UI, each made from what the asset already knows."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from abalone_assets.survey import COLUMNS
from abalone_assets.survey.origin import SURVEYED, SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl

    from abalone_assets.lake.manifest import IngestedFile

PREVIEW_ROWS: Final = 5
LISTED_FILES: Final = 100

SURVEY_TABLE_COLUMNS: Final = [
    dg.TableColumn(
        column.name,
        column.dtype,
        description=f"{column.description} [{column.unit}]" if column.unit else column.description,
        constraints=dg.TableColumnConstraints(nullable=False),
    )
    for column in COLUMNS
]
_SOURCE_FILE = dg.TableColumn("source_file", "string", description="File the row was written in.")
_FIRST_FILE = dg.TableColumn(
    "source_file", "string", description="First file by name that has the row."
)
_ORIGIN = dg.TableColumn(
    "origin",
    "string",
    description=f"Whether the animal was measured ({SURVEYED}) or simulated ({SYNTHETIC}).",
    constraints=dg.TableColumnConstraints(nullable=False),
)

SURVEY_TABLE: Final = dg.TableSchema(
    columns=[
        *SURVEY_TABLE_COLUMNS,
        _SOURCE_FILE,
        dg.TableColumn("line", "int64", description="Line in that file, from 1."),
        _ORIGIN,
    ]
)
QUARANTINE_TABLE: Final = dg.TableSchema(
    columns=[
        _SOURCE_FILE,
        dg.TableColumn("line", "int64", description="Line in that file, from 1."),
        dg.TableColumn(
            "column", "string", description="The column at fault; null for a whole row."
        ),
        dg.TableColumn("rule", "string", description="The rule of the survey contract it broke."),
        dg.TableColumn("message", "string", description="What was found and what is allowed."),
        dg.TableColumn("raw", "string", description="The row as it was written."),
    ]
)
MERGED_TABLE: Final = dg.TableSchema(
    columns=[
        *SURVEY_TABLE_COLUMNS,
        _FIRST_FILE,
        _ORIGIN,
        dg.TableColumn(
            "bucket", "int64", description="Hash bucket, 0 to 99, that gives its split."
        ),
    ]
)
SPLIT_TABLE: Final = dg.TableSchema(columns=[*SURVEY_TABLE_COLUMNS, _FIRST_FILE, _ORIGIN])


def table_metadata(schema: dg.TableSchema, lineage: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Column schema and column lineage of a table.

    Args:
        schema: The table's columns.
        lineage: For each upstream asset, its columns that this table has under the same name.
    """
    deps = {
        column.name: [
            dg.TableColumnDep(asset_key=dg.AssetKey(asset), column_name=column.name)
            for asset, columns in lineage.items()
            if column.name in columns
        ]
        for column in schema.columns
    }
    metadata: dict[str, Any] = {"dagster/column_schema": schema}
    if lineage:
        metadata["dagster/column_lineage"] = dg.TableColumnLineage(deps_by_column=deps)
    return metadata


def column_names(schema: dg.TableSchema) -> list[str]:
    """The names of a table's columns."""
    return [column.name for column in schema.columns]


def preview(frame: pl.DataFrame) -> dg.TableMetadataValue:
    """The first rows of a frame."""
    return records_table(frame.head(PREVIEW_ROWS).to_dicts(), frame.columns)


def records_table(
    records: Iterable[Mapping[str, Any]], columns: Sequence[str]
) -> dg.TableMetadataValue:
    """Rows as a table: nothing for a missing value, four decimals at the most."""
    return dg.MetadataValue.table(
        [dg.TableRecord({name: _shown(row[name]) for name in columns}) for row in records],
        schema=dg.TableSchema(columns=[dg.TableColumn(name) for name in columns]),
    )


def _shown(value: Any) -> str | int | float:  # noqa: ANN401 - a cell of any column
    if value is None:
        return ""
    if isinstance(value, float):
        return round(value, 4)
    return value if isinstance(value, int | str) else str(value)


def files_table(files: Sequence[IngestedFile]) -> dg.TableMetadataValue:
    """Survey files with what became of their rows."""
    records = [
        {
            "file": file.name,
            "bytes": file.size,
            "rows": file.rows,
            "quarantined": file.quarantined,
            "origin": file.origin,
            "problem": file.problem,
        }
        for file in files[:LISTED_FILES]
    ]
    return records_table(records, ["file", "bytes", "rows", "quarantined", "origin", "problem"])


def plots_page(plots: Mapping[str, bytes]) -> dg.MarkdownMetadataValue:
    """Plots, PNG by name, as one page that the UI draws."""
    images = (
        f"![{name.replace('_', ' ')}](data:image/png;base64,{base64.b64encode(png).decode()})"
        for name, png in plots.items()
    )
    return dg.MetadataValue.md("\n\n".join(images))


def scanned_preview(uri: str) -> dg.TableMetadataValue:
    """The first rows of a Parquet file."""
    import polars as pl

    return preview(pl.scan_parquet(uri, glob=False).head(PREVIEW_ROWS).collect())
