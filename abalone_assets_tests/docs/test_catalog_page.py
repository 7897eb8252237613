"""The page on the catalog's tables: what it says of columns, and its queries."""

from __future__ import annotations

import re
import runpy
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl

from abalone_assets.ingest.frames import to_parquet
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.released_files import record_released_files
from abalone_assets.modeling.dataset import concat
from abalone_assets.registry.catalog import refresh_catalog
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.cli.support import GOOD_ROW, ingest
from abalone_assets_tests.docs.test_settings_page import DOCS
from abalone_assets_tests.modeling.evaluation.judged import champion, comparison
from abalone_assets_tests.modeling.support import rows
from abalone_assets_tests.registry.support import add
from abalone_assets_tests.registry.test_provenance import MADE
from abalone_assets_tests.serving.support import new_registry

if TYPE_CHECKING:
    from pathlib import Path

NAME, DAY = "abalone.20250314061500", "2025-03-14"


def test_the_page_is_what_the_tables_say() -> None:
    page = runpy.run_path(str(DOCS / "catalog_page.py"))["page"]()
    said = (DOCS / "catalog.md").read_text(encoding="utf-8")
    assert said == page, "run `make docs`"


def test_its_queries_answer(home: Path) -> None:
    settings, registry = load_settings(), new_registry(home)
    (home / "landing_zone" / NAME).write_text(GOOD_ROW + "Q" + GOOD_ROW[1:])
    ingest(home, DAY)
    lake = Lake(settings.lake_uri)
    record_released_files(lake.store, lake.manifest())
    digest = lake.manifest().digest
    told: dict[str, Any] = {
        "confidence": {"rmse": [2.0, 2.2]},
        "provenance": MADE.to_document(),
    }
    add(registry, "a", release=digest, rule="first_model", **told)
    by_chance = comparison(0.2, -0.1, 0.5, value="M")
    better = comparison(-0.1, -0.2, 0, value="F")
    worse = champion(comparison(0.3, 0.1, 0.5), sex=[better, by_chance])
    add(registry, "b", release=digest, approved=False, rule="worse_than_champion", champion=worse)
    registry.approve(2, because="the scale was checked", by="ana")
    lake.store.write(lake.key("merged_dataset"), to_parquet(sent_twice()))
    assert refresh_catalog(settings, lake, registry) == []

    queries = re.findall(r"```sql\n(.*?)```", (DOCS / "catalog.md").read_text(), re.DOTALL)
    with duckdb.connect(str(settings.catalog_file), read_only=True) as connection:
        answers: list[list[tuple[Any, ...]]] = [
            connection.execute(query).fetchall() for query in queries
        ]
    versions, made, decisions, quarantined, files, worse_on, alike = answers
    assert [(row[0], *row[2:]) for row in versions] == [
        (1, 2.1, 2.0, 2.2, True, "the gate"),
        (2, 2.1, None, None, True, "ana"),
    ]
    code = "0.1.0, commit 1a2b3c4d5e with changes"
    assert [row[:4] for row in made] == [(1, "blend", code, "r"), (2, None, None, None)]
    assert [row[1:] for row in decisions] == [
        (2, "ana", True, None, "the scale was checked"),
        (2, "the gate", False, "worse_than_champion", "as measured"),
        (1, "the gate", True, "first_model", "as measured"),
    ]
    assert [(str(day), *rest) for day, *rest in quarantined] == [(DAY, "sex", 1)]
    assert [row[:2] for row in files] == [(1, NAME)]
    assert [row[:2] for row in worse_on] == [("all", "all")]
    assert alike == [("abalone.20250301000000", 20)]


def sent_twice() -> pl.DataFrame:
    """30 animals of a file, and 20 of them in another one, a step longer and heavier."""
    animals = rows(0, 30, "abalone.20250301000000")
    again = rows(0, 20, NAME)
    again |= {"length": again["length"] + 0.005, "whole_weight": again["whole_weight"] + 0.0005}
    return pl.DataFrame(concat([animals, again])).with_columns(bucket=pl.lit(0, pl.Int64))
