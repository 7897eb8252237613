"""`dagster dev` in the project's folder works on the home's instance, as its one driver."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.instance.ref import InstanceRef
from dagster._core.test_utils import create_run_for_test

from abalone_assets.local.driver import Driver
from abalone_assets.local.driver_lock import driver_lock
from abalone_assets.local.instance import POOLS, prepare_instance
from abalone_assets.local.offspring import VARIABLE
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.cli.support import Process, environment, processes_of
from abalone_assets_tests.fakes.support import wait_for
from abalone_assets_tests.services.production.home import read

PROJECT = Path(__file__).parents[2]
OWN = ("storage", "compute_logs", "local_artifact_storage")
START_SECONDS = 120.0


def settings_of(file: Path) -> dict[str, Any]:
    document = read(file)
    return {name: value for name, value in document.items() if name not in OWN}


def dagster_dev(home: Path, **variables: str) -> subprocess.Popen[str]:
    """`dagster dev` as somebody types it in the project's folder."""
    env = {**environment(home), **variables}
    env.pop("DAGSTER_HOME", None) if "DAGSTER_HOME" not in variables else None
    env.pop(VARIABLE, None)
    return subprocess.Popen(
        [sys.executable, "-m", "dagster", "dev", "--port", "0"],
        cwd=PROJECT,
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def is_daemon(process: Process) -> bool:
    return "dagster._daemon" in process.command


def test_the_projects_instance_is_as_the_homes_but_for_its_storages() -> None:
    packaged = PROJECT / "abalone_assets" / "local" / "dagster.yaml"
    assert settings_of(PROJECT / "dagster.yaml") == settings_of(packaged)


def test_what_dagsters_commands_do_in_the_projects_folder_is_in_the_homes_history(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_HOME", str(tmp_path / "home"))
    prepare_instance(load_settings())
    ref = InstanceRef.from_dir(str(tmp_path), config_dir=str(PROJECT))
    with dg.DagsterInstance.from_ref(ref) as instance:
        run = create_run_for_test(instance)
        logs = instance.compute_log_manager
    assert str(tmp_path / "home" / "dagster") in str(vars(logs))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home" / "dagster"))
    with dg.DagsterInstance.get() as home:
        assert home.has_run(run.run_id)


def test_a_command_makes_no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABALONE_HOME", str(tmp_path / "home"))
    ref = InstanceRef.from_dir(str(tmp_path), config_dir=str(PROJECT))
    with dg.DagsterInstance.from_ref(ref) as instance:
        create_run_for_test(instance)
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("with_dagster_home", [False, True])
def test_it_refuses_a_home_that_another_drives(
    home: Path, monkeypatch: pytest.MonkeyPatch, *, with_dagster_home: bool
) -> None:
    variables = {"DAGSTER_HOME": str(home / "dagster")} if with_dagster_home else {}
    (home / "dagster" / "dagster.yaml").unlink()  # that of tests
    prepare_instance(load_settings())
    with driver_lock(load_settings(), "abalone dev") as lock:
        assert lock is not None
        with dagster_dev(home, **variables) as refused:
            said, _ = refused.communicate(timeout=START_SECONDS)
    assert refused.returncode == 1
    assert f"is driven by another `abalone dev` (process {os.getpid()})" in said
    assert "Traceback" not in said


@pytest.mark.service
def test_alone_it_drives_the_home_and_whoever_comes_next_is_refused(home: Path) -> None:
    (home / "dagster" / "dagster.yaml").unlink()
    settings = load_settings()
    with dagster_dev(home) as dev:
        wait_for(lambda: Driver.of(settings) is not None, START_SECONDS)
        driver = Driver.of(settings)
        assert driver is not None
        assert (driver.command, driver.lives) == ("dagster dev", True)
        with driver_lock(settings, "abalone dev") as lock:
            assert lock is None
        wait_for(
            lambda: any("_daemon" in each.command for each in processes_of(home)), START_SECONDS
        )
        with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
            assert {each.name for each in instance.event_log_storage.get_pool_limits()} == set(
                POOLS
            )
        dev.kill()
    wait_for(lambda: processes_of(home) == [], START_SECONDS)
