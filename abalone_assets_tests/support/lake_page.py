"""The objects of a lake as ``docs/architecture.md`` lists them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

PAGE: Final = Path(__file__).parents[2] / "docs" / "architecture.md"
PLACES: Final = re.compile(r"<[^>]+>|2025-03(-03)?|…")


def listed_objects() -> list[str]:
    """The first words of each line: a key, with places for what differs."""
    block = re.search(r"(?s)## The lake is the truth\n\n```\n(.*?)```", PAGE.read_text("utf-8"))
    assert block is not None
    return [re.split(r"\s{2,}", line)[0] for line in block[1].splitlines()]


def unlisted(keys: Iterable[str]) -> list[str]:
    """Which of these keys the page does not list; lock files and marks of folders are none."""
    patterns = [re.compile(_pattern(each)) for each in listed_objects()]
    return [
        key
        for key in keys
        if not Path(key).name.startswith(".") and not any(each.fullmatch(key) for each in patterns)
    ]


def _pattern(listed: str) -> str:
    pattern, end = "", 0
    for place in PLACES.finditer(listed):
        pattern += re.escape(listed[end : place.start()])
        pattern += ".+" if place[0] == "…" else r"[\d-]+" if place[0][0] == "2" else "[^/_.][^/]*"
        end = place.end()
    return pattern + re.escape(listed[end:])
