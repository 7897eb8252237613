"""The release sensor and the nightly schedule: when they ask for a release, and when they wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.automation.release_sensor import SETTLE_SECONDS
from abalone_assets.automation.runs import AGE_JOB, DIGEST_TAG
from abalone_assets.lake.manifest import IngestedRaw
from abalone_assets.lake.manifest_store import commit_raw
from abalone_assets.lake.releases import Release
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.automation.support import (
    RELEASE,
    RELEASE_SENSOR,
    Clock,
    block,
    ingest,
    ingest_range,
    launch,
    name_of,
    prepare_only,
    requests,
)
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from dagster._core.definitions.schedule_definition import ScheduleExecutionData

    from abalone_assets.lake.releases import Outcome
    from abalone_assets_tests.support.platform import Platform

DAY, NEXT_DAY = "2025-03-03", "2025-03-04"
RETRY_SECONDS = 10


def releases(platform: Platform) -> list[dg.RunRequest]:
    return requests(platform, RELEASE_SENSOR)


def reason(platform: Platform) -> str:
    """Why the sensor asks for nothing."""
    assert releases(platform) == []
    return str(platform.reasons[RELEASE_SENSOR])


def finish_release(platform: Platform, outcome: Outcome = "deployed") -> None:
    digest = platform.lake.manifest().digest
    platform.lake.record_release(Release(digest, outcome, "a test", 1, "a run", "2025-03-03"))


def land_and_ingest(platform: Platform, day: str = DAY, *, rows: int = 3, seed: int = 0) -> None:
    platform.land(name_of(day), survey_rows(rows, seed=seed))
    assert ingest(platform) == [True]


def base_survey_in_lake(*, uri: str = "", simulated: bool = False, rows: int = 3) -> IngestedRaw:
    """The entry of a base survey, the one that the settings ask for unless a URI is given."""
    asked_for = load_settings().raw_uri
    return IngestedRaw("digest", uri or asked_for, simulated=simulated, rows=rows, quarantined=0)


def test_the_base_survey_is_fetched_only_while_the_lake_lacks_it(platform: Platform) -> None:
    commit_raw(platform.lake.store, base_survey_in_lake())
    (request,) = releases(platform)
    names = {key.to_user_string() for key in request.asset_selection or []}
    assert "raw_abalone" not in names
    assert {"merged_dataset", "trained_model", "evaluation", "endpoint"} <= names
    assert names.isdisjoint({"new_surveys", "quarantined_rows", "landing_zone"})


@pytest.mark.parametrize(
    "wrong",
    [None, {"simulated": True}, {"uri": "elsewhere"}, {"rows": 0}],
    ids=["none", "a simulated one", "one of another URI", "one without rows"],
)
def test_the_base_survey_is_fetched_where_the_lake_has_not_the_right_one(
    platform: Platform, wrong: dict[str, Any] | None
) -> None:
    """Once, one network failure kept the simulated survey for ever."""
    commit_raw(platform.lake.store, base_survey_in_lake(**wrong) if wrong else None)
    (request,) = releases(platform)
    assert {dg.AssetKey("raw_abalone"), dg.AssetKey("endpoint")} <= set(
        request.asset_selection or []
    )


def test_another_base_survey_in_the_settings_is_a_reason_to_release(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_raw(platform.lake.store, base_survey_in_lake())
    finish_release(platform)
    assert reason(platform) == "nothing was ingested since the last release"
    monkeypatch.setenv("ABALONE_RAW_URI", "elsewhere.csv")
    (request,) = releases(platform)
    assert dg.AssetKey("raw_abalone") in (request.asset_selection or [])


def test_a_release_says_which_content_it_is_made_from(platform: Platform) -> None:
    land_and_ingest(platform)
    (request,) = releases(platform)
    assert platform.lake.manifest().digest.startswith(request.tags[DIGEST_TAG])


def test_nothing_is_released_while_a_run_is_in_flight(platform: Platform) -> None:
    land_and_ingest(platform)
    (request,) = releases(platform)
    run = launch(platform, request, RELEASE)
    assert reason(platform) == "1 run in flight"
    platform.instance.report_run_canceled(run)
    platform.land(name_of(NEXT_DAY), survey_rows(3, seed=1))
    (ingestion,) = requests(platform)
    launch(platform, ingestion)
    assert reason(platform) == "1 run in flight"


def test_a_release_waits_for_no_run_that_ages_animals(platform: Platform) -> None:
    land_and_ingest(platform)
    platform.land(name_of(DAY).replace("abalone.", "animals."), survey_rows(3))
    (request,) = requests(platform, "animals_sensor")
    launch(platform, request, AGE_JOB)
    job = platform.definitions.resolve_implicit_global_asset_job_def()
    aged = frozenset({dg.AssetKey("aged_animals")})
    backfill = platform.instance.create_run_for_job(job, asset_selection=aged)
    assert backfill.asset_selection == aged
    assert len(releases(platform)) == 1
    more = aged | {dg.AssetKey("endpoint")}
    platform.instance.create_run_for_job(job, asset_selection=more)
    assert reason(platform) == "1 run in flight"


@pytest.mark.parametrize("outcome", ["deployed", "rejected"])
def test_unchanged_data_is_never_released_again(
    platform: Platform, clock: Clock, outcome: Outcome
) -> None:
    land_and_ingest(platform)
    finish_release(platform, outcome)
    clock.advance(days=30)
    assert reason(platform) == "nothing was ingested since the last release"
    platform.land(name_of(DAY), survey_rows(3))  # the same bytes again
    assert ingest(platform) == []
    assert reason(platform) == "nothing was ingested since the last release"
    assert ingest_range(platform, DayRange(DAY, DAY)).success  # and ingested again by hand
    assert reason(platform) == "nothing was ingested since the last release"


def test_days_without_files_cause_no_release(platform: Platform) -> None:
    land_and_ingest(platform)
    finish_release(platform)
    assert ingest_range(platform, DayRange("2025-03-01", "2025-03-10")).success
    assert len(platform.lake.manifest().days) == 10
    assert reason(platform) == "nothing was ingested since the last release"


def test_a_file_without_a_good_row_causes_no_release(platform: Platform) -> None:
    finish_release(platform)
    platform.land(name_of(DAY), b"\xff\xfe not a survey")
    platform.land(name_of(NEXT_DAY), b"all,of,it,quarantined\n")
    assert ingest(platform) == [True]
    assert releases(platform) == []


def test_a_deleted_survey_causes_a_release(platform: Platform) -> None:
    land_and_ingest(platform, NEXT_DAY, seed=1)
    land_and_ingest(platform)
    finish_release(platform)
    (platform.home / "landing_zone" / name_of(DAY)).unlink()
    assert ingest(platform) == [True]
    assert len(releases(platform)) == 1


class TestDaysThatAreDue:
    def test_hold_a_release_back_until_the_manifest_has_come_to_rest(
        self, platform: Platform, clock: Clock
    ) -> None:
        land_and_ingest(platform)
        platform.land(name_of(NEXT_DAY), survey_rows(3, seed=1))
        assert reason(platform) == "1 survey day still to be ingested"
        clock.advance(seconds=SETTLE_SECONDS / 2)
        assert reason(platform) == "1 survey day still to be ingested"
        clock.advance(seconds=SETTLE_SECONDS / 2)
        assert len(releases(platform)) == 1

    def test_start_the_wait_again_with_each_ingestion(
        self, platform: Platform, clock: Clock
    ) -> None:
        land_and_ingest(platform)
        platform.land(name_of(NEXT_DAY), survey_rows(3, seed=1))
        assert reason(platform) == "1 survey day still to be ingested"
        clock.advance(seconds=SETTLE_SECONDS)
        assert ingest(platform) == [True]
        platform.land(name_of("2025-03-05"), survey_rows(3, seed=2))
        assert reason(platform) == "1 survey day still to be ingested"


def test_a_failed_release_is_tried_again_later_and_later(platform: Platform, clock: Clock) -> None:
    land_and_ingest(platform)
    obstacle = block(platform, "merged_dataset")
    assert not prepare_only(platform).success
    assert reason(platform).startswith("1 release failed")
    clock.advance(seconds=RETRY_SECONDS)
    assert len(releases(platform)) == 1
    clock.reset()
    assert not prepare_only(platform).success
    clock.advance(seconds=RETRY_SECONDS)
    assert reason(platform).startswith("2 releases failed")
    clock.advance(seconds=RETRY_SECONDS)
    assert len(releases(platform)) == 1
    obstacle.unlink()
    assert prepare_only(platform).success
    clock.reset()
    assert len(releases(platform)) == 1, "a success ends the count of failures"


def test_content_whose_releases_failed_waits_for_up_to_a_day_and_new_content_for_an_hour(
    platform: Platform, clock: Clock
) -> None:
    """A failure that stays was once paid for every hour."""
    land_and_ingest(platform)
    (request,) = releases(platform)
    job = platform.definitions.resolve_job_def("release")
    for _ in range(20):
        platform.instance.create_run_for_job(
            job, tags=dict(request.tags), status=dg.DagsterRunStatus.FAILURE
        )
    clock.advance(days=1, seconds=-60)
    assert "or at once when somebody launches" in reason(platform)
    clock.advance(seconds=120)
    assert len(releases(platform)) == 1
    clock.reset()
    clock.advance(seconds=3700)
    assert reason(platform).startswith("20 releases failed")
    land_and_ingest(platform, NEXT_DAY, seed=1)
    assert len(releases(platform)) == 1


@pytest.mark.parametrize("cursor", ["", "[]", "no json", '{"other": 1}'])
def test_a_lost_cursor_costs_no_release(platform: Platform, cursor: str) -> None:
    land_and_ingest(platform)
    platform.cursors[RELEASE_SENSOR] = cursor
    assert len(releases(platform)) == 1


class TestNightlyRelease:
    def tick(self, platform: Platform) -> ScheduleExecutionData:
        repository = platform.definitions.get_repository_def()
        with dg.build_schedule_context(
            instance=platform.instance,
            repository_def=repository,
            resources=dict(platform.definitions.resources or {}),
        ) as context:
            return repository.get_schedule_def("nightly_release").evaluate_tick(context)

    def test_is_off_by_default(self, platform: Platform) -> None:
        schedule = platform.definitions.get_repository_def().get_schedule_def("nightly_release")
        assert schedule.default_status is dg.DefaultScheduleStatus.STOPPED
        assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 0 * * *", "UTC")

    def test_releases_what_is_new_and_skips_when_nothing_is(self, platform: Platform) -> None:
        land_and_ingest(platform)
        assert len(self.tick(platform).run_requests or []) == 1
        finish_release(platform)
        tick = self.tick(platform)
        assert tick.run_requests == []
        assert tick.skip_message == "nothing was ingested since the last release"

    def test_leaves_the_base_survey_as_it_is(self, platform: Platform) -> None:
        """Fetched again without a network, the bundled survey would once have replaced it."""
        commit_raw(platform.lake.store, base_survey_in_lake())
        (request,) = self.tick(platform).run_requests or []
        assert request.asset_selection
        assert dg.AssetKey("raw_abalone") not in request.asset_selection
