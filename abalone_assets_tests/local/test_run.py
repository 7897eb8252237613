"""The platform in one process: failures, interruptions, sensors that do not come to rest."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.execution import api
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import WorkspaceFileTarget
from dagster_graphql.schema import create_schema

from abalone_assets.automation.runs import INGEST_JOB, RELEASE_JOB
from abalone_assets.errors import StorageError
from abalone_assets.lake.holder import process_identity
from abalone_assets.local.instance import PROCESS_TAG, local_workspace
from abalone_assets.local.run import LocalPlatform, RunFailedError, UnsettledError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def small_platform(
    instance: dg.DagsterInstance,
    work: Callable[[], None],
    *,
    requests: int = 1,
    watch: Callable[[dg.RunRequest, dg.EventLogEntry], None] | None = None,
) -> LocalPlatform:
    """A platform of one asset; its survey sensor asks for so many runs, one a tick."""
    left = iter(range(requests))

    @dg.asset
    def thing() -> None:
        work()

    ingest = dg.define_asset_job(INGEST_JOB, "thing")

    @dg.sensor(job=ingest)
    def survey_sensor() -> dg.RunRequest | dg.SkipReason:
        return dg.SkipReason("all is done") if next(left, None) is None else dg.RunRequest()

    @dg.sensor(job=dg.define_asset_job(RELEASE_JOB, "thing"))
    def release_sensor() -> dg.SkipReason:
        return dg.SkipReason("nothing to release")

    definitions = dg.Definitions(
        assets=[thing],
        jobs=[ingest],
        sensors=[survey_sensor, release_sensor],
        executor=dg.in_process_executor,
    )
    return LocalPlatform(definitions, instance, watch=watch, quiet=True)


@pytest.fixture
def instance(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.get() as instance:
        yield instance


def interrupt() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_it_runs_what_the_sensors_ask_for_until_they_rest(instance: dg.DagsterInstance) -> None:
    steps: list[str] = []

    def watch(request: dg.RunRequest, entry: dg.EventLogEntry) -> None:
        if entry.dagster_event and entry.dagster_event.is_step_success:
            steps.append(f"{entry.job_name}/{entry.step_key}")

    platform = small_platform(instance, lambda: None, requests=2, watch=watch)
    assert platform.settle() == {INGEST_JOB: 2, RELEASE_JOB: 0}
    assert steps == [f"{INGEST_JOB}/thing"] * 2
    assert platform.reasons == {
        "survey_sensor": "all is done",
        "release_sensor": "nothing to release",
    }


def test_a_failed_run_tells_the_steps_own_error(instance: dg.DagsterInstance) -> None:
    def fail() -> None:
        inner = FileNotFoundError("inner")
        raise StorageError("cannot read it;\n set ABALONE_RAW_URI") from inner

    with pytest.raises(RunFailedError, match=r"at thing: .*cannot read it; set ABALONE_RAW_URI"):
        small_platform(instance, fail).settle()


@pytest.mark.parametrize(
    "moment", ["PIPELINE_START", "in the step", "STEP_SUCCESS", "PIPELINE_SUCCESS"]
)
def test_ctrl_c_is_not_lost_and_leaves_no_run_in_flight(
    instance: dg.DagsterInstance, moment: str
) -> None:
    def watch(request: dg.RunRequest, entry: dg.EventLogEntry) -> None:
        if entry.dagster_event and entry.dagster_event.event_type_value == moment:
            interrupt()

    work = interrupt if moment == "in the step" else lambda: None
    with pytest.raises(KeyboardInterrupt):
        small_platform(instance, work, watch=watch).settle()
    runs = instance.get_runs()
    assert [run.is_finished for run in runs] == [True]
    assert runs[0].tags[PROCESS_TAG] == process_identity(os.getpid())


def test_ctrl_c_before_the_first_step_leaves_no_run_in_flight(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(api, "ExecuteRunWithPlanIterable", interrupted)
    with pytest.raises(KeyboardInterrupt):
        small_platform(instance, lambda: None).settle()
    assert [run.is_finished for run in instance.get_runs()] == [True]


def test_sensors_that_never_rest_are_an_error(instance: dg.DagsterInstance) -> None:
    platform = small_platform(instance, lambda: None, requests=5)
    with pytest.raises(UnsettledError, match="after 2 rounds"):
        platform.settle(rounds=2)


def test_a_new_stray_file_is_recorded_as_the_daemon_would(
    home: Path, instance: dg.DagsterInstance
) -> None:
    from abalone_assets.definitions import defs

    (home / "landing_zone" / "notes.txt").touch()
    platform = LocalPlatform(defs(), instance)
    platform.tick_and_run("survey_sensor")
    observed = instance.fetch_observations(dg.AssetKey("landing_zone"), limit=1).records
    assert observed[0].asset_observation is not None
    assert observed[0].asset_observation.metadata["stray_files"].value == 1


UI_RUNS = """{
  repositoryOrError(repositorySelector: {
    repositoryName: "__repository__", repositoryLocationName: "abalone_assets"
  }) { ... on Repository { pipelines { name runs { runId } } } }
  runsFeedOrError(limit: 10, view: RUNS) { ... on RunsFeedConnection { results {
    ... on Run { runId repositoryOrigin { repositoryName repositoryLocationName } }
  } } }
}"""
"""What the page of a job and the Timeline ask, which shows no run without its repository."""


def test_the_ui_shows_its_runs_on_the_jobs_page_and_on_the_timeline(
    instance: dg.DagsterInstance,
) -> None:
    small_platform(instance, lambda: None).settle()
    with WorkspaceProcessContext(instance, WorkspaceFileTarget([str(local_workspace())])) as ui:
        answer = create_schema().execute(UI_RUNS, context_value=ui.create_request_context())
    assert answer.errors is None
    (run,) = instance.get_runs()
    jobs = answer.data["repositoryOrError"]["pipelines"]
    assert [job["name"] for job in jobs if job["runs"] == [{"runId": run.run_id}]] == [INGEST_JOB]
    (shown,) = answer.data["runsFeedOrError"]["results"]
    assert shown["repositoryOrigin"] == {
        "repositoryName": "__repository__",
        "repositoryLocationName": "abalone_assets",
    }
