"""Dagster's SQLite storage with its connections kept open, and batches of events written as such.

Dagster's own makes an SQLAlchemy engine and a connection for every statement, which is a third of
the time of a run whose steps are short. And each process reads Dagster's ninety migrations for
every file that it opens, to learn whether there are any. Files, tables and configuration are the
same.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import sqlalchemy as db
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    SqliteEventLogStorage,
)
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sql import create_engine, get_alembic_config
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS, create_db_conn_string
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage

from abalone_assets.local.event_batches import Batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dagster._serdes import ConfigurableClassData

MAKING_ATTEMPTS: Final = 10
MAKING_WAIT_SECONDS: Final = 0.2
"""As Dagster's own storage tries to make a file that another process makes, too."""

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


def _is_made(url: str) -> bool:
    """Whether Dagster has made the database at this URL: then it has a revision.

    Of which revision only `dagster instance migrate` asks.
    """
    if _file_at(url) is None:
        return False
    engine = create_engine(url, poolclass=db.NullPool)
    with engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision() is not None


@cache
def _migrations() -> ScriptDirectory:
    """Dagster's migrations of events, which take a while to read."""
    return ScriptDirectory.from_config(get_alembic_config(sqlite_event_log.__file__))


class _OneFile:
    """What the storages of one file have in common."""

    _name: ClassVar[str]

    @classmethod
    def from_local(cls, base_dir: str, inst_data: ConfigurableClassData | None = None) -> Self:
        """The storage in this folder, whose file is made when there is none."""
        url = create_db_conn_string(base_dir, cls._name)
        if _is_made(url):
            return cls(url, inst_data)
        made: Self = super().from_local(base_dir, inst_data)  # type: ignore[misc]
        return made

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

    _name = "runs"


class Schedules(_OneFile, SqliteScheduleStorage):
    """Sensors, their ticks and cursors, in one file."""

    _name = "schedules"


class Events(Batches, SqliteEventLogStorage):
    """Events: a file for each run, and one of what concerns assets."""

    def __init__(self, base_dir: str) -> None:
        self._engines = Engines()
        super().__init__(base_dir)
        self._db_lock = threading.RLock()  # type: ignore[assignment]  # a batch writes two files at once

    @contextmanager
    def _begin(self, shard: str) -> Iterator[db.Connection]:
        url = self.conn_string_for_shard(shard)
        engine = self._engines.of(url)
        with self._db_lock:
            if shard not in self._initialized_dbs or _file_at(url) is None:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def _initdb(self, engine: db.Engine, for_index_shard: bool = False) -> None:  # noqa: FBT001, FBT002 - as Dagster's
        if for_index_shard:  # which may be of an older Dagster
            super()._initdb(engine, for_index_shard)
            return
        for left in reversed(range(MAKING_ATTEMPTS)):
            try:
                if not _is_made(str(engine.url)):
                    self._make(engine)
            except db.exc.OperationalError as error:
                # Where a file gets its write-ahead log SQLite waits for nobody.
                if "database is locked" not in str(error) or not left:
                    raise
                time.sleep(MAKING_WAIT_SECONDS)
            else:
                return

    def _make(self, engine: db.Engine) -> None:
        """Make the tables of a run's file; it may be made meanwhile."""
        with engine.connect() as connection:
            connection.exec_driver_sql("pragma journal_mode = wal")
            connection.exec_driver_sql("begin immediate")  # or each table waits for the disk
            context = MigrationContext.configure(connection)
            if context.get_current_revision() is None:
                SqlEventLogStorageMetadata.create_all(connection)
                context.stamp(_migrations(), "head")
            connection.commit()

    def _shard_of(self, run_id: str) -> str:
        return run_id

    def _open(self, *shards: str) -> None:
        for shard in shards:
            self._engines.of(self.conn_string_for_shard(shard))

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
        """The storage that a ``dagster.yaml`` asks for.

        A ``dagster dev`` with ``DAGSTER_HOME`` becomes the driver of the home that this is.
        """
        from abalone_assets.local.dev_driver import begins_dagster_dev, drive_home
        from abalone_assets.settings.platform import load_settings

        if begins_dagster_dev():
            settings = load_settings()
            if settings.dagster_home == Path(config_value["base_dir"]).resolve():
                drive_home(settings)
        return cls.from_local(inst_data=inst_data, **config_value)
