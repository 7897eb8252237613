"""What the documents point at is there."""

from __future__ import annotations

import re
from itertools import chain
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PROJECT: Final = Path(__file__).parents[2]
PAGES: Final = [
    *(PROJECT / name for name in ("README.md", "CONTRIBUTING.md", "deploy/README.md")),
    *sorted((PROJECT / "docs").rglob("*.md")),
]
LINK: Final = re.compile(r"\]\((?!\w+:)([^)\s]*)\)")
CODE: Final = re.compile(r"`([^`\n]+)`")
PATH: Final = re.compile(r"[\w.*/-]+(/|\.(py|md|toml|ya?ml))")
ELSEWHERE: Final = {".abalone/", "code/", "landing_zone/", "raw/", "setup.py", "trained_model/"}
"""In the lake, in a bucket, in a model archive or in a container: no part of the project."""


def prose(page: Path) -> str:
    """A page without its blocks of code."""
    return re.sub(r"(?ms)^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """What links to a page's headings end with."""
    headings = re.findall(r"(?m)^#+ (.*)$", prose(page))
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def broken_links(page: Path) -> Iterator[str]:
    for link in LINK.findall(prose(page)):
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            yield link


def lost_paths(page: Path) -> Iterator[str]:
    """Paths and modules in backticks that are nowhere; a path starts at one of four places."""
    starts = (PROJECT, PROJECT / "abalone_assets", PROJECT / "docs", page.parent)
    for code in CODE.findall(prose(page)):
        if code.startswith("abalone_assets."):
            try:
                resolve_name(code)
            except (ImportError, AttributeError):
                yield code
        elif PATH.fullmatch(code) and code not in ELSEWHERE:
            found = [*chain.from_iterable(start.glob(code.rstrip("/")) for start in starts)]
            yield from [] if found else [code]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_and_every_path_of_a_page_leads_somewhere(page: Path) -> None:
    assert [*broken_links(page), *lost_paths(page)] == []
