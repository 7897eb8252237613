"""Where a row comes from: an animal that a crew measured, a simulation, or our example data.

Example rows ship with the platform for a first run without a network. They are simulated, too, but
play the part of surveyed animals: they judge models, and weigh as much. Only the word differs.
"""

from __future__ import annotations

from typing import Final

SURVEYED: Final = "surveyed"
SYNTHETIC: Final = "synthetic"
EXAMPLE: Final = "example"
ORIGINS: Final[tuple[str, ...]] = (SURVEYED, SYNTHETIC, EXAMPLE)
