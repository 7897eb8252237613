"""The platform on the storage of ``deploy/dagster.yaml``: a real PostgreSQL over verified TLS."""

from __future__ import annotations

import os
import socket
from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import dagster_postgres
import pytest
from dagster._core.storage.sql import run_alembic_downgrade
from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.utils import DagsterPostgresException, pg_alembic_config
from sqlalchemy import text

from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.local import migrate
from abalone_assets.local.instance import POOLS
from abalone_assets_tests.automation.support import (
    INGEST,
    RELEASE,
    RELEASE_SENSOR,
    SURVEY_SENSOR,
    ingest_range,
    name_of,
    requests,
)
from abalone_assets_tests.services.production.home import (
    production_environment,
    production_platform,
    write_ecs_home,
)
from abalone_assets_tests.services.production.postgres import write_certificate
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets_tests.services.production.postgres import Cluster, Database
    from abalone_assets_tests.support.platform import Platform

pytestmark = pytest.mark.xdist_group("postgres")

SURVEYS: Final = dg.AssetKey("new_surveys")
FIRST_DAY: Final = date(2024, 1, 1)
DAYS: Final = [(FIRST_DAY + timedelta(days=number)).isoformat() for number in range(60)]
GIVEN_UP: Final = (
    socket.TCP_KEEPIDLE,
    socket.TCP_KEEPINTVL,
    socket.TCP_KEEPCNT,
    socket.TCP_USER_TIMEOUT,
)
OLDER_SCHEMA: Final = "6b7fb194ff9c"
"""Revision of Dagster's schema before ``concurrency_limits.using_default_limit`` came."""


@pytest.fixture(scope="module")
def platform(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """A platform in production, after its first survey and release."""
    home = tmp_path_factory.mktemp("production") / "home"
    database = cluster.create_database()
    with production_platform(home, database, GATE_CHAMPION_TOLERANCE="10") as platform:
        platform.land(name_of("2025-03-14"), survey_rows(30, seed=999))
        assert platform.settle() == {INGEST: 1, RELEASE: 1}
        yield platform


def test_a_landed_survey_becomes_the_deployed_version(platform: Platform) -> None:
    release = platform.lake.release()
    assert release is not None
    assert release.outcome == "deployed"
    runs = platform.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]))
    assert {run.job_name for run in runs} == {INGEST, RELEASE}


def test_another_daemon_on_the_same_database_asks_for_nothing_twice(platform: Platform) -> None:
    platform.cursors.clear()
    assert platform.settle() == {INGEST: 0, RELEASE: 0}


def test_a_backfill_of_sixty_days_is_one_run_and_asks_for_one_release(platform: Platform) -> None:
    for number, day in enumerate(DAYS[::10]):
        platform.land(name_of(day), survey_rows(5, seed=number))
    run = ingest_range(platform, DayRange(DAYS[0], DAYS[-1]))
    assert run.success
    assert platform.instance.get_materialized_partitions(SURVEYS) >= set(DAYS)
    assert _rows(platform, DAYS[0]) == 5
    assert _rows(platform, DAYS[1]) == 0
    assert requests(platform, SURVEY_SENSOR) == []
    assert len(requests(platform, RELEASE_SENSOR)) == 1


def _rows(platform: Platform, day: str) -> object:
    """The rows of a survey day, as its latest materialization tells them."""
    records = platform.instance.fetch_materializations(
        dg.AssetRecordsFilter(SURVEYS, asset_partitions=[day]), limit=1
    ).records
    materialization = records[0].asset_materialization
    assert materialization is not None
    return materialization.metadata["dagster/row_count"].value


def test_the_event_log_has_the_checks_and_the_steps_of_a_run(platform: Platform) -> None:
    latest = platform.instance.get_runs(dg.RunsFilter(job_name=RELEASE), limit=1)[0]
    steps = platform.instance.all_logs(latest.run_id, of_type=dg.DagsterEventType.STEP_SUCCESS)
    checks = platform.instance.all_logs(
        latest.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
    )
    assert {"trained_model", "evaluation", "endpoint"} <= {str(entry.step_key) for entry in steps}
    assert checks
    stats = platform.instance.get_run_stats(latest.run_id)
    assert stats.steps_failed == 0
    assert stats.materializations >= 8


def test_the_connection_is_encrypted(platform: Platform) -> None:
    storage = platform.instance.event_log_storage
    assert isinstance(storage, PostgresEventLogStorage)
    with storage.index_connection() as connection:
        mine = text("select ssl from pg_stat_ssl where pid = pg_backend_pid()")
        assert connection.execute(mine).scalar() is True


def test_a_server_that_vanishes_is_given_up_after_half_a_minute(platform: Platform) -> None:
    # It cannot vanish here: what the kernel of this machine was asked for is looked at.
    storage = platform.instance.event_log_storage
    assert isinstance(storage, PostgresEventLogStorage)
    with storage.index_connection() as connection:
        driver: Any = connection.connection.driver_connection
        with socket.socket(fileno=os.dup(driver.fileno())) as shared:
            asked = [shared.getsockopt(socket.IPPROTO_TCP, option) for option in GIVEN_UP]
        assert driver.info.dsn_parameters["connect_timeout"] == "10"
    idle, interval, count, unacknowledged = asked
    assert idle + interval * count == 30
    assert unacknowledged == 30_000


def test_a_server_that_another_authority_signed_is_refused(
    database: Database, cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dagster_postgres.utils.calculate_delay", lambda **_: 0.0)
    imposter = replace(database, cluster=replace(cluster, certificate=_other_authority(tmp_path)))
    write_ecs_home(tmp_path / "home" / "dagster", imposter)
    with (
        production_environment(tmp_path / "home", imposter),
        pytest.raises(DagsterPostgresException) as refused,
    ):
        dg.DagsterInstance.get()
    assert "certificate verify failed" in str(refused.value.__cause__)


def _other_authority(folder: Path) -> Path:
    (folder / "server.crt").touch()
    write_certificate(folder)
    return folder / "server.crt"


def test_migrate_brings_an_older_schema_up_to_date_and_gives_the_pools_their_limits(
    database: Database, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    write_ecs_home(home / "dagster", database)
    with production_environment(home, database):
        with dg.DagsterInstance.get() as instance:
            _downgrade(instance, OLDER_SCHEMA)
        assert not _has_pool_defaults(database)
        migrate.main()
        with dg.DagsterInstance.get() as instance:
            limits = {
                each.name: each.limit for each in instance.event_log_storage.get_pool_limits()
            }
    assert limits == dict.fromkeys(POOLS, 1)
    assert _has_pool_defaults(database)
    ((revision,),) = set(database.query("select version_num from alembic_version"))
    assert revision != OLDER_SCHEMA


def _downgrade(instance: dg.DagsterInstance, revision: str) -> None:
    storage = instance.event_log_storage
    assert isinstance(storage, PostgresEventLogStorage)
    configuration = pg_alembic_config(dagster_postgres.__file__)
    with storage.index_connection() as connection:
        run_alembic_downgrade(configuration, connection, revision)


def _has_pool_defaults(database: Database) -> bool:
    columns = database.query(
        "select column_name from information_schema.columns where table_name = 'concurrency_limits'"
    )
    return ("using_default_limit",) in columns
