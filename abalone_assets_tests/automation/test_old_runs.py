"""Runs go, and what is true of assets, their partitions and checks stays."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.execution.backfill import BulkActionStatus, PartitionBackfill

from abalone_assets.automation import old_runs
from abalone_assets.automation.old_runs import RunRules, run_kinds
from abalone_assets.local import instance as local_instance
from abalone_assets_tests.automation.support import ingest, launch, name_of, requests
from abalone_assets_tests.support.platform import Platform, survey_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets.retention.kind import Kind

NOTHING = RunRules(newest=0, days=1)
DAYS = [f"2025-03-0{number}" for number in range(3, 8)]
SURVEYS = dg.AssetKey("new_surveys")
CONSERVED = dg.AssetCheckKey(SURVEYS, "rows_are_conserved")


@pytest.fixture(params=["one file", "a file for each run"])
def ingested(
    request: pytest.FixtureRequest, home: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    """A platform that has ingested five days, one after the other, the first of them twice."""
    monkeypatch.setattr(old_runs, "KEPT_OF_JOB", 0)
    if request.param != "one file":
        shutil.rmtree(home / "dagster")
        (home / "dagster").mkdir()
        packaged = Path(local_instance.__file__).with_name("dagster.yaml")
        shutil.copy(packaged, home / "dagster" / "dagster.yaml")
    with Platform.at(home) as platform:
        for number, day in enumerate((*DAYS, DAYS[0])):
            platform.land(name_of(day), survey_rows(3, seed=number))
            assert ingest(platform) == [True]
        yield platform


def runs_of(platform: Platform, rules: RunRules = NOTHING, *, days_on: float = 9) -> Kind:
    return run_kinds(platform.instance, rules, datetime.now(UTC) + timedelta(days_on))[0]


def state(platform: Platform) -> dict[str, object]:
    """What Dagster says of the assets."""
    instance = platform.instance
    checks = instance.event_log_storage.get_latest_asset_check_execution_by_key([CONSERVED])
    of_day = {
        day: [
            (event.partition_key, event.asset_materialization.metadata["digest"])
            for event in instance.fetch_materializations(
                dg.AssetRecordsFilter(SURVEYS, asset_partitions=[day]), limit=1
            ).records
            if event.asset_materialization
        ]
        for day in DAYS
    }
    last = instance.get_latest_materialization_event(SURVEYS)
    return {
        "partitions": instance.get_materialized_partitions(SURVEYS),
        "of_day": of_day,
        "last": last and last.run_id,
        "check": checks[CONSERVED].status,
        "versions": instance.event_log_storage.get_latest_tags_by_partition(
            SURVEYS, dg.DagsterEventType.ASSET_MATERIALIZATION, ["dagster/data_version"]
        ),
    }


def test_all_that_is_true_of_assets_stays(ingested: Platform) -> None:
    before = state(ingested)

    freed = runs_of(ingested).free()

    assert len(freed) == len(DAYS)
    assert len(ingested.instance.get_runs()) == 1  # the last run of both assets
    assert state(ingested) == before
    assert before["partitions"] == set(DAYS)
    assert requests(ingested) == []


def test_a_run_that_has_become_the_last_of_an_asset_meanwhile_stays(ingested: Platform) -> None:
    storage = ingested.instance.event_log_storage
    kind = runs_of(ingested)
    last = ingested.instance.get_latest_materialization_event(SURVEYS)
    assert last is not None
    with storage.index_connection() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql(f"delete from event_logs where run_id = '{last.run_id}'")
        before = connection.exec_driver_sql(
            "select run_id from event_logs where dagster_event_type = 'ASSET_MATERIALIZATION'"
            " order by id desc"
        ).scalar()

    freed = [run.name for run in kind.free()]

    assert len(freed) == len(DAYS) - 1
    assert before not in freed


def test_a_run_that_the_page_of_an_asset_names_stays(ingested: Platform) -> None:
    kind = runs_of(ingested)
    named = kind.surplus[0].name
    with ingested.instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        connection.exec_driver_sql(f"update asset_keys set last_run_id = '{named}'")

    freed = [run.name for run in kind.free()]

    assert len(freed) == len(DAYS) - 1
    assert named not in freed


def test_removals_do_not_go_through_the_whole_history_each(
    ingested: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind = runs_of(ingested)

    def never(_: object) -> set[str]:
        raise AssertionError

    monkeypatch.setattr(old_runs._History, "_last_runs_of_assets", never)
    assert len(kind.free()) == len(DAYS)


def test_nothing_else_of_them_stays(ingested: Platform) -> None:
    gone = [run.name for run in runs_of(ingested).free()]

    storage = ingested.instance.event_log_storage
    with storage.index_connection() as connection:  # type: ignore[attr-defined]
        left = connection.exec_driver_sql(
            "select run_id, count(*) from event_logs where dagster_event_type !="
            " 'ASSET_MATERIALIZATION' group by 1"
        ).all()
        checks = connection.exec_driver_sql("select run_id from asset_check_executions").all()
        tags = connection.exec_driver_sql(
            "select count(*) from asset_event_tags"
            " where event_id not in (select id from event_logs)"
        ).scalar()
    assert not {run for run, _ in left} & set(gone)
    assert tags == 0
    assert not {run for (run,) in checks} & set(gone)
    files = [path.name for path in ingested.home.rglob("*") if path.name[:36] in gone]
    assert files == []


def test_what_it_would_free_is_what_the_run_takes(ingested: Platform) -> None:
    things = runs_of(ingested).surplus

    assert all(thing.size > 10_000 for thing in things)


def test_a_run_in_flight_stays_and_one_of_a_backfill_that_is_under_way(ingested: Platform) -> None:
    ingested.land(name_of("2025-04-01"), survey_rows(3, seed=9))
    (request,) = requests(ingested)
    queued = launch(ingested, request)
    backfilled = ingested.instance.get_runs()[2].run_id
    ingested.instance.add_run_tags(backfilled, {"dagster/backfill": "underway"})
    ingested.instance.add_backfill(
        PartitionBackfill(
            "underway",
            BulkActionStatus.REQUESTED,
            from_failure=False,
            tags={},
            backfill_timestamp=1.0,
        )
    )

    kept = {thing.name: thing.kept for thing in runs_of(ingested).kept}

    assert kept[queued.run_id] == "in flight"
    assert kept[backfilled] == "of a backfill that is under way"


def test_the_newest_stay_as_long_as_they_are_young(
    ingested: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(runs_of(ingested, RunRules(newest=4, days=30)).surplus) == 2
    assert len(runs_of(ingested, RunRules(newest=4, days=30), days_on=31).surplus) == len(DAYS)
    monkeypatch.setattr(old_runs, "KEPT_OF_JOB", 3)
    assert len(runs_of(ingested, RunRules(newest=4, days=30), days_on=31).surplus) == 3


def test_files_of_runs_that_dagster_deleted_go_too(ingested: Platform) -> None:
    run = ingested.instance.get_runs()[-1].run_id
    logs = ingested.home / "dagster" / "storage" / run
    logs.mkdir(parents=True, exist_ok=True)
    (logs / "step.out").write_text("printed")
    ingested.instance.delete_run(run)

    def orphans(days_on: float) -> list[str]:
        now = datetime.now(UTC) + timedelta(days_on)
        return [thing.name for thing in run_kinds(ingested.instance, NOTHING, now)[1].surplus]

    is_sharded = ingested.instance.event_log_storage.is_run_sharded
    assert orphans(0) == []
    assert len(orphans(2)) >= (1 if is_sharded else 0)
    run_kinds(ingested.instance, NOTHING, datetime.now(UTC) + timedelta(2))[1].free()
    assert orphans(2) == []


def test_cut_short_a_removal_is_finished_by_the_next(
    ingested: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = state(ingested)
    storage = type(ingested.instance.run_storage)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(storage, "delete_run", killed)
        with pytest.raises(KeyboardInterrupt):
            runs_of(ingested).free()
    assert len(ingested.instance.get_runs()) == len(DAYS) + 1

    runs_of(ingested).free()

    assert len(ingested.instance.get_runs()) == 1
    assert state(ingested) == before


@dg.asset
def weighed() -> None:
    """An asset with a check of its own."""


@dg.asset_check(asset=weighed)
def is_dry() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


def test_the_last_result_of_a_check_stays_though_later_runs_left_it_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(old_runs, "KEPT_OF_JOB", 0)
    with dg.DagsterInstance.ephemeral() as instance:
        checked = dg.materialize([weighed, is_dry], instance=instance).run_id
        dg.materialize([weighed], instance=instance)

        later = datetime.now(UTC) + timedelta(9)
        freed = run_kinds(instance, NOTHING, later)[0].free()

        key = dg.AssetCheckKey(dg.AssetKey("weighed"), "is_dry")
        found = instance.event_log_storage.get_latest_asset_check_execution_by_key([key])
    assert [run.name for run in freed] == [checked]
    assert found[key].run_id == checked
