"""The local Dagster instance: configuration, lock, runs that outlived their process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import psutil
import pytest
from dagster._core.events import EngineEventData
from dagster._core.instance.config import PoolGranularity
from dagster._core.test_utils import create_run_for_test
from dagster._daemon.controller import create_daemon_of_type
from dagster._daemon.run_coordinator import QueuedRunCoordinatorDaemon

from abalone_assets import definitions
from abalone_assets.automation.runs import Runs
from abalone_assets.lake.holder import process_identity
from abalone_assets.local.instance import (
    OLD_PROCESS_TAG,
    POOLS,
    PROCESS_TAG,
    InstanceError,
    fail_orphaned_runs,
    home_environment,
    local_workspace,
    make_pools,
    open_instance_for_demo,
    prepare_instance,
)
from abalone_assets.settings.platform import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from abalone_assets.settings.platform import Settings

FIRST_LINE = "# abalone-assets local instance, revision 4\n"


@pytest.fixture
def fresh(home: Path) -> Settings:
    """Settings of a home without a ``dagster.yaml``."""
    (home / "dagster" / "dagster.yaml").unlink()
    return load_settings()


def config_of(settings: Settings) -> Path:
    return settings.dagster_home / "dagster.yaml"


def ended_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_dagster_accepts_the_packaged_configuration(fresh: Settings) -> None:
    prepare_instance(fresh)
    with dg.DagsterInstance.get() as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert not instance.telemetry_enabled
        concurrency = instance.get_concurrency_config()
        assert concurrency.pool_config.default_pool_limit == 1
        assert concurrency.pool_config.pool_granularity is PoolGranularity.RUN
        assert concurrency.run_queue_config is not None
        assert concurrency.run_queue_config.max_concurrent_runs == 4


def test_dagsters_daemon_looks_at_the_queue_after_one_of_its_waits(fresh: Settings) -> None:
    prepare_instance(fresh)
    with dg.DagsterInstance.get() as instance:
        daemon = create_daemon_of_type(QueuedRunCoordinatorDaemon.daemon_type(), instance)
        assert isinstance(daemon, QueuedRunCoordinatorDaemon)
        assert 0 < daemon.interval_seconds < 0.5


def test_every_pool_has_its_limit_before_the_first_run_and_a_chosen_one_stays(
    fresh: Settings,
) -> None:
    prepare_instance(fresh)
    repository = definitions.defs().get_repository_def()
    ops = [node.definition for job in repository.get_all_jobs() for node in job.nodes]
    assert {each.pool for each in ops if isinstance(each, dg.OpDefinition)} - {None} == set(POOLS)
    with dg.DagsterInstance.get() as instance:
        make_pools(instance)
        assert _limits(instance) == dict.fromkeys(POOLS, 1)
        instance.event_log_storage.set_concurrency_slots("training", 2)
        make_pools(instance)
        assert _limits(instance) == {**dict.fromkeys(POOLS, 1), "training": 2}


def _limits(instance: dg.DagsterInstance) -> dict[str, int]:
    return {pool.name: pool.limit for pool in instance.event_log_storage.get_pool_limits()}


def test_the_demo_opens_the_same_instance_without_log_capture(fresh: Settings) -> None:
    prepare_instance(fresh)
    with open_instance_for_demo(fresh) as demo, dg.DagsterInstance.get() as instance:
        run = create_run_for_test(demo)
        assert instance.has_run(run.run_id)
        assert type(demo.compute_log_manager).__name__ == "NoOpComputeLogManager"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (FIRST_LINE.replace("4", "3"), False),
        (FIRST_LINE + "nux:\n", True),
        ("telemetry:\n  enabled: false\n", True),
    ],
    ids=["older", "current", "the user's own"],
)
def test_a_file_of_ours_is_brought_up_to_date(fresh: Settings, text: str, *, kept: bool) -> None:
    config_of(fresh).write_text(text)
    prepare_instance(fresh)
    assert config_of(fresh).read_text().startswith(text if kept else FIRST_LINE)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("file", "set ABALONE_HOME"),
        ("a[b]", "takes this path for a pattern"),
        ("a*", "takes this path for a pattern"),
        ("a?", "takes this path for a pattern"),
        ("a%2Fb", "would look for .*/a/b"),
        ("%41", "would look for .*/A"),
    ],
)
def test_a_home_that_can_be_none_is_one_clear_error(
    home: Path, tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "file").touch()
    with (
        home_environment(tmp_path / name) as settings,
        pytest.raises(InstanceError, match=message),
    ):
        prepare_instance(settings)
    assert not (tmp_path / name).is_dir()


def test_the_homes_own_landing_zone_is_made(tmp_path: Path, home: Path) -> None:
    with home_environment(tmp_path / "new") as settings:
        prepare_instance(settings)
    assert (tmp_path / "new" / "landing_zone").is_dir()


def test_a_chosen_landing_zone_is_not_made(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_LANDING_ZONE_URI", str(tmp_path / "unmounted"))
    prepare_instance(load_settings())
    assert not (tmp_path / "unmounted").exists()


def test_the_workspace_names_the_code_location_as_the_project_does() -> None:
    project = Path(__file__).parents[2] / "workspace.yaml"
    assert local_workspace().read_text().endswith(project.read_text())


def test_the_environment_of_a_home_ends_with_its_block(home: Path, tmp_path: Path) -> None:
    before = dict(os.environ)
    with home_environment(tmp_path / "other") as settings:
        assert settings.home == tmp_path / "other"
        assert os.environ["DAGSTER_HOME"] == str(tmp_path / "other" / "dagster")
    assert dict(os.environ) == before


def in_flight_run_of(identity: str, instance: dg.DagsterInstance) -> str:
    """A run that a process executes itself; Dagster's executor records the process's id too."""
    started = dg.DagsterRunStatus.STARTED
    tags = {PROCESS_TAG: identity}
    run = create_run_for_test(instance, job_name="release", status=started, tags=tags)
    data = EngineEventData.in_process(int(identity.partition("/")[0]))
    instance.report_engine_event("Executing steps in process", run, data)
    return str(run.run_id)


def test_a_run_that_an_older_version_left_in_flight_is_ended_too(home: Path) -> None:
    with dg.DagsterInstance.get() as instance:
        tags = {OLD_PROCESS_TAG: str(ended_process())}
        started = dg.DagsterRunStatus.STARTED
        run = create_run_for_test(instance, job_name="release", status=started, tags=tags)
        assert fail_orphaned_runs(instance) == [run.run_id]


def another_process_of_this_id(*, boot: str = "", earlier: int = 0) -> str:
    pid, this_boot, start = process_identity(os.getpid()).split("/")
    return f"{pid}/{boot or this_boot}/{int(start) - earlier}"


@pytest.mark.parametrize(
    ("identity", "lives"),
    [
        (lambda: str(ended_process()), False),
        (lambda: another_process_of_this_id(earlier=1), False),
        (lambda: another_process_of_this_id(boot="other-boot"), False),
        (lambda: process_identity(os.getpid()), True),
        (lambda: str(os.getpid()), True),
    ],
    ids=["ended", "another start", "another boot", "this very process", "start not told"],
)
def test_a_run_is_in_flight_as_long_as_its_very_process_lives(
    home: Path, identity: Callable[[], str], *, lives: bool
) -> None:
    with dg.DagsterInstance.get() as instance:
        run_id = in_flight_run_of(identity(), instance)
        assert fail_orphaned_runs(instance) == ([] if lives else [run_id])
        assert len(Runs(instance, []).in_flight()) == int(lives)


def test_where_a_start_is_not_known_the_id_alone_decides(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = process_identity(os.getpid())

    def refuse(_: psutil.Process) -> float:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "create_time", refuse)
    assert process_identity(os.getpid()) == str(os.getpid())
    with dg.DagsterInstance.get() as instance:
        in_flight_run_of(told, instance)
        in_flight_run_of(str(os.getpid()), instance)
        ended = in_flight_run_of(str(ended_process()), instance)
        assert fail_orphaned_runs(instance) == [ended]


def test_an_identity_of_linux_is_as_earlier_revisions_recorded_it() -> None:
    """Their records and runs must be understood: boot and field 22 of /proc/PID/stat."""
    if not psutil.LINUX:
        assert process_identity(os.getpid()).startswith(f"{os.getpid()}//")
        return
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    start = Path("/proc/self/stat").read_text().rpartition(")")[2].split()[22 - 3]
    assert process_identity(os.getpid()) == f"{os.getpid()}/{boot}/{start}"


@pytest.mark.parametrize("status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTED])
def test_where_only_the_launcher_told_the_process_that_counts(
    home: Path, status: dg.DagsterRunStatus
) -> None:
    with dg.DagsterInstance.get() as instance:
        silent = create_run_for_test(instance, job_name="release", status=status)
        run = create_run_for_test(instance, job_name="release", status=status)
        metadata = {"pid": dg.MetadataValue.text(str(ended_process()))}
        instance.report_engine_event("Started process", run, EngineEventData(metadata=metadata))
        assert fail_orphaned_runs(instance) == [run.run_id]
        assert Runs(instance, []).in_flight()[0].run_id == silent.run_id


def test_a_run_that_was_starting_when_its_launcher_was_killed_is_ended_and_not_waited_for(
    home: Path,
) -> None:
    status = dg.DagsterRunStatus
    with dg.DagsterInstance.get() as instance:
        runs = {
            each: create_run_for_test(instance, job_name="release", status=each).run_id
            for each in (status.NOT_STARTED, status.STARTING)
        }
        assert fail_orphaned_runs(instance) == [runs[status.STARTING]]
