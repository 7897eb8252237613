"""Dagster's event log with a batch of events written as such.

Dagster's own writes most of the events of a batch one by one: most of the time of a run over many
partitions. Tables and rows are the same.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from dagster._core.events import DagsterEventType
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME
from dagster._serdes import serialize_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager

    import sqlalchemy as db
    from dagster._core.events.log import EventLogEntry

_OF_PARTITIONS: Final = {
    DagsterEventType.ASSET_MATERIALIZATION_PLANNED,
    DagsterEventType.ASSET_MATERIALIZATION,
    DagsterEventType.ASSET_OBSERVATION,
}
"""Events that come as many as a run has partitions."""


class Batches(SqlEventLogStorage):
    """Stores a batch of events in one transaction; nothing of it when that fails.

    A storage has one database, or shards: one for each run, and one of what concerns assets. Then
    each has a transaction of its own.
    """

    def __init__(self, *arguments: Any) -> None:  # noqa: ANN401 - each storage's own
        self._joined = threading.local()
        self._present: set[str] = set()
        super().__init__(*arguments)  # type: ignore[no-untyped-call]

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store events that follow each other; Dagster stores them one by one if this fails."""
        run_ids = {event.run_id for event in events}
        if len(run_ids) != 1:  # no batch that Dagster makes
            super().store_event_batch(events)
            return
        shard = self._shard_of(*run_ids)
        self._open(shard, INDEX_SHARD_NAME)
        with self._join(shard) as run, self._join(INDEX_SHARD_NAME) as index:
            for bulky, group in groupby(events, _is_of_partition):
                if bulky:
                    self._store_rows(run, index, list(group))
                else:
                    super().store_event_batch(list(group))

    def _store_rows(
        self, run: db.Connection, index: db.Connection, events: list[EventLogEntry]
    ) -> None:
        table, rows = SqlEventLogStorageTable, list(map(self._event_to_row, events))
        if index is not run:
            run.execute(table.insert(), rows)
        insert = table.insert().returning(table.c.id, sort_by_parameter_order=True)
        ids = list(index.execute(insert, rows).scalars())
        self._store_asset_event_tags(index, events, ids)
        last = {(row["asset_key"], row["dagster_event_type"]): i for i, row in enumerate(rows)}
        # An asset's own row tells of its last event of a type only. In one order, so that batches
        # at the same time do not wait for each other in a circle.
        for _, number in sorted(last.items()):
            self._store_asset_event(index, events[number], ids[number])

    def _store_asset_check_evaluation_planned(
        self, event: EventLogEntry, event_id: int | None
    ) -> None:
        """Store a check that is planned, a row for each of its partitions.

        Dagster serializes the event for each row anew, and has one statement with eight values a
        row, of which SQLite takes 32,766.
        """
        planned = event.get_dagster_event().asset_check_planned_data
        subset = planned.partitions_subset
        row = {
            "asset_key": planned.asset_key.to_string(),
            "check_name": planned.check_name,
            "run_id": event.run_id,
            "execution_status": AssetCheckExecutionRecordStatus.PLANNED.value,
            "evaluation_event": serialize_value(event),
            "evaluation_event_timestamp": self._event_insert_timestamp(event),  # type: ignore[no-untyped-call]
            "evaluation_event_storage_id": event_id,
        }
        partitions = subset.get_partition_keys() if subset else [None]
        with self._join(INDEX_SHARD_NAME) as connection:
            connection.execute(
                AssetCheckExecutionsTable.insert(),
                [{**row, "partition": partition} for partition in partitions],
            )

    @contextmanager
    def _join(self, shard: str) -> Iterator[db.Connection]:
        """The transaction on a shard that is under way in this thread, or a new one.

        All that this thread does meanwhile on the shard is part of it.
        """
        under_way = vars(self._joined).get(shard)
        if under_way is not None:
            yield under_way
            return
        with self._begin(shard) as connection:
            vars(self._joined)[shard] = connection
            try:
                yield connection
            finally:
                del vars(self._joined)[shard]

    @contextmanager
    def _connect(self, shard: str = INDEX_SHARD_NAME) -> Iterator[db.Connection]:
        """A connection to a shard: that of the transaction under way in this thread, if any."""
        under_way = vars(self._joined).get(shard)
        if under_way is not None:
            yield under_way
            return
        with self._connect_anew(shard) as connection:
            yield connection

    def _begin(self, shard: str) -> AbstractContextManager[db.Connection]:
        """A new transaction on a shard."""
        raise NotImplementedError

    def _connect_anew(self, shard: str) -> AbstractContextManager[db.Connection]:
        """A connection that is part of no transaction under way."""
        return self._begin(shard)

    def _shard_of(self, run_id: str) -> str:
        """Where the events of a run are."""
        del run_id
        return INDEX_SHARD_NAME

    def _open(self, *shards: str) -> None:
        """Make the shards' engines, before what is locked meanwhile."""

    # Dagster asks the database for its tables and columns at each event; they do not go away.

    def has_table(self, table_name: str) -> bool:
        """Whether there is this table."""
        return self._has(table_name, super().has_table, table_name)  # type: ignore[safe-super]

    def _has_asset_key_col_on_connection(self, conn: db.Connection, column_name: str) -> bool:
        known = super()._has_asset_key_col_on_connection
        return self._has(f"asset_keys.{column_name}", known, conn, column_name)

    def _has(self, name: str, ask: Callable[..., bool], *arguments: object) -> bool:
        if name not in self._present and ask(*arguments):
            self._present.add(name)
        return name in self._present


def _is_of_partition(event: EventLogEntry) -> bool:
    return event.dagster_event_type in _OF_PARTITIONS
