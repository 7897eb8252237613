"""A Dagster instance on disk for a test, in the twentieth of a second that a copy takes.

Dagster makes three SQLite files anew in half a second, which most tests would spend. Nor does
a test wait for the disk: SQLite would at each of a run's hundred writes, against power failures.
"""

from __future__ import annotations

import atexit
import shutil
import sqlite3
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import dagster as dg
from dagster._core.storage.event_log.sqlite.consolidated_sqlite_event_log import (
    ConsolidatedSqliteEventLogStorage,
)
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from sqlalchemy import Engine, event

from abalone_assets.local.dagster_storage import Engines, Runs, Schedules, SqliteStorage
from abalone_assets.local.event_batches import Batches

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from dagster._serdes import ConfigurableClassData
    from sqlalchemy import Connection

SETTINGS = """
telemetry:
  enabled: false
compute_logs:  # two processes a step to capture what no test reads
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
storage:
  custom:
    module: abalone_assets_tests.support.instance
    class: OneFileStorage
    config:
      base_dir: {folder}
"""


class _OneFileOfEvents(Batches, ConsolidatedSqliteEventLogStorage):
    def __init__(self, base_dir: str) -> None:
        self._engines = Engines()
        super().__init__(base_dir)

    def _begin(self, shard: str) -> AbstractContextManager[Connection]:
        del shard  # there is one file
        return self._engines.begin(self._conn_string)

    def dispose(self) -> None:
        super().dispose()  # type: ignore[no-untyped-call]
        self._engines.dispose()


class OneFileStorage(SqliteStorage):
    """The platform's, with one file for the events of all runs: Dagster's own, for tests."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        super(DagsterSqliteStorage, self).__init__()  # type: ignore[no-untyped-call]
        self.base_dir, self._inst_data = base_dir, inst_data
        self._event_log_storage = _OneFileOfEvents(f"{base_dir}/history")  # type: ignore[assignment]
        self._run_storage = Runs.from_local(f"{base_dir}/history")
        self._schedule_storage = Schedules.from_local(f"{base_dir}/schedules")


@event.listens_for(Engine, "connect")
def _wait_for_no_disk(connection: object, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


def make_dagster_home(folder: Path) -> None:
    """Make a folder that ``DAGSTER_HOME`` can name; what is there already stays."""
    if not (folder / "dagster.yaml").exists():
        shutil.copytree(_template(), folder, dirs_exist_ok=True)
        _configure(folder)


def retry_runs(folder: Path) -> None:
    """Have the instance retry a run that was cut short once, as the platform's own does."""
    retries = "enabled: true, max_retries: 1, retry_on_asset_or_op_failure: false"
    with (folder / "dagster.yaml").open("a") as settings:
        settings.write(f"run_retries: {{{retries}}}\n")


@cache
def _template() -> Path:
    folder = Path(mkdtemp(prefix="dagster-home-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _configure(folder)
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        instance.get_runs(limit=1)
        instance.all_asset_keys()
        instance.all_instigator_state()
    return folder


def _configure(folder: Path) -> None:
    (folder / "dagster.yaml").write_text(SETTINGS.format(folder=folder))
