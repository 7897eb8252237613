"""Survey days that the landing zone or the lake has lost."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.automation.runs import day_range_tags
from abalone_assets.lake.manifest_store import read_manifest_anew
from abalone_assets_tests.automation.support import (
    DAY,
    FILE,
    INGEST,
    SURVEY_SENSOR,
    Clock,
    ingest,
    ingested,
    name_of,
    ranges,
    requests,
    today,
)
from abalone_assets_tests.support.platform import Platform, survey_rows


class TestDaysThatAreMissing:
    DAYS = tuple(f"2025-03-0{number}" for number in range(1, 5))

    def test_keep_their_rows_whatever_lands_before_between_and_after_them(
        self, platform: Platform
    ) -> None:
        for seed, day in enumerate(self.DAYS):
            platform.land(name_of(day), survey_rows(3, seed=seed))
        assert ingest(platform) == [True]
        for day in self.DAYS:
            (platform.home / "landing_zone" / name_of(day)).unlink()
        assert requests(platform) == []
        for seed, day in enumerate(["2025-02-27", "2025-03-05", "2025-03-06", "2025-03-07"], 10):
            platform.land(name_of(day), survey_rows(3, seed=seed))
        assert ingest(platform) == [True, True]
        assert requests(platform) == []
        assert [platform.lake.manifest().rows_of(day) for day in self.DAYS] == [3] * 4
        missed = dg.RunRequest(tags=day_range_tags(DayRange(self.DAYS[0], self.DAYS[1])))
        assert platform.run(INGEST, missed).success
        assert [platform.lake.manifest().rows_of(day) for day in self.DAYS] == [3] * 4
        assert requests(platform) == []


class TestALandingZoneThatWentAway:
    """An emptied folder once took every survey out of the lake, and a model without went live."""

    @pytest.mark.parametrize("reconcile_seconds", ["0", "600"])
    def test_keeps_its_days_in_the_lake_and_says_what_to_do(
        self,
        platform: Platform,
        monkeypatch: pytest.MonkeyPatch,
        clock: Clock,
        reconcile_seconds: str,
    ) -> None:
        monkeypatch.setenv("ABALONE_RECONCILE_SECONDS", reconcile_seconds)
        first = datetime.now(UTC).date()
        days = [(first - timedelta(days=number)).isoformat() for number in (2, 1, 0)]
        for seed, day in enumerate(days):
            platform.land(name_of(day, "000000"), survey_rows(3, seed=seed))
        assert ingest(platform) == [True]
        (platform.home / "landing_zone").rename(platform.home / "elsewhere")
        (platform.home / "landing_zone").mkdir()
        for _ in range(3):
            assert requests(platform) == []
            said = str(platform.reasons[SURVEY_SENSOR])
            assert f"the files of 3 survey days, {days[0]} to {days[2]}, are gone at once" in said
            assert "abalone forget" in said
            clock.advance(seconds=300)
        assert platform.lake.manifest().rows == 9
        (platform.home / "landing_zone").rmdir()
        (platform.home / "elsewhere").rename(platform.home / "landing_zone")
        assert requests(platform) == []
        assert platform.reasons[SURVEY_SENSOR] == "every landed survey is in the lake"

    def test_costs_a_look_at_everything_once_not_at_every_tick(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch, clock: Clock
    ) -> None:
        monkeypatch.setenv("ABALONE_RECONCILE_SECONDS", "600")
        platform.land(name_of(today(), "000000"), survey_rows(3))
        assert ingest(platform) == [True]
        (platform.home / "landing_zone" / name_of(today(), "000000")).unlink()
        looks = list[float]()
        for _ in range(3):
            clock.advance(seconds=10)
            assert requests(platform) == []
            looks.append(json.loads(platform.cursors[SURVEY_SENSOR] or "")["reconciled_at"])
        assert len(set(looks)) == 1


class TestALakeThatLostADay:
    """A folder deleted by hand once failed every release, while the sensor found nothing to do."""

    @pytest.mark.parametrize("asset", ["new_surveys", "quarantined_rows"])
    def test_gets_it_again_from_the_landing_zone(self, platform: Platform, asset: str) -> None:
        platform.land(FILE, survey_rows(3) + b"X,1\n")
        assert ingest(platform) == [True]
        shutil.rmtree(platform.home / "lake" / asset / f"survey_day={DAY}")
        assert platform.lake.lost_days(platform.lake.manifest()) == [DAY]
        asked = requests(platform)
        assert ranges(asked) == [(DAY, DAY)]
        assert platform.lake.manifest().days_with_rows == [], "no release looks for it meanwhile"
        platform.run(INGEST, asked[0])
        assert ingested(platform) == {FILE: 3}
        assert platform.lake.lost_days(platform.lake.manifest()) == []

    def test_gets_the_files_of_a_lost_part_of_its_manifest_again(self, platform: Platform) -> None:
        """Random histories found it: nothing looked at the part, and the next change failed."""
        for seed, day in enumerate((DAY, "2025-03-04", "2025-04-01")):
            platform.land(name_of(day), survey_rows(3, seed=seed))
        assert all(ingest(platform))
        digest = platform.lake.manifest().digest
        for path in (platform.home / "lake" / "_manifest").glob("2025-03.*"):
            path.unlink()
        read_manifest_anew(platform.lake.store)
        assert platform.lake.lost_days(platform.lake.manifest()) == [
            each for each in platform.lake.manifest().days if each.startswith("2025-03")
        ]
        assert all(ingest(platform))
        assert len(read_manifest_anew(platform.lake.store).days["2025-03-04"].files) == 1
        assert platform.lake.manifest().digest == digest
        assert requests(platform) == []

    def test_gets_them_also_beside_days_before_the_first_survey_day(
        self, platform: Platform, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Of these the same part has the files, and nothing of the month could be written."""
        platform.land(name_of("2025-03-01"), survey_rows(2, seed=1))
        platform.land(FILE, survey_rows(3))
        assert ingest(platform) == [True, True]
        monkeypatch.setenv("ABALONE_FIRST_SURVEY_DAY", DAY)
        for stored in list(platform.lake.store.list("_manifest/")):
            platform.lake.store.delete(stored.key)
        read_manifest_anew(platform.lake.store)
        platform.land(name_of("2025-03-04"), survey_rows(4, seed=2))
        assert all(ingest(platform))
        assert platform.lake.manifest().rows_of(DAY) == 3
        assert platform.lake.manifest().rows_of("2025-03-04") == 4
        monkeypatch.setenv("ABALONE_FIRST_SURVEY_DAY", "2025-03-01")
        assert ingest(platform) == [True]
        assert platform.lake.manifest().rows_of("2025-03-01") == 2

    def test_says_so_when_it_is_not_there_either(self, platform: Platform) -> None:
        for seed, day in enumerate((DAY, "2025-03-04")):
            platform.land(name_of(day), survey_rows(3, seed=seed))
        assert ingest(platform) == [True]
        shutil.rmtree(platform.home / "lake" / "new_surveys" / f"survey_day={DAY}")
        for file in (platform.home / "landing_zone").iterdir():
            file.unlink()
        assert requests(platform) == []
        said = str(platform.reasons[SURVEY_SENSOR])
        assert f"the lake lost 1 survey day ({DAY}) whose files are not in the landing zone" in said
