"""Dagster's PostgreSQL storage with connections kept open, and batches of events written as such.

Dagster's own connects anew for every statement, and the server starts a process for each: a daemon
that has nothing to do connects 25 times a second, and a run over many partitions waits for little
else. Tables and configuration are the same, but for ``auth_provider``.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Final, cast

from dagster_postgres.event_log import PostgresEventLogStorage
from dagster_postgres.run_storage import PostgresRunStorage
from dagster_postgres.schedule_storage import PostgresScheduleStorage
from dagster_postgres.storage import DagsterPostgresStorage
from dagster_postgres.utils import (
    create_pg_connection,
    create_pg_engine,
    pg_config,
    pg_url_from_config,
)

from abalone_assets.local.event_batches import Batches

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from contextlib import AbstractContextManager

    import sqlalchemy as db
    from dagster._config import UserConfigSchema
    from dagster._serdes import ConfigurableClassData

KEPT_CONNECTIONS: Final = 5
"""How many a process keeps while it uses none; it opens as many as it uses at a time."""

_with_tables: set[str] = set()
"""The databases whose tables this process has seen."""


@cache
def engine_at(url: str) -> db.Engine:
    """The engine of the database at this URL, one for the process.

    Each tick of a sensor has a Dagster instance of its own; connections outlive it. One that the
    server has closed meanwhile is noticed before it is used, and made anew with all the others. A
    fork leaves them to its parent.
    """
    engine = create_pg_engine(
        url,
        isolation_level="AUTOCOMMIT",
        pool_size=KEPT_CONNECTIONS,
        max_overflow=-1,
        pool_pre_ping=True,
        pool_use_lifo=True,
    )
    os.register_at_fork(after_in_child=partial(engine.dispose, close=False))
    return engine


class _Pooled:
    """What the storages of one database have in common."""

    _engine: db.Engine

    def __init__(self, postgres_url: str, should_autocreate_tables: bool) -> None:  # noqa: FBT001 - as Dagster's
        super().__init__(postgres_url, should_autocreate_tables)  # type: ignore[call-arg]
        self._engine = engine_at(postgres_url)


class Runs(_Pooled, PostgresRunStorage):
    """Runs."""


class Schedules(_Pooled, PostgresScheduleStorage):
    """Sensors, their ticks and cursors."""


class Events(Batches, _Pooled, PostgresEventLogStorage):
    """Events, and what concerns assets."""

    @contextmanager
    def _begin(self, shard: str) -> Iterator[db.Connection]:
        with self._connect_anew(shard) as connection:
            transactional = connection.execution_options(isolation_level="READ COMMITTED")
            with transactional.begin():
                yield transactional

    def _connect_anew(self, shard: str) -> AbstractContextManager[db.Connection]:
        del shard  # there is one
        return create_pg_connection(self._engine)


class PostgresStorage(DagsterPostgresStorage):
    """For ``storage: custom`` of a ``dagster.yaml``, with the settings of ``storage: postgres``."""

    def __init__(
        self,
        postgres_url: str,
        *,
        should_autocreate_tables: bool = True,
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        # Its own would connect for each of its storages.
        super(DagsterPostgresStorage, self).__init__()  # type: ignore[no-untyped-call]
        self.postgres_url = postgres_url
        self.should_autocreate_tables = should_autocreate_tables
        self._inst_data = inst_data
        create = should_autocreate_tables and postgres_url not in _with_tables
        self._run_storage = Runs(postgres_url, create)
        self._event_log_storage = Events(postgres_url, create)
        self._schedule_storage = Schedules(postgres_url, create)
        if create:
            _with_tables.add(postgres_url)

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Dagster's, without ``auth_provider``: its tokens are of one connection."""
        known = cast("dict[str, Any]", pg_config())
        return {name: each for name, each in known.items() if name != "auth_provider"}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> PostgresStorage:
        """The storage that a ``dagster.yaml`` asks for."""
        return cls(
            pg_url_from_config(config_value),
            should_autocreate_tables=config_value.get("should_autocreate_tables", True),
            inst_data=inst_data,
        )
