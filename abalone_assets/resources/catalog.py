"""The catalog: every asset, and the records of models, as tables that SQL can ask for by name."""

from abc import ABC, abstractmethod
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import Field

from abalone_assets.errors import AbaloneError
from abalone_assets.resources.models import ModelRegistryResource
from abalone_assets.resources.storage import LakeResource

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake


class Catalog(dg.ConfigurableResource[None], ABC):
    """Keeps a table for each Parquet asset of the lake, and for each kind of record."""

    lake: LakeResource
    registry: ModelRegistryResource

    @abstractmethod
    def sync(self, lake: "Lake") -> list[str]:
        """Make the tables agree with what lies in the lake; returns their names.

        Raises:
            AbaloneError: The catalog or the lake refuses.
        """

    def refresh_tables(self) -> list[str]:
        """The same with the lake of the profile."""
        return self.sync(self.lake.open())

    def refresh_records(self) -> None:
        """Write what the records of versions, decisions and releases say into the lake's tables.

        Raises:
            AbaloneError: A record is damaged, or the registry or the lake refuses.
        """
        from abalone_assets.registry.record_tables import refresh_record_tables

        refresh_record_tables(self.lake.open(), self.registry.open())

    def refresh(self) -> list[str]:
        """Bring records and tables up to date; returns the tables' names.

        Raises:
            AbaloneError: Registry, catalog or lake refuse.
        """
        self.refresh_records()
        return self.refresh_tables()

    def refresh_or_warn(self, context: dg.AssetExecutionContext) -> None:
        """Refresh after work that is done and recorded, which no refusal makes undone.

        The next refresh makes up for it; until then the run's log warns of outdated tables.
        """
        for refresh in (self.refresh_records, self.refresh_tables):
            try:
                refresh()
            except AbaloneError as error:
                context.log.warning(
                    "the catalog's tables are outdated until its next refresh: %s", error
                )


class DuckDBCatalog(Catalog):
    """A DuckDB file that holds the tables of a lake in a folder: see `lake.catalog_file`.

    DuckDB reads S3 only with an extension that it downloads, so a lake on S3 gets no such file.
    """

    file: str = Field(description="Path of the DuckDB file.")

    def sync(self, lake: "Lake") -> list[str]:
        """Bring the table of each asset that has Parquet objects up to date.

        A file that somebody has open for writing is left to him, with a warning.

        Raises:
            StorageError: The file cannot be written, or an object cannot be read.
        """
        from abalone_assets.lake.catalog_file import CatalogBusyError, CatalogFile
        from abalone_assets.lake.tables import data_objects

        if lake.store.root is None:
            return []
        log = dg.get_dagster_logger("catalog")
        try:
            refreshed = CatalogFile(Path(self.file), lake).refresh()
        except CatalogBusyError as error:
            log.warning(str(error))
            return sorted(data_objects(lake))
        for note in refreshed.notes:
            log.warning(note)
        return refreshed.tables


class GlueCatalog(Catalog):
    """Tables of the Glue Data Catalog over the lake's prefix, so that Athena can query each asset.

    A crawler makes the table of the landing zone's files: surveys as they were written.
    """

    database: str = Field(description="Name of the Glue database, or ssm:/path/name.")
    crawler: str = Field(description="Name of the landing zone's crawler, or ssm:/path/name.")
    crawl_interval_hours: float = Field(
        default=24.0, description="Least time between two crawls of the landing zone."
    )

    def sync(self, lake: "Lake") -> list[str]:
        """Register a table for each asset that has Parquet objects; start the crawler when due.

        Raises:
            AwsError: The database or the crawler is missing, or Glue refuses.
            SettingsError: A parameter is missing or cannot be read.
            StorageError: An asset's Parquet object cannot be read.
        """
        from abalone_assets.aws.parameters import resolve
        from abalone_assets.lake.glue_tables import GlueTables, start_crawler

        tables = GlueTables(resolve(self.database), lake)
        names = tables.sync()
        start_crawler(resolve(self.crawler), interval=timedelta(hours=self.crawl_interval_hours))
        return names
