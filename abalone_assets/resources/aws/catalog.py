"""The catalog of the profile aws."""

from datetime import timedelta

from pydantic import Field

from abalone_assets.resources.catalog import Catalog
from abalone_assets.resources.storage import LakeResource


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
