"""The catalog of the profile in force, brought up to date without Dagster."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abalone_assets.lake.open import refresh_tables
from abalone_assets.registry.record_tables import refresh_record_tables

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.settings.platform import Settings


def refresh_catalog(settings: Settings, lake: Lake, registry: ModelRegistry) -> list[str]:
    """Bring the tables up to date after a person's decision; returns what somebody should know.

    Raises:
        AbaloneError: Registry, lake or catalog refuse; the next refresh makes up for it.
    """
    refresh_record_tables(lake, registry)
    return refresh_tables(settings, lake)
