"""Dagster's PostgreSQL storage with connections that stay open: what it must not lose by that."""

from __future__ import annotations

import json
import multiprocessing
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
import pytest
from dagster._core.errors import DagsterInvalidConfigError
from sqlalchemy import event, text

from abalone_assets.local import postgres_storage
from abalone_assets.local.postgres_storage import Events, engine_at
from abalone_assets_tests.services.production.home import (
    COMPOSE,
    NO_COMPUTE_LOGS,
    address_of,
    read,
)
from abalone_assets_tests.services.production.postgres import running_cluster
from abalone_assets_tests.support.partitioned_run import (
    KEYS,
    MATERIALIZED,
    materialize_all,
    recorded,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from abalone_assets_tests.services.production.postgres import Cluster, Database

pytestmark = pytest.mark.xdist_group("postgres")

OURS: Final = read(COMPOSE)["storage"]
DAGSTERS: Final = {"postgres": OURS["custom"]["config"]}


@pytest.fixture
def open_instance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[Database, dict[str, Any]], dg.DagsterInstance]:
    """Opens the instance of a database, on one storage or another."""
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))

    def open_it(database: Database, storage: dict[str, Any]) -> dg.DagsterInstance:
        for name, value in database.environment.items():
            monkeypatch.setenv(name, value)
        document = {
            "storage": storage,
            "telemetry": {"enabled": False},
            "compute_logs": NO_COMPUTE_LOGS,
        }
        (tmp_path / "dagster.yaml").write_text(json.dumps(document))  # JSON is YAML too
        return dg.DagsterInstance.get()

    return open_it


@pytest.fixture
def instance(
    open_instance: Callable[[Database, dict[str, Any]], dg.DagsterInstance], database: Database
) -> Iterator[dg.DagsterInstance]:
    with open_instance(database, OURS) as instance:
        yield instance


def events_of(instance: dg.DagsterInstance) -> Events:
    storage = instance.event_log_storage
    assert isinstance(storage, Events)
    return storage


def process_of(instance: dg.DagsterInstance) -> int:
    """The server's process behind the connection that is used next."""
    with events_of(instance).index_connection() as connection:
        return int(connection.execute(text("select pg_backend_pid()")).scalar_one())


def test_a_batch_reads_as_its_events_stored_one_by_one(
    open_instance: Callable[[Database, dict[str, Any]], dg.DagsterInstance],
    cluster: Cluster,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[dict[str, Any]] = []
    for size, storage in (("0", DAGSTERS), ("0", OURS), ("4", OURS), ("1000", OURS)):
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", size)
        with open_instance(cluster.create_database(), storage) as instance:
            seen.append(recorded(instance, materialize_all(instance)))
    assert seen[0]["partitions"] == [KEYS] * 2
    assert seen[1:] == [seen[0]] * 3


def test_all_instances_of_a_process_share_the_connections_of_a_database(
    instance: dg.DagsterInstance,
) -> None:
    made: list[object] = []
    event.listen(
        engine_at(events_of(instance).postgres_url), "connect", lambda *each: made.append(each)
    )
    first = process_of(instance)
    materialize_all(instance)
    for _ in range(3):
        with dg.DagsterInstance.get() as other:
            assert other.get_runs_count() == 1
            assert other.all_instigator_state() == []
            assert process_of(other) == first
    assert len(made) <= 2  # within a run an event is written while others are read


def test_few_connections_stay_open(instance: dg.DagsterInstance, database: Database) -> None:
    together = 3 * postgres_storage.KEPT_CONNECTIONS

    def wait(_: int) -> None:
        with events_of(instance).index_connection() as connection:
            connection.execute(text("select pg_sleep(0.2)"))

    with ThreadPoolExecutor(together) as pool:
        list(pool.map(wait, range(together)))
    open_now = f"select count(*) from pg_stat_activity where datname = '{database.name}'"
    ((count,),) = database.query(open_now)
    assert count <= postgres_storage.KEPT_CONNECTIONS + 1  # and the one that asks


def test_a_server_that_was_started_again_is_connected_to_anew(
    open_instance: Callable[[Database, dict[str, Any]], dg.DagsterInstance],
    postgres_programs: Path,
) -> None:
    with (
        running_cluster(postgres_programs, synchronous_commit="on") as cluster,
        open_instance(cluster.create_database(), OURS) as instance,
    ):
        run = materialize_all(instance)
        before = process_of(instance)
        cluster.process.kill()
        cluster.process.wait()
        cluster.start_again()
        assert instance.get_run_by_id(run) is not None
        assert process_of(instance) != before
        engine_at(events_of(instance).postgres_url).dispose()


def test_a_fork_has_connections_of_its_own(instance: dg.DagsterInstance) -> None:
    ours = process_of(instance)
    context = multiprocessing.get_context("fork")
    result = context.SimpleQueue()
    forked = context.Process(target=lambda: result.put(process_of(instance)))
    forked.start()
    forked.join()
    assert forked.exitcode == 0
    assert result.get() != ours
    assert process_of(instance) == ours  # nobody has closed it


def test_batches_at_the_same_time_lose_nothing(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=materialize_all, args=(instance,)) for _ in range(4)]
    for each in others:
        each.start()
    for each in others:
        each.join()
    assert [each.exitcode for each in others] == [0] * len(others)
    assert "Exception while storing event batch" not in capfd.readouterr().err
    for run in instance.get_runs():
        log = recorded(instance, run.run_id)["log"]
        assert sorted(key for kind, key in log if kind is MATERIALIZED) == sorted(2 * KEYS)


def test_nothing_of_a_batch_stays_that_fails_half_way(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    store_tags = Events._store_asset_event_tags

    def fail(storage: Events, connection: Any, events: Any, ids: Any) -> None:
        if len(events) > 1:
            raise ValueError("too many")
        store_tags(storage, connection, events, ids)

    monkeypatch.setattr(Events, "_store_asset_event_tags", fail)
    seen = recorded(instance, materialize_all(instance))
    assert "Exception while storing event batch: too many" in capfd.readouterr().err
    assert sorted(key for kind, key in seen["log"] if kind is MATERIALIZED) == sorted(2 * KEYS)
    assert sorted(key for key, _ in seen["materialized"]["left"]) == KEYS


def test_tokens_of_a_cloud_are_refused_as_a_setting_that_there_is_not(
    open_instance: Callable[[Database, dict[str, Any]], dg.DagsterInstance], database: Database
) -> None:
    config = {"postgres_db": address_of(read(COMPOSE)), "auth_provider": {"gcp": {}}}
    with pytest.raises(DagsterInvalidConfigError, match="auth_provider"):
        open_instance(database, {"custom": {**OURS["custom"], "config": config}})
