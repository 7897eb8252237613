"""What commands that decide on versions do for the catalog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abalone_assets.cli.output import console
from abalone_assets.errors import AbaloneError

if TYPE_CHECKING:
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.settings.platform import Settings


def refresh_or_warn(settings: Settings, registry: ModelRegistry) -> None:
    """Let the tables tell of a decision; it holds, whatever the catalog says."""
    from abalone_assets.lake.lake import Lake
    from abalone_assets.registry.catalog import refresh_catalog

    out = console(stderr=True)
    try:
        notes = refresh_catalog(settings, Lake(settings.lake_uri), registry)
    except AbaloneError as error:
        notes = [f"the catalog's tables are outdated until its next refresh: {error}"]
    for note in notes:
        out.print(f"Warning: {note}", style="yellow")
