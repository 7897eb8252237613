"""The page on the architecture tells of what is there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import abalone_assets
from abalone_assets_tests.support.lake_page import listed_objects, unlisted

KEY: Final = re.compile(r'_KEY(?:: Final)? = f?"([^"{]+)"')


def test_it_lists_every_key_that_a_constant_names() -> None:
    sources = Path(abalone_assets.__file__).parent.rglob("*.py")
    named = {key for source in sources for key in KEY.findall(source.read_text("utf-8"))}

    assert len(named) > 12
    assert unlisted(sorted(named)) == []


def test_of_every_object_it_says_what_it_is() -> None:
    assert len(listed_objects()) > 30
    assert unlisted(["merged_dataset/_unheard_of.json", "_kept/days/x.json", "x/y/z.parquet"])
    assert not unlisted(["_kept/days/2025-04.0f.json", "rows/survey_day=2024-01-02/data.parquet"])
