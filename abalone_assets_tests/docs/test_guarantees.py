"""Every test that the page of guarantees names is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

TESTS: Final = Path(__file__).parents[1]
PAGE: Final = TESTS.parent / "docs" / "guarantees.md"
NAMED: Final = re.compile(r"`([\w/]+\.py)::(\w+)`")


def test_every_test_that_keeps_a_promise_exists() -> None:
    named = NAMED.findall(PAGE.read_text(encoding="utf-8"))

    missing = [f"{file}::{test}" for file, test in named if not _is_there(TESTS / file, test)]

    assert missing == []
    assert len(set(named)) == len(named)


def test_every_promise_has_a_test() -> None:
    text = PAGE.read_text(encoding="utf-8").partition("## Not promised")[0]

    promises = re.split(r"(?m)^\*\*", text)[1:]

    assert len(promises) >= 15
    assert [each[:60] for each in promises if not NAMED.search(each)] == []


def _is_there(file: Path, test: str) -> bool:
    found = file.is_file() and re.search(
        rf"(?m)^ *(?:async )?def {test}\(", file.read_text(encoding="utf-8")
    )
    return bool(found)
