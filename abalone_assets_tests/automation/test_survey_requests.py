"""Which runs the survey sensor asks for, whatever became of its cursor and of other runs."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets.automation import day_requests
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.lake.releases import Release
from abalone_assets_tests.automation.support import (
    DAY,
    FILE,
    INGEST,
    RELEASE_SENSOR,
    SURVEY_SENSOR,
    ingest,
    ingested,
    launch,
    name_of,
    ranges,
    requests,
)
from abalone_assets_tests.support.platform import Platform, survey_rows

if TYPE_CHECKING:
    from pathlib import Path


class TestRequests:
    def test_of_one_tick_are_bounded_and_the_rest_follows(self, platform: Platform) -> None:
        months = [f"2024-{month:02}-01" for month in (1, 3, 5, 7, 9, 11)] + ["2025-01-01"]
        for seed, day in enumerate(months):
            platform.land(name_of(day), survey_rows(1, seed=seed))
        first = requests(platform)
        assert ranges(first) == [(day, day) for day in months[: day_requests.MAX_REQUESTS]]
        for request in first:
            launch(platform, request)
        rest = requests(platform)
        assert ranges(rest) == [(day, day) for day in months[day_requests.MAX_REQUESTS :]]

    @pytest.mark.parametrize(
        "cursor", [None, "", "{}", "[]", "no json", '{"other": 1}', '{"reconciled_at": null}']
    )
    def test_are_made_whatever_became_of_the_cursor(
        self, platform: Platform, cursor: str | None
    ) -> None:
        platform.land(FILE, survey_rows(3))
        platform.cursors[SURVEY_SENSOR] = cursor
        assert ranges(requests(platform)) == [(DAY, DAY)]

    def test_do_not_overlap_with_days_in_flight(self, platform: Platform) -> None:
        """Two due days around one in flight were once bridged into a range that covered it."""
        platform.land(name_of("2025-03-05"), survey_rows(3))
        (in_flight,) = requests(platform)
        launch(platform, in_flight)
        for seed, day in enumerate(("2025-03-02", "2025-03-03", "2025-03-09"), start=1):
            platform.land(name_of(day), survey_rows(3, seed=seed))
        assert ranges(requests(platform)) == [
            ("2025-03-02", "2025-03-03"),
            ("2025-03-09", "2025-03-09"),
        ]

    def test_count_runs_that_a_user_launched(self, platform: Platform) -> None:
        platform.land(FILE, survey_rows(3))
        launch(platform, dg.RunRequest(tags={"dagster/partition": DAY}))
        assert requests(platform) == []
        assert "1 in flight" in str(platform.reasons[SURVEY_SENSOR])


def test_a_survey_that_lands_while_its_day_is_in_flight_is_not_lost(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, may_go_on = threading.Event(), threading.Event()
    read = FolderLandingZone.read

    def slow_read(zone: FolderLandingZone, name: str) -> bytes:
        reading.set()
        assert may_go_on.wait(20)
        return read(zone, name)

    platform.land(FILE, survey_rows(3))
    (request,) = requests(platform)
    with monkeypatch.context() as patched:
        patched.setattr(FolderLandingZone, "read", slow_read)
        run = threading.Thread(target=platform.run, args=(INGEST, request))
        run.start()
        assert reading.wait(20)
        second = name_of(DAY, "130000")
        platform.land(second, survey_rows(4, seed=1))
        assert requests(platform) == []
        may_go_on.set()
        run.join()
    assert ingest(platform) == [True]
    assert ingested(platform) == {FILE: 3, second: 4}


def test_a_lost_dagster_database_loses_no_state(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.land(FILE, survey_rows(3))
    assert ingest(platform) == [True]
    digest = platform.lake.manifest().digest
    platform.lake.record_release(Release(digest, "deployed", "a test", 1, "a run", "2025-03-03"))
    fresh = tmp_path / "fresh"
    fresh.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(fresh))
    with Platform.at(platform.home) as reborn:
        assert requests(reborn) == []
        assert requests(reborn, RELEASE_SENSOR) == []
        reborn.land(name_of("2025-03-04"), survey_rows(3, seed=1))
        assert ranges(requests(reborn)) == [("2025-03-04", "2025-03-04")]
