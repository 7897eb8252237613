"""The lake's tables in the catalog of the profile in force, without Dagster."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake
    from abalone_assets.settings.platform import Settings


def refresh_tables(settings: Settings, lake: Lake) -> list[str]:
    """Make the catalog's tables agree with the lake; returns what somebody should know.

    Raises:
        AbaloneError: The catalog or the lake refuses, or somebody has the catalog file open.
    """
    if settings.profile == "aws":
        from abalone_assets.aws.parameters import resolve
        from abalone_assets.lake.glue_tables import GlueTables
        from abalone_assets.settings.aws import load_aws_settings

        GlueTables(resolve(load_aws_settings().glue_database), lake).sync()
        return []
    if lake.store.root is None:  # DuckDB reads S3 only with an extension that it downloads
        return []
    from abalone_assets.lake.catalog_file import CatalogFile

    return CatalogFile(settings.catalog_file, lake).refresh().notes
