"""What tests of the catalog share: objects in a lake, and questions to its DuckDB file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from abalone_assets.ingest.frames import to_parquet
from abalone_assets.resources.catalog import DuckDBCatalog
from abalone_assets.resources.models import LocalModelRegistry
from abalone_assets.resources.storage import LakeResource

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.lake.lake import Lake


def catalog_of(uri: str, file: Path) -> DuckDBCatalog:
    """The catalog of a lake, with a registry in the same folder that has no version."""
    registry = LocalModelRegistry(uri=str(file.parent / "registry"))
    return DuckDBCatalog(lake=LakeResource(uri=uri), registry=registry, file=str(file))


def put(lake: Lake, asset: str, *numbers: int, day: str | None = None) -> None:
    frame = pl.DataFrame({"number": numbers}, schema={"number": pl.Int64()})
    lake.store.write(lake.key(asset, day), to_parquet(frame))


def ask(file: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        rows: list[tuple[Any, ...]] = connection.execute(query).fetchall()
        return rows
