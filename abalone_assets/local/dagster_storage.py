"""Dagster's SQLite storage with its connections kept open.

Dagster's own makes an SQLAlchemy engine and a connection for every statement, which is a third of
the time of a run whose steps are short. Files, tables and configuration are the same.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as db
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dagster._serdes import ConfigurableClassData

MAX_FILES: Final = 16
"""Database files that are kept open: each run has one, and few run at a time."""


class Engines:
    """The engines of the database files that were used last, safe for threads.

    A file that was deleted or replaced meanwhile is opened anew: a connection to the old one would
    write where nobody reads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_url: OrderedDict[str, tuple[tuple[int, int] | None, db.Engine]] = OrderedDict()

    @contextmanager
    def begin(self, url: str) -> Iterator[db.Connection]:
        """A transaction on the database at this URL."""
        with self.of(url).begin() as connection:
            yield connection

    def of(self, url: str) -> db.Engine:
        """The engine of the database at this URL."""
        file = _file_at(url)
        with self._lock:
            known, engine = self._by_url.pop(url, (None, None))
            if engine is not None and known in (None, file):
                self._by_url[url] = file, engine
                return engine
        if engine is not None:
            engine.dispose()
        # Without the lock: making an engine waits for the lock of Python's logging, and whoever
        # has that may be waiting for an event to be stored.
        timeout = {"timeout": SQLITE_BUSY_TIMEOUT_SECONDS}
        made = create_engine(url, connect_args=timeout, max_overflow=-1)
        with self._lock:
            _, engine = self._by_url.setdefault(url, (file, made))
            while len(self._by_url) > MAX_FILES:
                self._by_url.popitem(last=False)[1][1].dispose()
        return engine

    def dispose(self) -> None:
        """Close every connection that is not in use."""
        with self._lock:
            while self._by_url:
                self._by_url.popitem()[1][1].dispose()


def _file_at(url: str) -> tuple[int, int] | None:
    """Which file it is, whatever its name; None when there is none."""
    try:
        found = Path(url.removeprefix("sqlite:///")).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


class _OneFile:
    """What the storages of one file have in common."""

    def __init__(self, conn_string: str, inst_data: ConfigurableClassData | None = None) -> None:
        self._engines = Engines()
        super().__init__(conn_string, inst_data)  # type: ignore[call-arg]

    @contextmanager
    def connect(self) -> Iterator[db.Connection]:
        """A transaction."""
        with self._engines.begin(self._conn_string) as connection:  # type: ignore[attr-defined]
            yield connection

    def dispose(self) -> None:
        """Close the file."""
        self._engines.dispose()


class Runs(_OneFile, SqliteRunStorage):
    """Runs, in one file."""


class Schedules(_OneFile, SqliteScheduleStorage):
    """Sensors, their ticks and cursors, in one file."""


class Events(SqliteEventLogStorage):
    """Events: a file for each run, and one of what concerns assets."""

    def __init__(self, base_dir: str) -> None:
        self._engines = Engines()
        super().__init__(base_dir)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[db.Connection]:
        url = self.conn_string_for_shard(shard)
        engine = self._engines.of(url)
        with self._db_lock:
            if shard not in self._initialized_dbs or _file_at(url) is None:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def dispose(self) -> None:
        """Close the files."""
        super().dispose()
        self._engines.dispose()


class SqliteStorage(DagsterSqliteStorage):
    """For ``storage: custom`` of a ``dagster.yaml``, with ``DAGSTER_HOME`` as ``base_dir``."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        # Its own would open the files a first time.
        super(DagsterSqliteStorage, self).__init__()  # type: ignore[no-untyped-call]
        self.base_dir, self._inst_data = base_dir, inst_data
        self._run_storage = Runs.from_local(f"{base_dir}/history")
        self._event_log_storage = Events(f"{base_dir}/history/runs")
        self._schedule_storage = Schedules.from_local(f"{base_dir}/schedules")

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> SqliteStorage:
        """The storage that a ``dagster.yaml`` asks for."""
        return cls.from_local(inst_data=inst_data, **config_value)
