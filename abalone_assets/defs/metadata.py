"""The metadata that assets show in the Dagster UI, each made from what the asset already knows."""

from __future__ import annotations

import base64
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from abalone_assets import CODE_LOCATION
from abalone_assets.lake.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import polars as pl

    from abalone_assets.lake.manifest import IngestedFile

PREVIEW_ROWS: Final = 5
LISTED_FILES: Final = 100


def table_metadata(asset: str, *, upstream: Sequence[str] = ()) -> dict[str, Any]:
    """Column schema and column lineage of an asset's table.

    Args:
        asset: One of `TABLES`.
        upstream: The assets of whose columns this one has those of the same name.
    """
    columns = [
        dg.TableColumn(
            column.name,
            column.dtype,
            description=column.description,
            constraints=dg.TableColumnConstraints(nullable=column.nullable),
        )
        for column in TABLES[asset]
    ]
    metadata: dict[str, Any] = {"dagster/column_schema": dg.TableSchema(columns=columns)}
    if upstream:
        names = {parent: {column.name for column in TABLES[parent]} for parent in upstream}
        deps = {
            column.name: [
                dg.TableColumnDep(asset_key=dg.AssetKey(parent), column_name=column.name)
                for parent in upstream
                if column.name in names[parent]
            ]
            for column in columns
        }
        metadata["dagster/column_lineage"] = dg.TableColumnLineage(deps_by_column=deps)
    return metadata


def made_by_job(job: str) -> dict[str, Any]:
    """What leads from an external asset to the job that makes it."""
    return {"made_by": dg.MetadataValue.job(job, location_name=CODE_LOCATION)}


def add_partitions_metadata(
    context: dg.AssetExecutionContext, asset: str, metadata: Mapping[str, Mapping[str, Any]]
) -> None:
    """Attach metadata to partitions of an asset, by partition key.

    ``context.add_asset_metadata`` copies what it was given before, and lists the run's partitions,
    for each partition anew: a third of the time of a run over ten years.
    """
    from dagster._core.execution.context.metadata_logging import (
        AssetMetadataHandle,
        OutputMetadataAccumulator,
        OutputMetadataHandle,
    )

    step = context.get_step_execution_context()
    key = dg.AssetKey(asset)
    added: dict[OutputMetadataHandle | AssetMetadataHandle, Mapping[str, Any]] = {
        AssetMetadataHandle(asset_key=key, partition_key=partition): attached
        for partition, attached in metadata.items()
    }
    before = step._metadata_accumulator.per_output_metadata  # noqa: SLF001 - see above
    step._metadata_accumulator = OutputMetadataAccumulator(  # noqa: SLF001
        per_output_metadata={**before, **added}
    )


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
    """Survey files with what became of their rows: of very many the first."""
    columns = [
        *("file", "bytes", "rows", "quarantined", "origin", "problem", "held_rows", "held"),
        "notes",
    ]
    fields = attrgetter("name", "size", *columns[2:-1])
    records = [
        dict(zip(columns, [*fields(file), "; ".join(file.notes)], strict=True))
        for file in files[:LISTED_FILES]
    ]
    return records_table(records, columns)


def plots_page(plots: Mapping[str, bytes]) -> dg.MarkdownMetadataValue:
    """Plots, PNG or SVG by name, as one page that the UI draws."""
    images = (
        f"![{name.replace('_', ' ')}](data:{_media_type(plot)};base64,"
        f"{base64.b64encode(plot).decode()})"
        for name, plot in plots.items()
    )
    return dg.MetadataValue.md("\n\n".join(images))


def _media_type(plot: bytes) -> str:
    return "image/svg+xml" if plot.startswith(b"<svg") else "image/png"


def scanned_preview(uri: str) -> dg.TableMetadataValue:
    """The first rows of a Parquet file."""
    import polars as pl

    return preview(pl.scan_parquet(uri, glob=False).head(PREVIEW_ROWS).collect())
