"""A folder that the system refuses to look into, whoever asks: tests may run as root."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

WHY = "File name too long"
"""What the system says: an error that is not one of those that mean that nothing is there."""


def out_of_reach(parent: Path) -> Path:
    """One that can neither be made nor looked for, as behind a folder that may not be entered."""
    return parent / ("x" * 300)
