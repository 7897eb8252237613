"""What tests of landing zones share: a survey's name, and what a landing zone says it holds."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from abalone_assets.ingest.landing_zone import LandingZone

FIRST, LAST = date(2025, 1, 1), date(2025, 3, 31)
NAME = "abalone.20250303120000"


def names(zone: LandingZone) -> list[str]:
    return sorted(file.name for file in zone.list_files())


def stray_problems(zone: LandingZone) -> dict[str, str]:
    return {stray.file.name: stray.problem for stray in zone.scan(FIRST, LAST).strays}
