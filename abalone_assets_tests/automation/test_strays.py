"""What the survey sensor leaves where it is: strays, and days before the first."""

from __future__ import annotations

import dagster as dg
import pytest

from abalone_assets.lake.releases import Release
from abalone_assets_tests.automation.support import (
    DAY,
    FILE,
    RELEASE_SENSOR,
    SURVEY_SENSOR,
    Clock,
    ingest,
    ingested,
    name_of,
    prepare_only,
    requests,
    table,
    today,
)
from abalone_assets_tests.support.platform import BASE_ROWS, Platform, survey_rows


class TestTheFirstSurveyDay:
    def test_takes_days_out_of_the_next_release_and_in_again_whichever_way_it_moves(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The days before a later first day once stayed in every model for ever."""
        for seed, day in enumerate((DAY, "2025-03-04")):
            platform.land(name_of(day), survey_rows(3 + seed, seed=seed))
        assert ingest(platform) == [True]
        digests = []
        for first, rows in (("2023-01-01", 7), ("2025-03-04", 4), ("2025-03-03", 7)):
            monkeypatch.setenv("ABALONE_FIRST_SURVEY_DAY", first)
            assert requests(platform) == []
            assert len(requests(platform, RELEASE_SENSOR)) == 1
            assert sum(day.rows for day in platform.lake.manifest().days.values()) == rows
            assert platform.lake.earlier_days() == ([DAY] if rows == 4 else [])
            assert prepare_only(platform).success
            assert platform.lake.preparation().rows_ingested == rows + BASE_ROWS
            digests.append(platform.lake.manifest().digest)
            platform.lake.record_release(Release(digests[-1], "deployed", "", 1, "", "2025-03-03"))
            assert requests(platform, RELEASE_SENSOR) == []
        assert digests[0] == digests[2] != digests[1]


class TestStrays:
    def stray_counts(self, platform: Platform) -> list[object]:
        events = platform.tick(SURVEY_SENSOR).asset_events
        assert all(
            isinstance(event, dg.AssetObservation)
            and event.asset_key == dg.AssetKey("landing_zone")
            for event in events
        )
        return [event.metadata["stray_files"].value for event in events]

    def test_are_reported_once_and_again_when_they_are_others(self, platform: Platform) -> None:
        platform.land("abalone.2025-03-03", survey_rows(3))
        assert self.stray_counts(platform) == [1]
        assert self.stray_counts(platform) == []
        platform.land("notes.txt", b"gone fishing")
        assert self.stray_counts(platform) == [2]
        assert self.stray_counts(platform) == []
        (platform.home / "landing_zone" / "notes.txt").unlink()
        assert self.stray_counts(platform) == [1], "one that is gone is not shown for ever"
        assert self.stray_counts(platform) == []

    @pytest.mark.parametrize(
        ("name", "problem"),
        [
            ("abalone.20250231120000", "day"),
            (name_of("2022-12-31"), "ABALONE_FIRST_SURVEY_DAY"),
        ],
        ids=["no day", "before the first partition"],
    )
    def test_show_their_names_and_problems(
        self, platform: Platform, name: str, problem: str
    ) -> None:
        platform.land(name, survey_rows(3))
        tick = platform.tick(SURVEY_SENSOR)
        assert tick.run_requests == []
        (event,) = tick.asset_events
        (record,) = table(event.metadata["files"])
        assert record["file"] == name
        assert problem in str(record["problem"])

    def test_block_no_other_file(self, platform: Platform) -> None:
        platform.land("abalone.csv", survey_rows(3))
        (platform.home / "landing_zone" / "abalone.\udcff\n").write_bytes(b"?")
        platform.land(FILE, survey_rows(3))
        assert ingest(platform) == [True]
        assert ingested(platform) == {FILE: 3}

    def test_of_the_future_are_ingested_when_their_day_comes(
        self, platform: Platform, clock: Clock
    ) -> None:
        clock.advance(days=-1)  # to the sensor, today is tomorrow
        platform.land(name_of(today(), "000000"), survey_rows(3))
        assert self.stray_counts(platform) == [1]
        assert requests(platform) == []
        clock.advance(days=1)
        assert ingest(platform) == [True]
        assert ingested(platform, today()) == {name_of(today(), "000000"): 3}
