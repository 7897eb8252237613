"""A ``DAGSTER_HOME`` with the production configuration, and the platform on it."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest
from dagster_shared.yaml_utils import load_yaml_from_path

from abalone_assets_tests.support.platform import Platform, small_base

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets_tests.services.production.postgres import Database

DEPLOY: Final = Path(__file__).parents[3] / "deploy"
ECS: Final = DEPLOY / "dagster.yaml"
COMPOSE: Final = DEPLOY / "compose" / "dagster.yaml"
CERTIFICATE_IN_IMAGE: Final = "/opt/abalone/rds-ca.pem"
NO_COMPUTE_LOGS: Final = {
    "module": "dagster._core.storage.noop_compute_log_manager",
    "class": "NoOpComputeLogManager",
}
"""Capturing takes two processes a step, for what no test reads."""


def read(file: Path) -> dict[str, Any]:
    document = load_yaml_from_path(str(file))
    assert isinstance(document, dict)
    return document


def address_of(document: dict[str, Any]) -> dict[str, Any]:
    """How an instance's configuration says where its database is."""
    address = document["storage"]["custom"]["config"]["postgres_db"]
    assert isinstance(address, dict)
    return address


def write_ecs_home(folder: Path, database: Database) -> Path:
    """ECS's configuration with its own storage; runs and logs stay on this machine."""
    document = read(ECS)
    del document["run_launcher"]
    parameters = address_of(document)["params"]
    assert parameters["sslrootcert"] == CERTIFICATE_IN_IMAGE
    parameters["sslrootcert"] = str(database.cluster.certificate)
    document["compute_logs"] = NO_COMPUTE_LOGS
    document["local_artifact_storage"]["config"]["base_dir"] = str(folder / "artifacts")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dagster.yaml").write_text(json.dumps(document))  # JSON is YAML too
    return folder


@contextmanager
def production_environment(home: Path, database: Database, **settings: str) -> Iterator[None]:
    """An environment that leads to a home, to its Dagster instance and to the database."""
    (home / "landing_zone").mkdir(parents=True)
    chosen = {"HOME": str(home), **small_base(home), **settings}
    with pytest.MonkeyPatch.context() as environment:
        for variable in list(os.environ):
            if variable.startswith("ABALONE_") and not variable.startswith("ABALONE_TEST_"):
                environment.delenv(variable)
        for name, value in chosen.items():
            environment.setenv(f"ABALONE_{name}", value)
        for name, value in database.environment.items():
            environment.setenv(name, value)
        environment.setenv("DAGSTER_HOME", str(home / "dagster"))
        yield


@contextmanager
def production_platform(home: Path, database: Database, **settings: str) -> Iterator[Platform]:
    """The platform on ECS's instance, driven tick by tick."""
    write_ecs_home(home / "dagster", database)
    with production_environment(home, database, **settings), Platform.at(home) as platform:
        yield platform
