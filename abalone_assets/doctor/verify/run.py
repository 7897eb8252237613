"""All that is verified, in the profile in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abalone_assets.doctor.verify.inputs import input_findings
from abalone_assets.doctor.verify.models import model_findings
from abalone_assets.doctor.verify.surveys import survey_findings
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.lake.lake import Lake
from abalone_assets.registry.open import open_registry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets.doctor.finding import Finding
    from abalone_assets.settings.platform import Settings


def verify(settings: Settings) -> Iterator[Finding]:
    """Compare what records say with what is stored, one thing after the other.

    Raises:
        SettingsError: A setting or an SSM parameter is missing or cannot be read.
        StorageError: A store names no bucket.
    """
    lake = Lake(settings.lake_uri)
    yield from survey_findings(lake, open_landing_zone(settings.landing_zone_uri), settings)
    registry = open_registry(settings)
    yield from model_findings(lake, registry, settings)
    yield from input_findings(lake, registry)
