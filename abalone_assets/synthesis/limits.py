"""How much may be asked for; apart from what does it, so that a command line can tell at once."""

from __future__ import annotations

from typing import Final

MAX_ROWS: Final = 100_000
"""In one survey: some hundred times what a crew lands in a day."""

MAX_EPOCHS: Final = 10_000
MAX_SEEDS: Final = 20
