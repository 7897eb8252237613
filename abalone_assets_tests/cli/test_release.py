"""`abalone release`: here or in a daemon's queue, and how it says what came of it."""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from importlib import import_module
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import dagster as dg
import pytest
from dagster._core.storage.tags import AUTO_RETRY_RUN_ID_TAG, PARENT_RUN_ID_TAG, WILL_RETRY_TAG

from abalone_assets import definitions
from abalone_assets.automation.runs import RELEASE_JOB
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.lake.holder import process_identity
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.releases import Release
from abalone_assets.local import queue
from abalone_assets.local.driver import Driver
from abalone_assets.local.driver_lock import driver_lock
from abalone_assets.local.instance import InstanceError
from abalone_assets.local.run import RunFailedError, check_succeeded
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.cli.support import abalone, abalone_json, work_in_compose
from abalone_assets_tests.support.instance import retry_runs
from abalone_assets_tests.support.platform import QUICK_BLEND, survey_rows

if TYPE_CHECKING:
    from pathlib import Path


def configs() -> list[dict[str, Any]]:
    """The run config of the releases, latest first."""
    with dg.DagsterInstance.get() as instance:
        runs = instance.get_runs(dg.RunsFilter(job_name=RELEASE_JOB))
    return [dict(run.run_config) for run in runs]


def test_it_releases_here_what_has_landed_and_again_after_other_hyperparameters(
    home: Path,
) -> None:
    FolderLandingZone(home / "landing_zone").land("abalone.20250301060000", survey_rows(30))
    first = abalone_json("release")
    assert (first["outcome"], first["version"], first["live_version"]) == ("deployed", 1, 1)
    assert first["reason"].startswith("Approved: ")
    assert Lake(str(home / "lake")).manifest().rows_of("2025-03-01") == 30
    assert configs()[0]["ops"]["trained_model"]["config"]["hyperparameters"] == QUICK_BLEND

    result = abalone("release", "--hyperparameters", '{"num_boost_round": 40}')
    assert result.exit_code in {0, 3}, result.output
    assert "release: trained_model" in result.stdout
    assert "Version 2 " in result.stdout.splitlines()[-1]
    config = configs()[0]["ops"]["trained_model"]["config"]
    assert config["framework"] == "blend"
    assert config["hyperparameters"]["num_boost_round"] == 40
    assert config["hyperparameters"]["folds"] == 2, "those that are set stay"


def test_a_rejected_model_is_told_and_has_an_exit_code_of_its_own(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_GATE_MAX_RMSE", "0.1")
    result = abalone("release")
    assert result.exit_code == 3, result.output
    last = result.stdout.splitlines()[-1]
    assert last.startswith("Version 1 does not go live: nothing is deployed. Rejected: RMSE")


def test_a_release_that_fails_says_why(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABALONE_RAW_URI", str(home / "nowhere.csv"))
    result = abalone("release", "--json")
    assert result.exit_code == 1
    document = json.loads(result.stdout)
    assert document["outcome"] == "failed"
    assert "nowhere.csv: cannot read the base survey" in document["reason"]


def test_beside_a_daemon_it_is_a_run_of_its_queue_with_what_this_shell_sets(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    queued: list[dg.DagsterRun] = []

    def follow(instance: dg.DagsterInstance, run_id: str, driver: Driver, *_: object) -> None:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        queued.append(run)
        assert driver.command == "abalone dev"
        raise KeyboardInterrupt

    monkeypatch.setattr(queue, "follow", follow)
    FolderLandingZone(home / "landing_zone").land("abalone.20250301060000", survey_rows(30))
    with driver_lock(load_settings(), "abalone dev"):
        result = abalone("release")
    assert result.exit_code == 130
    assert "1 survey day still to be ingested: the sensors of `abalone dev`" in result.stdout
    (run,) = queued
    assert f"run {run.run_id} is in the queue of `abalone dev`" in result.stdout
    assert f"run {run.run_id} goes on" in result.stderr
    assert run.status is dg.DagsterRunStatus.QUEUED
    assert run.remote_job_origin is not None
    assert run.remote_job_origin.location_name == "abalone_assets"
    assert run.job_code_origin is not None
    pointer = run.job_code_origin.repository_origin.code_pointer
    assert pointer.load_target() is definitions.defs
    config = cast("Any", run.run_config)["ops"]["trained_model"]["config"]
    assert config["hyperparameters"]["num_boost_round"] == 60, "ABALONE_HYPERPARAMETERS of here"


def test_what_nobody_set_here_is_left_to_who_executes_the_run(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = import_module("abalone_assets.cli.release")
    monkeypatch.delenv("ABALONE_HYPERPARAMETERS")
    assert command._training_config(load_settings(), None, {}) == {}
    chosen = command._training_config(load_settings(), "xgboost", {"eta": 0.2})
    expected = {"framework": "xgboost", "hyperparameters": {"eta": 0.2}}
    assert chosen == {"ops": {"trained_model": {"config": expected}}}


def test_following_tells_the_events_and_ends_with_the_run(home: Path) -> None:
    @dg.asset
    def thing() -> None: ...

    told: list[str] = []
    with (
        driver_lock(load_settings(), "abalone dev"),
        dg.DagsterInstance.get() as instance,
    ):
        driver = Driver.of(load_settings())
        assert driver is not None
        run_id = dg.materialize([thing], instance=instance).run_id
        queue.follow(instance, run_id, driver, lambda entry: told.append(entry.message))
    assert any("Finished execution of step" in message for message in told)


def cut_short(instance: dg.DagsterInstance, run_id: str) -> None:
    """What the launcher reports of a run whose process died."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    instance.report_run_failed(run, "Its process died.")


@pytest.mark.parametrize("is_recorded_by_the_first", [True, False])
def test_a_release_that_is_cut_short_is_followed_in_its_retry(
    home: Path, monkeypatch: pytest.MonkeyPatch, *, is_recorded_by_the_first: bool
) -> None:
    retry_runs(home / "dagster")
    lake, runs = Lake(str(home / "lake")), list[str]()

    def enqueue(_: object, instance: dg.DagsterInstance, *__: object) -> str:
        runs.append(instance.create_run_for_job(job()).run_id)
        cut_short(instance, runs[0])
        return runs[0]

    def sleep(_: float) -> None:
        """Stands for the daemon: it retries the run, and the retry succeeds."""
        with dg.DagsterInstance.get() as instance:
            runs.append(
                instance.create_run_for_job(job(), tags={PARENT_RUN_ID_TAG: runs[0]}).run_id
            )
            instance.add_run_tags(runs[0], {AUTO_RETRY_RUN_ID_TAG: runs[1]})
            by = runs[0 if is_recorded_by_the_first else 1]
            lake.record_release(Release.ended_now("digest", "deployed", "good.", 1, by))
            ended = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, RELEASE_JOB)
            instance.report_dagster_event(ended, runs[1])

    monkeypatch.setattr(queue, "enqueue", enqueue)
    monkeypatch.setattr(queue, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
    with driver_lock(load_settings(), "abalone dev"):
        result = abalone("release", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["outcome"], told["run_id"]) == ("deployed", runs[1])
    assert f"run {runs[0]} was cut short: Dagster retries it as run {runs[1]}" in result.stderr


def test_a_failure_is_looked_at_until_dagster_says_whether_it_retries(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    retry_runs(home / "dagster")
    driver = Driver("abalone dev", process_identity(os.getpid()))
    with dg.DagsterInstance.get() as instance:
        run_id = instance.create_run_for_job(job()).run_id
        failed = dg.DagsterEvent(dg.DagsterEventType.RUN_FAILURE.value, RELEASE_JOB)
        instance.run_storage.handle_run_event(run_id, failed, datetime.now(UTC))
        looks: list[float] = []

        def sleep(seconds: float) -> None:
            looks.append(seconds)
            instance.add_run_tags(run_id, {WILL_RETRY_TAG: "false"})

        monkeypatch.setattr(queue, "time", SimpleNamespace(sleep=sleep, monotonic=time.monotonic))
        queue.follow(instance, run_id, driver, lambda _: None)
        assert len(looks) == 1


@pytest.mark.parametrize(
    ("identity", "said"),
    [("0/0/0", "before it retried it: the next `abalone dev` does"), ("", "not retried it within")],
)
def test_a_retry_that_does_not_come_is_told(
    home: Path, monkeypatch: pytest.MonkeyPatch, identity: str, said: str
) -> None:
    retry_runs(home / "dagster")
    monkeypatch.setattr(queue, "RETRY_SECONDS", -1.0)
    driver = Driver("abalone dev", identity or process_identity(os.getpid()))
    with dg.DagsterInstance.get() as instance:
        run_id = instance.create_run_for_job(job()).run_id
        cut_short(instance, run_id)
        with pytest.raises(InstanceError, match=f"was cut short, and .* {said}"):
            queue.follow(instance, run_id, driver, lambda _: None)


def test_a_run_that_failed_in_no_step_is_told_as_that(home: Path) -> None:
    with dg.DagsterInstance.get() as instance:
        run_id = instance.create_run_for_job(job()).run_id
        cut_short(instance, run_id)
        with pytest.raises(RunFailedError, match="failed though no step did: its process died"):
            check_succeeded(instance, run_id)


def job() -> dg.JobDefinition:
    return dg.JobDefinition(name=RELEASE_JOB, graph_def=graph())


def test_the_end_of_the_daemon_ends_the_waiting(home: Path) -> None:
    with dg.DagsterInstance.get() as instance:
        run_id = instance.create_run_for_job(dg.JobDefinition(name="j", graph_def=graph())).run_id
        with pytest.raises(InstanceError, match=r"`abalone dev` .* has ended, and run"):
            queue.follow(instance, run_id, Driver("abalone dev", "0/0/0"), lambda _: None)


def graph() -> dg.GraphDefinition:
    @dg.op
    def work() -> None: ...

    return dg.GraphDefinition(name="j", node_defs=[work])


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["--framework", "xgbost"], 2, "xgbost is none of blend, xgboost"),
        (["--hyperparameters", "eta"], 2, "no JSON"),
        (["--hyperparameters", "[1]"], 2, "give a JSON object"),
        (["--hyperparameters", '{"nope": 1}'], 1, "blend has no hyperparameter nope"),
        (["--framework", "xgboost", "--hyperparameters", '{"landmarks": 9}'], 1, "xgboost has no"),
    ],
)
def test_a_slip_is_told_before_anything_begins(
    home: Path, arguments: list[str], exit_code: int, message: str
) -> None:
    result = abalone("release", *arguments)
    assert (result.exit_code, message in result.stderr) == (exit_code, True), result.stderr
    assert configs() == []


def test_the_instance_on_aws_is_not_this_machines(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_PROFILE", "aws")
    for zone in ("LAKE", "LANDING_ZONE", "REGISTRY"):
        monkeypatch.setenv(f"ABALONE_{zone}_URI", "s3://bucket/prefix")
    result = abalone("release")
    assert result.exit_code == 1
    assert "set ABALONE_DAGSTER_URL to its web server" in result.stderr
    assert "or run it in the deployed image, where DAGSTER_HOME" in result.stderr


def test_in_compose_it_asks_the_deployed_dagster_and_makes_no_second_one(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_in_compose(home, monkeypatch)
    monkeypatch.setenv("ABALONE_DAGSTER_URL", "http://127.0.0.1:9")
    result = abalone("release")
    assert result.exit_code == 1
    assert "127.0.0.1:9: no answer of Dagster's web server" in result.stderr
    assert not (home / "dagster").exists()
