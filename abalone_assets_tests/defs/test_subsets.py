"""One table of a step that writes several: all are written, and Dagster is told of all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import polars as pl
import pytest

from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.automation.runs import day_range_tags
from abalone_assets.defs.preparation.checks import splits_partition_the_rows
from abalone_assets.etl.request import SPLIT_PERCENT
from abalone_assets.ingest import frames
from abalone_assets.resources.storage import LakeResource
from abalone_assets_tests.automation.support import (
    INGEST,
    RELEASE,
    ingest,
    name_of,
    platform_in,
    prepare_only,
    requests,
)
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets_tests.support.platform import Platform

pytestmark = pytest.mark.service
DAY, NEXT_DAY = "2025-03-03", "2025-03-04"
PREPARED = ("merged_dataset", *SPLIT_PERCENT)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """Two survey days in the landing zone: three good rows and a bad one, and four good ones."""
    raw = tmp_path / "base.csv"
    raw.write_bytes(survey_rows(60))
    with platform_in(tmp_path, RAW_URI=str(raw)) as platform:
        platform.land(name_of(DAY), survey_rows(3) + b"M,0.1\n")
        platform.land(name_of(NEXT_DAY), survey_rows(4, seed=1))
        yield platform


def ingest_one(platform: Platform, asset: str) -> dg.ExecuteInProcessResult:
    """Ask for one asset of both days, as ``dg launch --assets`` and the dialog do."""
    tags = day_range_tags(DayRange(DAY, NEXT_DAY))
    request = dg.RunRequest(asset_selection=[dg.AssetKey(asset)], tags=tags)
    return platform.run(INGEST, request, raise_on_error=False)


def told(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str | None], object]:
    """The rows that each materialization tells of, by asset and partition."""
    events = [
        event.step_materialization_data.materialization
        for event in result.get_asset_materialization_events()
    ]
    return {
        (event.asset_key.to_user_string(), event.partition): event.metadata[
            "dagster/row_count"
        ].value
        for event in events
    }


@pytest.mark.parametrize("asset", ["new_surveys", "quarantined_rows"])
def test_either_table_of_the_days_brings_the_other(platform: Platform, asset: str) -> None:
    # It once ended in DagsterInvalidSubsetError.
    result = ingest_one(platform, asset)
    assert result.success
    assert told(result) == {
        ("new_surveys", DAY): 3,
        ("new_surveys", NEXT_DAY): 4,
        ("quarantined_rows", DAY): 1,
        ("quarantined_rows", NEXT_DAY): 0,
    }
    lake = platform.lake
    written = {day: (each.rows, each.quarantined) for day, each in lake.manifest().days.items()}
    assert written == {DAY: (3, 1), NEXT_DAY: (4, 0)}
    for table, rows in {"new_surveys": 7, "quarantined_rows": 1}.items():
        assert sum(frames.rows_written(lake.uri(table, day)) for day in written) == rows
    checks = {each.check_name: each.passed for each in result.get_asset_check_evaluations()}
    assert checks["rows_are_conserved"]
    assert requests(platform) == []


def test_a_day_ingested_anew_by_one_table_leaves_nothing_stale_in_the_other(
    platform: Platform,
) -> None:
    assert ingest_one(platform, "new_surveys").success
    (platform.home / "landing_zone" / name_of(DAY)).unlink()
    platform.land(name_of(DAY), survey_rows(2, seed=2))
    assert ingest_one(platform, "new_surveys").success
    assert frames.rows_written(platform.lake.uri("quarantined_rows", DAY)) == 0
    assert platform.lake.manifest().days[DAY].quarantined == 0


def test_rows_lost_in_the_table_that_nobody_selected_fail_the_run(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    to_parquet = frames.to_parquet

    def lossy(frame: pl.DataFrame) -> bytes:
        return to_parquet(frame if "rule" in frame.columns else frame.tail(-1))

    monkeypatch.setattr(frames, "to_parquet", lossy)
    result = ingest_one(platform, "quarantined_rows")
    assert not result.success
    assert platform.lake.manifest().days_with_rows == []


@pytest.mark.parametrize("asset", PREPARED)
def test_one_prepared_table_brings_all_of_the_same_content(platform: Platform, asset: str) -> None:
    assert ingest(platform) == [True]
    assert prepare_only(platform).success
    platform.land(name_of("2025-03-05"), survey_rows(30, seed=3))
    assert ingest(platform) == [True]
    request = dg.RunRequest(asset_selection=[dg.AssetKey(asset)])
    result = platform.run(RELEASE, request, raise_on_error=False)
    assert result.success
    lake = platform.lake
    assert lake.preparation().digest == lake.manifest().digest
    rows = {(name, None): frames.rows_written(lake.uri(name)) for name in PREPARED}
    assert told(result) == rows
    assert rows["merged_dataset", None] == 94
    judged = splits_partition_the_rows(lake=LakeResource(uri=lake.store.uri))
    assert isinstance(judged, dg.AssetCheckResult)
    assert judged.passed
