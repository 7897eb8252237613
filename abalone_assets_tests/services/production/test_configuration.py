"""The two instance files: what they share, what they say, and that no secret leaves them."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import dagster as dg
import pytest
from dagster._core.instance.config import PoolGranularity
from dagster._core.instance.ref import InstanceRef

from abalone_assets_tests.services.production.home import (
    CERTIFICATE_IN_IMAGE,
    COMPOSE,
    DEPLOY,
    ECS,
    address_of,
    read,
)

PROJECT: Final = Path(__file__).parents[3]
DIFFER: Final = {"compute_logs", "local_artifact_storage", "run_launcher", "run_monitoring"}
TLS: Final = {"sslmode": "verify-full", "sslrootcert": CERTIFICATE_IN_IMAGE}
LOCAL_TOO: Final = ("concurrency", "run_retries", "sensors", "schedules", "retention", "telemetry")
IN_MEMORY: Final = {
    "storage": {"sqlite": {"base_dir": "replaced"}},
    "compute_logs": {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    },
}
ENVIRONMENT: Final = {
    "DAGSTER_ECS_TASK_DEFINITION": "abalone-run",
    "DAGSTER_LOCAL_STORAGE": "/tmp/dagster",
    "DAGSTER_POSTGRES_DB": "dagster",
    "DAGSTER_POSTGRES_HOST": "db",
    "DAGSTER_POSTGRES_PASSWORD": "a secret that nobody may see",
    "DAGSTER_POSTGRES_PORT": "5432",
    "DAGSTER_POSTGRES_USER": "dagster",
    "DAGSTER_S3_LOGS_BUCKET": "logs",
}
FILES: Final = pytest.mark.parametrize("file", [ECS, COMPOSE], ids=["ecs", "compose"])


def instance_of(file: Path, folder: Path) -> dg.DagsterInstance:
    """The instance of a file, with its own settings on a storage that needs no server."""
    overrides: dict[str, Any] = {**IN_MEMORY, "storage": {"sqlite": {"base_dir": str(folder)}}}
    return dg.DagsterInstance.from_ref(InstanceRef.from_dir(str(file.parent), overrides=overrides))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@FILES
def test_dagster_accepts_the_file(file: Path, tmp_path: Path) -> None:
    with instance_of(file, tmp_path) as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_retries_enabled
        assert not instance.run_retries_retry_on_asset_or_op_failure
        assert not instance.telemetry_enabled
        concurrency = instance.get_concurrency_config()
        assert concurrency.pool_config.default_pool_limit == 1
        assert concurrency.pool_config.pool_granularity is PoolGranularity.RUN


def test_a_run_that_died_with_its_code_location_is_looked_for(tmp_path: Path) -> None:
    with instance_of(COMPOSE, tmp_path) as instance:
        assert instance.run_launcher.supports_check_run_worker_health


def test_the_two_files_differ_only_where_they_must() -> None:
    ecs, compose = read(ECS), read(COMPOSE)
    for name in TLS:  # RDS speaks it
        del _parameters(ecs)[name]
    assert ecs.keys() == compose.keys()
    assert {name for name in ecs if ecs[name] != compose[name]} == DIFFER


@pytest.mark.parametrize("section", LOCAL_TOO)
def test_production_and_the_local_profile_automate_alike(section: str) -> None:
    assert read(ECS)[section] == read(PROJECT / "abalone_assets/local/dagster.yaml")[section]


@FILES
def test_the_password_is_in_no_command_and_no_serialized_instance(file: Path) -> None:
    reference = InstanceRef.from_dir(str(file.parent))
    assert ENVIRONMENT["DAGSTER_POSTGRES_PASSWORD"] not in dg.serialize_value(reference)
    assert address_of(read(file))["password"] == {"env": "DAGSTER_POSTGRES_PASSWORD"}


@FILES
def test_the_driver_is_the_one_that_dagster_installs(file: Path) -> None:
    # SQLAlchemy 2.1 takes psycopg 3 for `postgresql://`; dagster-postgres installs psycopg2 only.
    assert address_of(read(file))["scheme"] == "postgresql+psycopg2"


def test_the_database_is_verified_by_a_certificate_that_the_image_has() -> None:
    parameters = _parameters(read(ECS))
    assert {name: parameters[name] for name in TLS} == TLS
    added = [line for line in _dockerfile() if line.startswith("ADD ")]
    assert [line.split()[-1] for line in added] == [CERTIFICATE_IN_IMAGE]
    assert all("--chmod=0444" in line for line in added)  # what ADD fetches is root's alone


def test_every_workspace_names_the_code_location_alike() -> None:
    files = ["workspace.yaml", "deploy/workspace.yaml", "abalone_assets/local/workspace.yaml"]
    names = {
        target["location_name"]
        for file in files
        for (target,) in [list(entry.values()) for entry in read(PROJECT / file)["load_from"]]
    }
    assert names == {"abalone_assets"}


def _parameters(document: dict[str, Any]) -> dict[str, Any]:
    """What connections to the database are asked for beside the address."""
    parameters = address_of(document)["params"]
    assert isinstance(parameters, dict)
    return parameters


def _dockerfile() -> list[str]:
    return (DEPLOY / "Dockerfile").read_text().splitlines()
