import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)

from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.automation.runs import (
    DECISION_TAG,
    DEPLOY_JOB,
    INGEST_JOB,
    RANGE_END_TAG,
    RANGE_START_TAG,
    RELEASE_JOB,
    FailedAttempts,
    Runs,
    day_range_tags,
    days_of,
    is_of_this_platform,
)

MONDAY, TUESDAY, WEDNESDAY = "2025-03-03", "2025-03-04", "2025-03-05"
STATUS = dg.DagsterRunStatus
ENDS = [STATUS.SUCCESS, STATUS.FAILURE, STATUS.CANCELED]
ORIGIN = RemoteJobOrigin(
    RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("abalone_assets"), "repository"), INGEST_JOB
)


@dg.asset(name="new_surveys")
def anything(context: dg.AssetExecutionContext) -> None:
    """Stands for what is ingested; fails when the run's tags say so."""
    if "fails" in context.run.tags:
        raise RuntimeError("as asked")


@dg.asset
def endpoint() -> None:
    """Stands for the asset that deploys."""


class History:
    """Real runs on an instance of their own."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.runs = Runs(instance, [dg.AssetKey("new_surveys")])
        names = (INGEST_JOB, RELEASE_JOB, DEPLOY_JOB)
        jobs = [dg.define_asset_job(name, selection=[anything]) for name in names]
        jobs.append(dg.define_asset_job("somebody_elses", selection=[anything, endpoint]))
        self.definitions = dg.Definitions(assets=[anything, endpoint], jobs=jobs)

    def ended(
        self, job: str, first: str = MONDAY, last: str = "", *, succeeds: bool = False
    ) -> dg.DagsterRun:
        """A run of these days that ended."""
        tags = day_range_tags(DayRange(first, last or first)) | ({} if succeeds else {"fails": "1"})
        result = self.definitions.resolve_job_def(job).execute_in_process(
            instance=self.instance, tags=tags, raise_on_error=False
        )
        assert result.success is succeeds
        return result.dagster_run

    def created(self, job: str, status: dg.DagsterRunStatus, **options: Any) -> dg.DagsterRun:
        """A run that nothing executes."""
        return self.instance.create_run_for_job(
            self.definitions.resolve_job_def(job),
            status=status,
            remote_job_origin=ORIGIN,
            **options,
        )


@pytest.fixture
def history() -> Iterator[History]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield History(instance)


# Days ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "days"),
    [
        (day_range_tags(DayRange(MONDAY, WEDNESDAY)), DayRange(MONDAY, WEDNESDAY)),
        ({"dagster/partition": MONDAY}, DayRange(MONDAY, MONDAY)),
        ({"dagster/backfill": "x"}, None),
        ({RANGE_START_TAG: MONDAY}, None),
        ({RANGE_END_TAG: MONDAY}, None),
        ({}, None),
    ],
)
def test_the_days_of_a_run_are_in_its_tags(tags: dict[str, str], days: DayRange | None) -> None:
    assert days_of(dg.DagsterRun(job_name=INGEST_JOB, tags=tags)) == days


def test_the_tags_are_those_by_which_dagster_runs_a_range_of_partitions() -> None:
    @dg.asset(
        partitions_def=dg.DailyPartitionsDefinition(MONDAY),
    )
    def daily(context: dg.AssetExecutionContext) -> None:
        context.add_output_metadata({"keys": context.partition_keys})

    result = dg.materialize([daily], tags=day_range_tags(DayRange(MONDAY, WEDNESDAY)))
    (event, *_) = result.asset_materializations_for_node("daily")
    assert event.metadata["keys"].value == [MONDAY, TUESDAY, WEDNESDAY]


# In flight -------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", STATUS)
def test_a_run_is_in_flight_from_the_queue_to_its_end(
    history: History, status: dg.DagsterRunStatus
) -> None:
    tags = day_range_tags(DayRange(MONDAY, TUESDAY))
    run = history.created(INGEST_JOB, status, tags=tags)
    in_flight = status not in ENDS
    assert [found.run_id for found in history.runs.in_flight()] == [run.run_id] * in_flight
    assert history.runs.days_in_flight() == [DayRange(MONDAY, TUESDAY)] * in_flight


def test_a_release_is_in_flight_without_any_day(history: History) -> None:
    history.created(RELEASE_JOB, STATUS.STARTED)
    assert len(history.runs.in_flight()) == 1
    assert history.runs.days_in_flight() == []


def test_runs_of_other_jobs_are_not_ours_but_backfills_of_assets_are(history: History) -> None:
    history.created("somebody_elses", STATUS.STARTED, tags={"dagster/partition": MONDAY})
    assert history.runs.in_flight() == []
    history.created(
        "somebody_elses",
        STATUS.QUEUED,
        tags={"dagster/partition": TUESDAY},
        asset_selection=frozenset({dg.AssetKey("new_surveys")}),
    )
    assert history.runs.days_in_flight() == [DayRange(TUESDAY, TUESDAY)]
    assert Runs(history.instance, [dg.AssetKey("others")]).in_flight() == []


def test_runs_that_deploy_are_in_flight_however_they_were_launched(history: History) -> None:
    history.created(INGEST_JOB, STATUS.STARTED)
    history.created(
        RELEASE_JOB, STATUS.STARTED, asset_selection=frozenset({dg.AssetKey("new_surveys")})
    )
    assert history.runs.deployments_in_flight() == []
    runs = Runs(history.instance, [dg.AssetKey("new_surveys"), dg.AssetKey("endpoint")])
    both = frozenset({dg.AssetKey("new_surveys"), dg.AssetKey("endpoint")})
    for job, selection in ((RELEASE_JOB, None), (DEPLOY_JOB, None), ("somebody_elses", both)):
        history.created(job, STATUS.QUEUED, asset_selection=selection)
    jobs = [run.job_name for run in runs.deployments_in_flight()]
    assert sorted(jobs) == sorted([RELEASE_JOB, DEPLOY_JOB, "somebody_elses"])


# Failures --------------------------------------------------------------------------------------

FAILED, SUCCEEDED = False, True


@pytest.mark.parametrize(
    ("ended", "failures"),
    [
        ([], {}),
        ([(SUCCEEDED, MONDAY)], {}),
        ([(FAILED, MONDAY), (SUCCEEDED, MONDAY, WEDNESDAY)], {}),
        ([(FAILED, MONDAY, TUESDAY), (FAILED, TUESDAY)], {MONDAY: 1, TUESDAY: 2}),
        # Only those since the last success of the day count.
        ([(FAILED, MONDAY), (SUCCEEDED, MONDAY), (FAILED, MONDAY)], {MONDAY: 1}),
        ([(FAILED, MONDAY), (SUCCEEDED, TUESDAY), (FAILED, MONDAY)], {MONDAY: 2}),
    ],
)
def test_failures_are_counted_by_day(
    history: History, ended: list[tuple[Any, ...]], failures: dict[str, int]
) -> None:
    for succeeds, *days in ended:
        history.ended(INGEST_JOB, *days, succeeds=succeeds)
    found = history.runs.failures_by_day([MONDAY, TUESDAY, WEDNESDAY])
    assert {day: failed.count for day, failed in found.items()} == failures


def test_a_cancelled_run_counts_as_a_failure(history: History) -> None:
    tags = {"dagster/partition": MONDAY}
    run = history.created(INGEST_JOB, STATUS.CANCELING, tags=tags)
    assert history.runs.failures_by_day([MONDAY]) == {}
    history.instance.report_run_canceled(run)
    assert history.runs.failures_by_day([MONDAY])[MONDAY].count == 1


def test_releases_and_ingestions_do_not_count_for_each_other(history: History) -> None:
    assert history.runs.failures(RELEASE_JOB) is None
    history.ended(INGEST_JOB)
    assert history.runs.failures(RELEASE_JOB) is None
    history.ended(RELEASE_JOB)
    history.ended(RELEASE_JOB)
    failed = history.runs.failures(RELEASE_JOB)
    assert failed is not None
    assert failed.count == 2
    assert history.runs.failures_by_day([MONDAY])[MONDAY].count == 1
    history.ended(RELEASE_JOB, succeeds=True)
    assert history.runs.failures(RELEASE_JOB) is None


def test_failures_to_deploy_count_for_one_decision(history: History) -> None:
    for decision in ("1", "1", "2"):
        history.created(DEPLOY_JOB, STATUS.FAILURE, tags={DECISION_TAG: decision})
    failed = history.runs.failures(DEPLOY_JOB, {DECISION_TAG: "1"})
    assert failed is not None
    assert failed.count == 2
    assert history.runs.failures(DEPLOY_JOB, {DECISION_TAG: "3"}) is None
    assert history.runs.failures(RELEASE_JOB) is None


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo"])
def test_the_last_failure_is_the_time_when_it_ended_in_whatever_time_zone(
    history: History, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        history.ended(RELEASE_JOB)
        before = datetime.now(UTC).replace(microsecond=0)  # a run without end tells seconds
        history.ended(RELEASE_JOB)
        failed = history.runs.failures(RELEASE_JOB)
        never_started = history.created(
            INGEST_JOB, STATUS.QUEUED, tags=day_range_tags(DayRange(MONDAY, MONDAY))
        )
        history.instance.report_run_failed(never_started)
        launch_failed = history.runs.failures_by_day([MONDAY])[MONDAY]
        history.created(INGEST_JOB, STATUS.FAILURE, tags={"dagster/partition": TUESDAY})
        without_end = history.runs.failures_by_day([TUESDAY])[TUESDAY]
    finally:
        monkeypatch.undo()
        time.tzset()
    assert failed is not None
    for ended in (failed.last, launch_failed.last, without_end.last):
        assert before <= ended <= datetime.now(UTC)


# Back-off --------------------------------------------------------------------------------------

ENDED_AT = datetime(2025, 3, 3, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("count", "seconds"),
    [(1, 10), (2, 20), (3, 40), (9, 2560), (10, 3600), (100, 3600), (10**6, 3600)],
)
def test_the_wait_doubles_up_to_an_hour(count: int, seconds: int) -> None:
    retry_at = FailedAttempts(count, ENDED_AT).retry_at(timedelta(seconds=10))
    assert retry_at == ENDED_AT + timedelta(seconds=seconds)


@pytest.mark.parametrize("count", [1, 100])
@pytest.mark.parametrize("longest", [timedelta(hours=1), timedelta(days=1)])
def test_a_first_wait_of_any_length_is_cut_to_the_longest(count: int, longest: timedelta) -> None:
    # A long ABALONE_RETRY_SECONDS doubled twenty times once left the range of a timedelta.
    first_wait = timedelta(days=999_999)
    assert FailedAttempts(count, ENDED_AT).retry_at(first_wait, longest) == ENDED_AT + longest


@pytest.mark.parametrize(
    ("location", "job", "is_ours"),
    [
        ("abalone_assets", "__ASSET_JOB", True),
        ("warehouse", RELEASE_JOB, False),
        ("", RELEASE_JOB, True),
        ("", "__ASSET_JOB", False),
    ],
)
def test_a_run_is_of_its_code_location_and_without_one_of_its_job(
    location: str, job: str, *, is_ours: bool
) -> None:
    repository = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin(location), "__repository__")
    origin = RemoteJobOrigin(repository, job) if location else None
    run = dg.DagsterRun(job_name=job, run_id="one", remote_job_origin=origin)
    assert is_of_this_platform(run) == is_ours
