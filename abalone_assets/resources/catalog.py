"""The catalog: every asset as a table that SQL can ask for by its name."""

import re
from abc import ABC, abstractmethod
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Final
from uuid import uuid4

import dagster as dg
from pydantic import Field

from abalone_assets.errors import AbaloneError, StorageError
from abalone_assets.lake.lake import DATA_FILE, Lake
from abalone_assets.lake.tables import asset_tables
from abalone_assets.resources.storage import LakeResource

_GLOB_CHARACTER: Final = re.compile(r"([*?\[])")


class Catalog(dg.ConfigurableResource[None], ABC):
    """Keeps a table for each Parquet asset of the lake."""

    @abstractmethod
    def refresh(self) -> list[str]:
        """Make the tables agree with what lies in the lake; returns their names.

        Raises:
            AbaloneError: The catalog or the lake refuses.
        """

    def refresh_or_warn(self, context: dg.AssetExecutionContext) -> None:
        """Refresh after work that is done and recorded, which no refusal makes undone.

        The next refresh makes up for it; until then the run's log warns of outdated tables.
        """
        try:
            self.refresh()
        except AbaloneError as error:
            context.log.warning(
                "the catalog's tables are outdated until its next refresh: %s", error
            )


class DuckDBCatalog(Catalog):
    """A DuckDB file of views over the lake's folder.

    The file is written anew and renamed over the old one, so that neither a reader who has it open
    nor a second run can block a refresh. DuckDB reads S3 only with an extension that it downloads,
    so a lake on S3 gets no views.
    """

    lake: LakeResource
    file: str = Field(description="Path of the DuckDB file.")

    def refresh(self) -> list[str]:
        """Write a view for each asset that has Parquet objects.

        Raises:
            StorageError: The file cannot be written, or an object cannot be read.
        """
        lake = self.lake.open()
        if lake.store.root is None:
            return []
        views = _views(lake)
        _write_views(Path(self.file), views)
        return sorted(views)


class GlueCatalog(Catalog):
    """Tables of the Glue Data Catalog over the lake's prefix, so that Athena can query each asset.

    A crawler makes the table of the landing zone's files: surveys as they were written.
    """

    lake: LakeResource
    database: str = Field(description="Name of the Glue database, or ssm:/path/name.")
    crawler: str = Field(description="Name of the landing zone's crawler, or ssm:/path/name.")
    crawl_interval_hours: float = Field(
        default=24.0, description="Least time between two crawls of the landing zone."
    )

    def refresh(self) -> list[str]:
        """Register a table for each asset that has Parquet objects; start the crawler when due.

        Raises:
            AwsError: The database or the crawler is missing, or Glue refuses.
            SettingsError: A parameter is missing or cannot be read.
            StorageError: An asset's Parquet object cannot be read.
        """
        from abalone_assets.aws.parameters import resolve
        from abalone_assets.lake.glue_tables import GlueTables, start_crawler

        tables = GlueTables(resolve(self.database), self.lake.open())
        names = tables.sync()
        start_crawler(resolve(self.crawler), interval=timedelta(hours=self.crawl_interval_hours))
        return names


def _views(lake: Lake) -> dict[str, str]:
    """The glob of each asset's Parquet objects."""
    folder = _GLOB_CHARACTER.sub(r"[\1]", lake.store.uri)
    return {
        table.name: f"{folder}/{table.name}/{'*/' if table.days else ''}{DATA_FILE}"
        for table in asset_tables(lake)
    }


def _write_views(file: Path, views: dict[str, str]) -> None:
    import duckdb

    staged = file.with_name(f".{file.name}.{uuid4().hex}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with duckdb.connect(str(staged)) as connection:
            for asset, glob in sorted(views.items()):
                path = glob.replace("'", "''")
                # By name: a day ingested before a column was added has nulls in it.
                connection.execute(
                    f'create view "{asset}" as from '
                    f"read_parquet('{path}', hive_partitioning = true, union_by_name = true)"
                )
        staged.replace(file)
    except (OSError, duckdb.Error) as error:
        raise StorageError(f"{file}: the views cannot be written: {error}") from error
    finally:
        with suppress(OSError):
            staged.unlink(missing_ok=True)
