"""What the settings say is not to be edited in a launchpad, and still seen on a resource's page."""

from __future__ import annotations

import dagster as dg
import pytest
from dagster._core.snap.snap_to_yaml import default_values_yaml_from_type_snap

from abalone_assets import definitions
from abalone_assets.lake.lake import Lake
from abalone_assets.resources.fixed import fixed
from abalone_assets.resources.storage import JsonIOManager, LakeResource


@dg.asset(io_manager_key="json")
def document(lake: LakeResource) -> dict[str, str]:
    return {"lake": lake.open().store.uri}


def prefilled(job: str) -> str:
    """The YAML with which a launchpad opens."""
    snapshot = definitions.defs().resolve_job_def(job).get_job_snapshot()
    schema = snapshot.config_schema_snapshot
    root = snapshot.mode_def_snaps[0].root_config_key
    assert root is not None
    return default_values_yaml_from_type_snap(schema, schema.get_config_snap(root))


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("job", "shown"),
    [
        ("ingest_surveys", []),
        ("release", ["framework: default", "hyperparameters: {}"]),
        ("search_hyperparameters", ["folds: 5", "framework: default", "seed: 0", "trials: 60"]),
        ("simulate_survey", ["recipe: copula", "seed: 0", "land: false", "rows: 200"]),
    ],
)
def test_a_launchpad_opens_with_what_one_may_choose(job: str, shown: list[str]) -> None:
    # Every resource's path was in it, and `seeds: 0`, `survey_time: ''`.
    lines = [line.strip() for line in prefilled(job).splitlines()]
    assert [line for line in lines if not line.endswith(":") and line != "{}"] == shown


def test_assets_and_io_managers_get_what_was_set(tmp_path: object) -> None:
    lake = LakeResource(uri=f"{tmp_path}/lake")
    resources = {"lake": fixed(lake), "json": fixed(JsonIOManager(lake=lake))}
    with dg.DagsterInstance.ephemeral() as instance:
        assert dg.materialize([document], resources=resources, instance=instance).success
    written = Lake(lake.uri).store.read_json("document/data.json")
    assert written == {"lake": lake.uri}


def test_its_page_says_what_it_is_set_to(tmp_path: object) -> None:
    described = fixed(LakeResource(uri=f"{tmp_path}/lake")).description or ""
    assert described.startswith("The lake at a folder")
    assert f"- uri: `{tmp_path}/lake`" in described


def test_a_run_cannot_change_it(tmp_path: object) -> None:
    lake = LakeResource(uri=f"{tmp_path}/lake")
    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(dg.DagsterInvalidConfigError, match="unexpected config"),
    ):
        dg.materialize(
            [document],
            resources={"lake": fixed(lake), "json": fixed(JsonIOManager(lake=lake))},
            run_config={"resources": {"lake": {"config": {"uri": "elsewhere"}}}},
            instance=instance,
        )
