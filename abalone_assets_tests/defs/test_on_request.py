"""Experiments and simulations: in the lineage, with jobs of their own, and never part of "all"."""

from __future__ import annotations

import dagster as dg
import pytest

from abalone_assets import definitions

ON_REQUEST = {
    "hyperparameter_study": "search_hyperparameters",
    "survey_synthesizer": "simulate_survey",
    "synthetic_survey": "simulate_survey",
}


@pytest.fixture
def repository(home: object) -> dg.RepositoryDefinition:
    return definitions.defs().get_repository_def()


def test_neither_is_executable_so_that_materialize_all_leaves_it_out(
    repository: dg.RepositoryDefinition,
) -> None:
    # "Materialize all" once ran a study of nine minutes and landed a simulated survey.
    graph = repository.asset_graph
    everything = dg.AssetSelection.all().resolve(graph)
    assert dg.AssetKey("endpoint") in everything
    for asset in ON_REQUEST:
        assert not graph.get(dg.AssetKey(asset)).is_executable, asset
        assert dg.AssetKey(asset) not in everything


def test_no_job_but_its_own_makes_one(repository: dg.RepositoryDefinition) -> None:
    makers = {
        asset: {job.name for job in repository.get_all_jobs() if job.has_node_named(asset)}
        for asset in ON_REQUEST
    }
    assert makers == {asset: {job} for asset, job in ON_REQUEST.items()}


def test_each_leads_to_its_job_and_keeps_its_lineage(repository: dg.RepositoryDefinition) -> None:
    graph = repository.asset_graph
    for asset, job in ON_REQUEST.items():
        node = graph.get(dg.AssetKey(asset))
        made_by = node.metadata["made_by"]
        assert isinstance(made_by, dg.DagsterJobMetadataValue)
        assert (made_by.job_name, made_by.location_name) == (job, "abalone_assets")
        assert f"`{job}`" in (node.description or "")
    assert dg.AssetKey("synthetic_survey") in graph.get(dg.AssetKey("landing_zone")).parent_keys


def test_its_check_is_no_part_of_all_either(repository: dg.RepositoryDefinition) -> None:
    checks = dg.AssetSelection.all().resolve_checks(repository.asset_graph)
    assert dg.AssetCheckKey(dg.AssetKey("synthetic_survey"), "quality") not in checks


COSTS = {
    "ingest_surveys": "loses its rows",
    "release": "billed jobs",
    "deploy": "Changes what the endpoint serves",
    "search_hyperparameters": "minutes",
    "simulate_survey": "landing zone",
    "stop_orphaned_jobs": "Destructive",
    "monitor_requests": "deletes",
}


@pytest.mark.parametrize("name", COSTS)
def test_a_job_that_costs_or_destroys_says_so_where_it_is_launched(
    repository: dg.RepositoryDefinition, name: str
) -> None:
    assert COSTS[name] in (repository.get_job(name).description or "")
