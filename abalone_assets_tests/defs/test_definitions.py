"""The graph as a reviewer sees it: any change of it shows in a snapshot, for each profile.

Write the snapshots anew with ``ABALONE_TEST_UPDATE_SNAPSHOTS=1 pytest …/test_definitions.py``.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped] # a dependency of Dagster, without stubs

from abalone_assets import definitions
from abalone_assets.automation.runs import JOBS

pytestmark = pytest.mark.service

PROJECT = Path(__file__).parents[2]
SNAPSHOTS = Path(__file__).parents[1] / "snapshots"
UPDATE = bool(os.environ.get("ABALONE_TEST_UPDATE_SNAPSHOTS"))
PROFILES = ("local", "aws")
S3_ZONES = {
    f"ABALONE_{zone}_URI": f"s3://placeholder/{zone.lower()}"
    for zone in ("LAKE", "LANDING_ZONE", "REGISTRY")
}


@pytest.fixture(scope="module", params=PROFILES)
def profile(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def loaded(profile: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a fresh process says of the definitions, which every network call would betray."""
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.settimeout(0)  # accept() then refuses to wait
        proxy = f"http://127.0.0.1:{trap.getsockname()[1]}"
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith("ABALONE_")
        }
        environment = {
            **inherited,
            **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "AWS_ENDPOINT_URL"), proxy),
            **(S3_ZONES if profile == "aws" else {}),
            "ABALONE_PROFILE": profile,
            "ABALONE_HOME": str(tmp_path_factory.mktemp(profile) / "home"),
        }
        told = subprocess.run(
            [sys.executable, "-m", "abalone_assets_tests.defs.describe_definitions"],
            env=environment,
            cwd=PROJECT,
            capture_output=True,
            check=False,
        )
        assert told.returncode == 0, told.stderr.decode()
        with pytest.raises(BlockingIOError):
            trap.accept()
    document: dict[str, Any] = json.loads(told.stdout)
    return {**document, "home": environment["ABALONE_HOME"]}


@pytest.mark.parametrize(
    "part", ["asset_keys", "assets", "jobs", "sensors", "schedules", "resources"]
)
def test_the_graph_is_as_reviewed(loaded: dict[str, Any], profile: str, part: str) -> None:
    path = SNAPSHOTS / f"definitions.{profile}.json"
    if UPDATE:
        path.write_text(json.dumps(loaded["definitions"], indent=1) + "\n")
    reviewed = json.loads(path.read_text())
    assert loaded["definitions"][part] == reviewed[part]


def test_all_jobs_are_known_for_ours(loaded: dict[str, Any]) -> None:
    assert set(loaded["definitions"]["jobs"]) == JOBS


def test_the_profiles_differ_in_resources_only() -> None:
    local, aws = (
        json.loads((SNAPSHOTS / f"definitions.{profile}.json").read_text()) for profile in PROFILES
    )
    del local["resources"], aws["resources"]
    assert local == aws


def test_loading_imports_nothing_heavy(loaded: dict[str, Any]) -> None:
    assert loaded["heavy"] == []


def test_loading_connects_to_nothing(loaded: dict[str, Any]) -> None:
    assert loaded["connections"] == []


def test_loading_makes_no_folder(loaded: dict[str, Any]) -> None:
    assert not Path(loaded["home"]).exists()


def test_every_asset_is_described_owned_and_traced_to_its_code(loaded: dict[str, Any]) -> None:
    assert loaded["definitions"]["assets"]
    for name, asset in loaded["definitions"]["assets"].items():
        assert asset["described"], name
        assert asset["owners"], name
        assert asset["kinds"], name
        assert asset["group"] != "default", name
        if asset["materializable"]:
            assert asset["code_version"], name
            assert asset["has_code_reference"], name


def test_a_group_is_the_folder_that_declares_it(loaded: dict[str, Any]) -> None:
    folders = {path.parent.name for path in (PROJECT / "abalone_assets" / "defs").glob("*/*.py")}
    assert {asset["group"] for asset in loaded["definitions"]["assets"].values()} <= folders


def test_training_waits_for_the_checks_of_what_it_is_made_from(loaded: dict[str, Any]) -> None:
    """The checks of ``merged_dataset`` block only assets that depend on it directly."""
    assets = loaded["definitions"]["assets"]
    assert "merged_dataset" in assets["trained_model"]["deps"]
    assert assets["merged_dataset"]["checks"] == {
        "rows_are_conserved": "blocking",
        "splits_partition_the_rows": "blocking",
        "synthetic_share_is_small": "warns",
    }


@pytest.mark.usefixtures("home")
def test_the_definitions_are_loadable_as_dagster_loads_them() -> None:
    definitions.defs().get_repository_def().load_all_definitions()


def test_the_code_location_has_one_name() -> None:
    pyproject = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    (location,) = yaml.safe_load((PROJECT / "workspace.yaml").read_text())["load_from"]
    project = pyproject["tool"]["dg"]["project"]
    assert location["python_module"] == {
        "module_name": project["code_location_target_module"],
        "location_name": project["code_location_name"],
    }


def test_a_process_that_has_duckdb_before_ends_without_its_complaints() -> None:
    """As `abalone rollback` has it, whose decision the catalog tells of before it deploys."""
    ended = subprocess.run(
        [sys.executable, "-c", "import duckdb; import abalone_assets.definitions"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stderr == ""
