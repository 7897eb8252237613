"""Dagster's SQLite storage with connections that stay open: what it must not lose by that."""

import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer
from typing import Any

import dagster as dg
import psutil
import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from sqlalchemy import text

from abalone_assets.local import dagster_storage
from abalone_assets_tests.support.partitioned_run import (
    KEYS,
    MATERIALIZED,
    materialize_all,
    recorded,
)

CONFIG = """
telemetry:
  enabled: false
storage:
  custom:
    module: abalone_assets.local.dagster_storage
    class: SqliteStorage
    config: {base_dir: {env: DAGSTER_HOME}}
"""


@dg.asset
def counted() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"rows": 3})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    (tmp_path / "dagster.yaml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def instance(folder: Path) -> Iterator[dg.DagsterInstance]:
    assert folder.is_dir()
    with dg.DagsterInstance.get() as instance:
        yield instance


def test_opening_files_that_are_made_reads_no_migrations(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = materialize(instance)
    read: list[Config] = []
    monkeypatch.setattr(ScriptDirectory, "from_config", read.append)
    with dg.DagsterInstance.get() as again:
        assert again.all_logs(run_id)
        assert again.get_run_by_id(run_id)
        assert again.all_instigator_state() == []
    assert not read


def test_the_file_of_a_run_is_as_dagster_makes_it(tmp_path: Path) -> None:
    schema = "select type, name, sql from sqlite_master order by 1, 2"
    asked = [schema, "select * from alembic_version", "pragma journal_mode"]
    made = []
    for storage in (SqliteEventLogStorage, dagster_storage.Events):
        events = storage(str(tmp_path / storage.__name__))
        with events.run_connection("a-run") as connection:
            made.append([connection.execute(text(query)).all() for query in asked])
    assert made[0] == made[1]


def test_a_file_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    events = dagster_storage.Events(str(tmp_path))
    path = events.path_for_shard("a-run")
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("begin immediate")
    end = Timer(0.5, other.rollback)
    end.start()
    with events.run_connection("a-run") as connection:
        assert connection.execute(text("select count(*) from event_logs")).scalar() == 0
    end.join()
    other.close()


def test_a_file_that_many_make_at_once_is_made_once(tmp_path: Path) -> None:
    storages = [dagster_storage.Events(str(tmp_path)) for _ in range(8)]

    def store(storage: dagster_storage.Events) -> None:
        with storage.run_connection("a-run") as connection:
            connection.execute(text("insert into event_logs (run_id, event) values ('a-run', '')"))

    with ThreadPoolExecutor(len(storages)) as pool:
        list(pool.map(store, storages))
    with storages[0].run_connection("a-run") as connection:
        assert connection.execute(text("select count(*) from event_logs")).scalar() == 8
        assert connection.execute(text("select count(*) from alembic_version")).scalar() == 1


def materialize(instance: dg.DagsterInstance) -> str:
    return dg.materialize([counted], instance=instance).run_id


def rows_of(instance: dg.DagsterInstance) -> object:
    event = instance.get_latest_materialization_event(dg.AssetKey("counted"))
    assert event is not None
    assert event.asset_materialization is not None
    return event.asset_materialization.metadata["rows"].value


def open_files(folder: Path) -> set[str]:
    """The database files in the folder that this process has open."""
    opened = {file.path for file in psutil.Process().open_files()}
    return {path for path in opened if path.endswith(".db") and Path(path).is_relative_to(folder)}


def test_it_reads_what_dagsters_own_wrote_and_the_other_way_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    runs = []
    for config in ("telemetry: {enabled: false}", CONFIG, "telemetry: {enabled: false}"):
        (tmp_path / "dagster.yaml").write_text(config)
        with dg.DagsterInstance.get() as instance:
            runs.append(materialize(instance))
            assert {run.run_id for run in instance.get_runs()} == set(runs)
            assert [len(instance.all_logs(run)) > 5 for run in runs] == [True] * len(runs)
            assert rows_of(instance) == 3


def test_files_that_were_deleted_meanwhile_are_made_again(
    instance: dg.DagsterInstance, folder: Path
) -> None:
    materialize(instance)
    shutil.rmtree(folder / "history" / "runs")
    (folder / "history" / "runs").mkdir()
    run = materialize(instance)
    assert rows_of(instance) == 3
    assert instance.all_logs(run)
    with dg.DagsterInstance.get() as other:
        assert [entry.run_id for entry in other.all_logs(run)][:1] == [run]


def test_few_files_stay_open_and_none_after_the_end(
    instance: dg.DagsterInstance, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dagster_storage, "MAX_FILES", 3)
    for _ in range(6):
        materialize(instance)
    assert 0 < len(open_files(folder)) <= 3 + 2  # runs and schedules have a file each
    instance.dispose()
    # Dagster does not dispose of the storage of schedules.
    assert open_files(folder) <= {str(folder / "schedules" / "schedules.db")}


def test_threads_that_write_at_once_lose_nothing(instance: dg.DagsterInstance) -> None:
    def report(number: int) -> None:
        instance.report_runless_asset_event(dg.AssetMaterialization("counted", str(number)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(report, range(40)))
    records = instance.fetch_materializations(dg.AssetKey("counted"), limit=100).records
    assert {
        record.asset_materialization.description
        for record in records
        if record.asset_materialization
    } == set(map(str, range(40)))


def test_a_batch_reads_as_its_events_stored_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []
    for size, config in (("0", "telemetry: {enabled: false}"), ("0", CONFIG), ("4", CONFIG)):
        monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", size)
        folder = tmp_path / str(len(seen))
        folder.mkdir()
        monkeypatch.setenv("DAGSTER_HOME", str(folder))
        (folder / "dagster.yaml").write_text(config)
        with dg.DagsterInstance.get() as instance:
            seen.append(recorded(instance, materialize_all(instance)))
    assert seen[0]["partitions"] == [KEYS] * 2
    assert seen[1] == seen[0]
    assert seen[2] == seen[0]


def test_a_batch_is_one_transaction_of_each_file(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "0")
    materialize_all(instance)  # the files are there
    begun: list[str] = []
    begin = dagster_storage.Events._begin

    def count(storage: dagster_storage.Events, shard: str) -> Any:
        begun.append(shard)
        return begin(storage, shard)

    monkeypatch.setattr(dagster_storage.Events, "_begin", count)
    materialize_all(instance)
    one_by_one = len(begun)
    begun.clear()
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    materialize_all(instance)
    # Of the planned and the done of both assets: each asset's, in the run's file and the other.
    assert len(begun) <= one_by_one - 2 * 4 * (len(KEYS) - 1)


def test_nothing_of_a_batch_stays_that_fails_half_way(
    instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DAGSTER_EVENT_BATCH_SIZE", "1000")
    store_tags = dagster_storage.Events._store_asset_event_tags

    def fail(storage: dagster_storage.Events, connection: Any, events: Any, ids: Any) -> None:
        if len(events) > 1:
            raise ValueError("too many")
        store_tags(storage, connection, events, ids)

    monkeypatch.setattr(dagster_storage.Events, "_store_asset_event_tags", fail)
    run = materialize_all(instance)
    assert "Exception while storing event batch: too many" in capfd.readouterr().err
    seen = recorded(instance, run)
    materialized = [key for kind, key in seen["log"] if kind is MATERIALIZED]
    assert len(materialized) == 2 * len(set(materialized)) == 2 * len(KEYS)
    assert sorted(key for key, _ in seen["materialized"]["left"]) == KEYS
