"""All that is verified, in the profile in force: at once, or over many nights."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from abalone_assets.doctor.verify.animals import animals_findings
from abalone_assets.doctor.verify.inputs import input_findings
from abalone_assets.doctor.verify.models import model_findings
from abalone_assets.doctor.verify.surveys import survey_findings
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.lake.lake import Lake
from abalone_assets.registry.open import open_registry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from abalone_assets.doctor.finding import Finding
    from abalone_assets.settings.platform import Settings


DAYS_A_NIGHT: Final = 200
"""Of each kind of days, or of objects that old releases need: what is read in one night."""

SETTLE_SECONDS: Final = 60.0
"""After which what was amiss is looked at again: a run may have been writing it."""


def verify(settings: Settings, night: int | None = None) -> Iterator[Finding]:
    """Compare what records say with what is stored, one thing after the other.

    Args:
        settings: The settings in force.
        night: The number of a night: of survey days, of animals and of what is kept of old
            releases, those are read whose turn it is; all when it is left out.

    Raises:
        SettingsError: A setting or an SSM parameter is missing or cannot be read.
        StorageError: A store names no bucket.
    """
    lake = Lake(settings.lake_uri)
    zone = open_landing_zone(settings.landing_zone_uri)

    def chosen(days: Collection[str]) -> Sequence[str]:
        return sorted(days) if night is None else days_of_night(days, night)

    yield from survey_findings(lake, zone, settings, chosen)
    yield from animals_findings(lake, chosen)
    registry = open_registry(settings)
    yield from model_findings(lake, registry, settings)
    yield from input_findings(lake, registry, chosen)


def verify_at_night(
    settings: Settings, night: int, *, settle_seconds: float = SETTLE_SECONDS
) -> list[Finding]:
    """The same for a night's share; what is amiss is amiss at two looks.

    Raises:
        SettingsError: As `verify`.
        StorageError: As `verify`.
    """
    findings = list(verify(settings, night))
    if all(each.outcome != "failed" for each in findings):
        return findings
    time.sleep(settle_seconds)
    return list(verify(settings, night))


def days_of_night(days: Collection[str], night: int) -> list[str]:
    """The days, or keys, whose turn it is: each once in so many nights as there are shares."""
    shares = max(1, -(-len(days) // DAYS_A_NIGHT))
    return sorted(days)[night % shares :: shares]
