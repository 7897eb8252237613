"""Every test that the pages of guarantees, threats and symptoms name is there."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parents[1]
DOCS: Final = TESTS.parent / "docs"
NAMED: Final = re.compile(r"`([\w/]+\.py)::(\w+)`")
SEEN: Final = re.compile(r"(?s)\*\*Seen\*\*:(.*?)\n- \*\*Means")
PAGES: Final = ("guarantees.md", "threat-model.md", "runbook.md")


def text_of(page: str) -> str:
    return (DOCS / page).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES)
def test_every_test_that_keeps_a_promise_exists(page: str) -> None:
    named = NAMED.findall(text_of(page))

    missing = [f"{file}::{test}" for file, test in named if not _is_there(TESTS / file, test)]

    assert missing == []
    if page == "guarantees.md":
        assert len(set(named)) == len(named)


@pytest.mark.parametrize(
    ("page", "ends", "least"),
    [("guarantees.md", "## Not promised", 15), ("threat-model.md", "## Not stopped", 15)],
)
def test_every_promise_has_a_test(page: str, ends: str, least: int) -> None:
    text = text_of(page).partition(ends)[0]

    promises = re.split(r"(?m)^\*\*", text)[1:]

    assert len(promises) >= least
    assert [each[:60] for each in promises if not NAMED.search(each)] == []


def test_every_symptom_says_what_is_seen_what_it_means_what_to_do_and_is_tried() -> None:
    entries = re.split(r"(?m)^## ", text_of("runbook.md"))[1:]

    assert len(entries) >= 12
    for entry in entries:
        assert re.findall(r"(?m)^- \*\*(.+?)\*\*", entry) == ["Seen", "Means", "Do", "Tried by"]
        assert NAMED.search(entry.partition("**Tried by**")[2]), entry[:40]


def test_what_the_runbook_says_is_seen_is_said_by_the_platform() -> None:
    quoted = [
        " ".join(words.split())
        for seen in SEEN.findall(text_of("runbook.md"))
        for words in re.findall(r'"([^"]+)"', seen)
    ]

    assert len(quoted) >= 12
    assert [words for words in quoted if not _is_said(words)] == []


def _is_said(words: str) -> bool:
    """Whether the source says this: of the system's own words, and of a job, the name fills in."""
    own = {"No space left on device", "the job verify_stores failed"}
    return words in own or words in _source()


@cache
def _source() -> str:
    """All strings of the platform, each on one line."""
    texts = (path.read_text() for path in (TESTS.parent / "abalone_assets").rglob("*.py"))
    return re.sub(r'"\s*\n\s*f?"', "", "\n".join(texts))


def _is_there(file: Path, test: str) -> bool:
    found = file.is_file() and re.search(
        rf"(?m)^ *(?:async )?def {test}\(", file.read_text(encoding="utf-8")
    )
    return bool(found)
