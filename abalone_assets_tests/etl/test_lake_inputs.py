"""What a lake is prepared from, and of which part of it the outputs are kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from abalone_assets.etl import lake_inputs
from abalone_assets.etl.lake_inputs import lake_request
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest import IngestedDay, IngestedFile, IngestedRaw, Manifest

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.etl.request import PrepareRequest

RAW = IngestedRaw("raw", "file", simulated=False, rows=4, quarantined=0)
DAYS = ("2024-12-31", "2025-02-28", "2025-03-01", "2025-03-09")


def day(content: str = "a", rows: int = 2) -> IngestedDay:
    return IngestedDay("digest", (IngestedFile("abalone.1", 9, "e", content, rows, 0),))


SURVEYED = Manifest(RAW, {each: day() for each in DAYS})


@pytest.fixture(autouse=True)
def few_rows_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lake_inputs, "KEPT_FROM_ROWS", 8)


def asked(folder: Path, manifest: Manifest) -> PrepareRequest:
    return lake_request(Lake(str(folder)), manifest)


def changed(name: str, content: IngestedDay) -> Manifest:
    return replace(SURVEYED, days={**SURVEYED.days, name: content})


def test_the_days_of_the_last_month_with_rows_are_apart(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    empty = changed("2025-04-01", day(rows=0))
    for manifest in (SURVEYED, empty):
        request = asked(tmp_path, manifest)
        older = [lake.uri("new_surveys", each) for each in DAYS[:2]]
        assert request.inputs == (lake.uri("raw_abalone"), *older)
        assert request.newest == tuple(lake.uri("new_surveys", each) for each in DAYS[2:])
        assert request.outputs["merged_dataset"] == lake.uri("merged_dataset")
        assert request.outputs["test_split"] == lake.uri("test_split")


def test_the_lakes_writes_are_named(tmp_path: Path) -> None:
    assert asked(tmp_path, SURVEYED).writes == SURVEYED.writes != ""


def test_the_name_of_the_older_surveys_tells_their_content_and_no_more(tmp_path: Path) -> None:
    older = asked(tmp_path, SURVEYED).older
    assert len(older) == 64
    assert asked(tmp_path, changed("2025-03-09", day("b"))).older == older
    assert asked(tmp_path, changed("2025-03-10", day("b"))).older == older
    names = [asked(tmp_path, changed(each, day("b"))).older for each in (*DAYS[:2], "2025-02-01")]
    names.append(asked(tmp_path, changed("2025-04-01", day())).older)
    names.append(asked(tmp_path, replace(SURVEYED, raw=replace(RAW, digest="other"))).older)
    assert len({older, *names}) == 6


@pytest.mark.parametrize(
    "manifest",
    [
        replace(SURVEYED, raw=replace(RAW, rows=3)),
        replace(SURVEYED, raw=None),
        replace(SURVEYED, days={}),
        replace(SURVEYED, raw=None, days={"2025-03-01": day()}),
    ],
)
def test_of_few_rows_or_no_day_nothing_is_kept(tmp_path: Path, manifest: Manifest) -> None:
    request = asked(tmp_path, manifest)
    assert (request.newest, request.older) == ((), "")
    assert len(request.inputs) == len(manifest.days) + (manifest.raw is not None)
