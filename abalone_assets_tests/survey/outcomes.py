"""What becomes of what is found in a survey file: a row of the table of docs/survey-contract.md."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

READ: Final = "read as meant"
QUARANTINED: Final = "row quarantined"
REFUSED: Final = "file refused"
OUTCOMES: Final = (READ, QUARANTINED, REFUSED)


@dataclass(frozen=True)
class Found:
    """One row of the table.

    Attributes:
        found: What is found, as the page says it.
        outcome: What becomes of it.
        contents: Files in which it is found.
        told: A pattern of the note, the reason or the broken rule; empty when nothing is told.
        lost: Animals that are quarantined.
    """

    found: str
    outcome: str
    contents: tuple[bytes, ...]
    told: str = ""
    lost: tuple[int, ...] = field(default=())
