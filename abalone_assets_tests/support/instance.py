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

import dagster as dg
from sqlalchemy import Engine, event

SETTINGS = """
telemetry:
  enabled: false
compute_logs:  # two processes a step to capture what no test reads
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
event_log_storage:  # one file instead of one a run: Dagster's own, for tests
  module: dagster._core.storage.event_log.sqlite.consolidated_sqlite_event_log
  class: ConsolidatedSqliteEventLogStorage
  config:
    base_dir: {folder}/history
"""


@event.listens_for(Engine, "connect")
def _wait_for_no_disk(connection: object, _: object) -> None:
    if isinstance(connection, sqlite3.Connection):
        connection.execute("PRAGMA synchronous = OFF")


def make_dagster_home(folder: Path) -> None:
    """Make a folder that ``DAGSTER_HOME`` can name; what is there already stays."""
    if not (folder / "dagster.yaml").exists():
        shutil.copytree(_template(), folder, dirs_exist_ok=True)
        _configure(folder)


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
