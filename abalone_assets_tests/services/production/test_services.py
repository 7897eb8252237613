"""What the containers of ``deploy/compose.yaml`` run, as processes, on a real PostgreSQL."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets_tests.services.production.home import COMPOSE
from abalone_assets_tests.services.production.services import Services, running_services
from abalone_assets_tests.support.platform import small_base, survey_rows
from abalone_assets_tests.support.quick_daemon import quick_daemon

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets_tests.services.production.postgres import Cluster, Database

pytestmark = [pytest.mark.xdist_group("postgres"), pytest.mark.timeout(900)]

ENDED = {"SUCCESS", "FAILURE", "CANCELED"}
RUNS = """{ runsOrError { ... on Runs { results {
    runId jobName status creationTime startTime endTime } } } }"""


@pytest.fixture(scope="module")
def services_database(cluster: Cluster) -> Database:
    return cluster.create_database()


@pytest.fixture(scope="module")
def services(
    services_database: Database, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Services]:
    """The services after a landed survey was released, and another training run was launched.

    That one is launched while the release executes: Dagster makes a pool when it first dequeues a
    run for it, and does not hold back what it dequeues in the same look.
    """
    folder = tmp_path_factory.mktemp("services")
    environ = {
        **{f"ABALONE_{name}": value for name, value in small_base(folder).items()},
        **quick_daemon(),
        "ABALONE_NOTIFY": "",
        "ABALONE_SENSOR_SECONDS": "2",
        "ABALONE_GATE_CHAMPION_TOLERANCE": "10",
    }
    surveys = {"abalone.20240110080000": survey_rows(30)}
    with running_services(folder, services_database, environ, surveys) as services:
        services.await_(lambda: services.healthy("webserver"), "the web server answers")
        services.await_(lambda: _started(services, "release"), "the sensors ask for a release")
        _launch(services, ["trained_model"])
        services.await_(lambda: len(_ended(services, "release")) == 2, "both runs end")
        yield services


def test_a_landed_survey_becomes_the_version_that_answers(services: Services) -> None:
    services.await_(lambda: services.live_version() == 1, "version 1 answers")
    assert services.lake.manifest().rows_of("2024-01-10") == 30


def test_a_run_whose_pool_another_run_holds_waits_for_its_end(services: Services) -> None:
    first, second = sorted(_ended(services, "release"), key=lambda run: run["startTime"])
    assert second["creationTime"] < first["endTime"]
    assert first["endTime"] <= second["startTime"]
    assert {first["status"], second["status"]} == {"SUCCESS"}


def test_each_service_passes_its_health_check(services: Services) -> None:
    for service in ("code-location", "daemon", "webserver", "endpoint"):
        services.await_(partial(services.healthy, service), f"{service} is healthy")


def test_the_runs_are_in_postgresql(services: Services, services_database: Database) -> None:
    counts = dict(services_database.query("select status, count(*) from runs group by 1"))
    assert counts == {"SUCCESS": 3}
    assert {run["jobName"] for run in _runs(services)} == {"ingest_surveys", "release"}


def test_no_file_is_written_beside_the_configuration(services: Services) -> None:
    home = Path(services.environment["DAGSTER_HOME"])
    assert [path.name for path in home.rglob("*") if path.is_file()] == [COMPOSE.name]


def _runs(services: Services) -> list[dict[str, Any]]:
    return list(services.graphql(RUNS)["runsOrError"]["results"])


def _started(services: Services, job: str) -> bool:
    """Whether a run of the job executes."""
    return any(run["jobName"] == job and run["status"] == "STARTED" for run in _runs(services))


def _ended(services: Services, job: str) -> list[dict[str, Any]]:
    return [run for run in _runs(services) if run["jobName"] == job and run["status"] in ENDED]


def _launch(services: Services, assets: list[str]) -> None:
    """Launch part of a release as the UI does."""
    launch = """mutation($p: ExecutionParams!) { launchRun(executionParams: $p) {
        __typename ... on PythonError { message } } }"""
    selector = {
        "repositoryName": "__repository__",
        "repositoryLocationName": "abalone_assets",
        "jobName": "release",
        "assetSelection": [{"path": [asset]} for asset in assets],
    }
    parameters = {"p": {"selector": selector, "runConfigData": {}, "mode": "default"}}
    answer = services.graphql(launch, parameters)["launchRun"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
