"""Where a row comes from: an animal that a crew measured, or a simulation."""

from __future__ import annotations

from typing import Final

SURVEYED: Final = "surveyed"
SYNTHETIC: Final = "synthetic"
ORIGINS: Final[tuple[str, ...]] = (SURVEYED, SYNTHETIC)
