"""``dg``, Dagster's own command line, in the project's folder, as README and CONTRIBUTING say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from abalone_assets.lake.lake import Lake
from abalone_assets.local.driver_lock import driver_lock
from abalone_assets.local.instance import prepare_instance
from abalone_assets.local.offspring import VARIABLE
from abalone_assets.sample_data import surveys
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.cli.support import environment
from abalone_assets_tests.support.platform import small_base

if TYPE_CHECKING:
    from collections.abc import Callable

    Dg = Callable[..., str]

pytestmark = pytest.mark.service
PROJECT = Path(__file__).parents[2]


@pytest.fixture
def dg(home: Path, tmp_path: Path) -> Dg:
    """What a ``dg`` that succeeds prints, on a home with a small base survey."""
    prepare_instance(load_settings())
    base = {f"ABALONE_{name}": value for name, value in small_base(tmp_path).items()}
    env = {**environment(home), **base, "COLUMNS": "100"}
    for name in ("DAGSTER_HOME", VARIABLE):
        env.pop(name, None)

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [Path(sys.executable).with_name("dg"), *arguments],
            cwd=PROJECT,
            env=env,
            capture_output=True,
            check=False,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    return run


def test_its_help_shows_its_commands(dg: Dg) -> None:
    # With typer 0.26 to 0.29 it is blank below the usage.
    shown = dg("--help")
    for command in ("check", "dev", "launch", "list"):
        assert f"│ {command} " in shown
    assert "--partition-range" in dg("launch", "--help")


def test_the_definitions_hold_and_are_listed(dg: Dg) -> None:
    assert "All definitions loaded successfully" in dg("check", "defs")
    listed = json.loads(dg("list", "defs", "--json"))
    assert "new_surveys" in {asset["asset_key"] for asset in listed["assets"]}
    assert "release" in {job["name"] for job in listed["jobs"]}


def test_it_launches_one_table_of_a_step_that_writes_several(dg: Dg, home: Path) -> None:
    # Each once ended in DagsterInvalidSubsetError.
    survey = surveys()[0]
    (home / "landing_zone" / survey.name).write_bytes(survey.read_bytes())
    day = "2025-03-14"
    dg("launch", "--assets", "new_surveys", "--partition-range", f"{day}...2025-03-15")
    lake = Lake(str(home / "lake"))
    assert lake.manifest().days_with_rows == [day]
    dg("launch", "--assets", "raw_abalone,merged_dataset")
    assert lake.preparation().digest == lake.manifest().digest
    assert all(lake.store.find(lake.key(name)) for name in ("train_split", "test_split"))


def test_only_dg_dev_wants_to_drive_the_home(dg: Dg) -> None:
    with driver_lock(load_settings(), "abalone dev") as lock:
        assert lock is not None
        assert "new_surveys" in dg("list", "defs", "--json")
