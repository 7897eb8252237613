"""One PostgreSQL for all tests of a worker; a database for each that asks for one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.services.production.postgres import running_cluster
from abalone_assets_tests.support.programs import find_postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets_tests.services.production.postgres import Cluster, Database


@pytest.fixture(scope="session")
def postgres_programs() -> Path:
    """The folder of the server's programs."""
    binaries = find_postgres()
    if binaries is None:
        if os.environ.get("CI"):
            pytest.fail("CI needs Debian's postgresql (apt-get install postgresql)")
        pytest.skip("there is no PostgreSQL server on this machine (apt-get install postgresql)")
    return binaries


@pytest.fixture(scope="session")
def cluster(postgres_programs: Path) -> Iterator[Cluster]:
    """A server that ends with the session, however the session ends."""
    with running_cluster(postgres_programs) as cluster:
        yield cluster


@pytest.fixture
def database(cluster: Cluster) -> Database:
    """An empty database of the test's own."""
    return cluster.create_database()
