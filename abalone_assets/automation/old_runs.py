"""Runs that Dagster need not keep: logs and events go, and what is still true of assets stays.

Deleting a run in Dagster deletes its materializations, and with them the partitions that nobody has
materialized since. So the last materialization and observation of each asset and partition, and the
last result of each check, stay when their run goes. The last run of each asset stays as a whole.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

import dagster as dg
import sqlalchemy as db
from dagster._core.execution.backfill import BulkActionStatus
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    AssetKeyTable,
    SqlEventLogStorageTable,
)
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager

from abalone_assets.automation.runs import ENDED, is_of_this_platform
from abalone_assets.retention.kind import GRACE, YOUNG, Kind, Thing
from abalone_assets.retention.local_files import remove_path, size_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

KEPT_OF_JOB: Final = 20
"""Newest runs of each job that always stay: failures among them are counted to wait longer."""

BACKFILL_TAG: Final = "dagster/backfill"
_ACTIVE: Final = {BulkActionStatus.REQUESTED, BulkActionStatus.CANCELING, BulkActionStatus.FAILING}
_TRUE_OF_ASSETS: Final = (
    dg.DagsterEventType.ASSET_MATERIALIZATION.value,
    dg.DagsterEventType.ASSET_OBSERVATION.value,
)
_events = SqlEventLogStorageTable.c
_later = SqlEventLogStorageTable.alias("later")
_checks = AssetCheckExecutionsTable.c


@dataclass(frozen=True)
class RunRules:
    """Which runs are kept.

    Attributes:
        newest: At most so many, and
        days: none that ended longer ago; but always `KEPT_OF_JOB` of each job.
        only_ours: Those of other projects stay: the instance may be theirs, too.
    """

    newest: int
    days: int
    only_ours: bool = False


def run_kinds(instance: dg.DagsterInstance, rules: RunRules, now: datetime) -> list[Kind]:
    """The runs of an instance, and files of runs that it does not know any more.

    An instance whose database is not one of SQL has none.
    """
    if not isinstance(instance.event_log_storage, SqlEventLogStorage):
        return []
    history = _History(instance, instance.event_log_storage)
    runs = Kind("runs in Dagster's database", list(history.runs(rules, now)), history.remove)
    return [runs, Kind("files of runs that are gone", list(history.orphans(now)), remove_path)]


@dataclass(frozen=True)
class _History:
    instance: dg.DagsterInstance
    events: SqlEventLogStorage

    def runs(self, rules: RunRules, now: datetime) -> Iterator[Thing]:
        """Every run, the newest first."""
        sizes, of_assets = self._bytes_by_run(), self._last_runs_of_assets()
        backfills = {each.backfill_id for each in self.instance.get_backfills()
                     if each.status in _ACTIVE}  # fmt: skip
        of_job: Counter[str] = Counter()
        for record in self.instance.get_run_records():
            run, ended = record.dagster_run, record.end_time or record.create_timestamp.timestamp()
            is_ours = not rules.only_ours or is_of_this_platform(run)
            number = of_job.total()
            of_job[run.job_name] += is_ours
            if not is_ours:
                reason = "of another project"
            elif run.status not in ENDED:
                reason = "in flight"
            elif run.tags.get(BACKFILL_TAG) in backfills:
                reason = "of a backfill that is under way"
            elif run.run_id in of_assets:
                reason = "the last run of an asset"
            elif of_job[run.job_name] <= KEPT_OF_JOB:
                reason = f"one of the newest {KEPT_OF_JOB} of its job"
            elif number < rules.newest and ended > (now - timedelta(rules.days)).timestamp():
                reason = f"one of the newest {rules.newest}, and of the last {rules.days} days"
            else:
                reason = ""
            files = sum(map(size_of, self._files_of(run.run_id)))
            yield Thing(run.run_id, sizes.get(run.run_id, 0) + files, reason)

    def remove(self, run: Thing) -> bool:
        """Remove a run; cut short, it is a run still, and removed the next time."""
        if self._is_last_of_an_asset(run.name):
            return False
        for path in self._files_of(run.name):
            remove_path(Thing(str(path), 0))
        self._remove_events(run.name)
        self.events.free_concurrency_slots_for_run(run.name)
        self.instance.run_storage.delete_run(run.name)
        return True

    def orphans(self, now: datetime) -> Iterator[Thing]:
        """Files of runs that the instance does not know, as Dagster's own deletion leaves them."""
        known = {run.run_id for run in self.instance.get_runs()}
        for folder in filter(None, (self._shards, self._logs)):
            for path in folder.iterdir() if folder.is_dir() else ():
                if _is_run_id(path.name.partition(".")[0]) and path.name[:36] not in known:
                    young = path.stat().st_mtime > (now - GRACE).timestamp()
                    yield Thing(str(path), size_of(path), YOUNG if young else "")

    def _remove_events(self, run_id: str) -> None:
        of_run, last, results = _events.run_id == run_id, self._last_of_assets, self._last_of_checks
        with self.events.index_connection() as connection:
            rows = connection.execute(
                db.select(_events.id, _events.dagster_event_type).where(of_run)
            ).all()
            gone = [
                event for event, kind in rows if kind not in _TRUE_OF_ASSETS or event not in last
            ]
            for some in _in_parts(gone):
                tags = AssetEventTagsTable.c.event_id.in_(some)
                connection.execute(AssetEventTagsTable.delete().where(tags))
                connection.execute(SqlEventLogStorageTable.delete().where(_events.id.in_(some)))
            checks = connection.execute(
                db.select(_checks.id).where(_checks.run_id == run_id)
            ).scalars()
            for some in _in_parts([each for each in checks if each not in results]):
                connection.execute(AssetCheckExecutionsTable.delete().where(_checks.id.in_(some)))

    @cached_property
    def _last_of_assets(self) -> frozenset[int]:
        """The last materialization and observation of every asset and partition, by event."""
        query = (
            db.select(db.func.max(_events.id))
            .where(_events.dagster_event_type.in_(_TRUE_OF_ASSETS))
            .group_by(_events.dagster_event_type, _events.asset_key, _events.partition)
        )
        with self.events.index_connection() as connection:
            return frozenset(connection.execute(query).scalars())

    @cached_property
    def _last_of_checks(self) -> frozenset[int]:
        """The last result of every check and of each of its partitions; a plan is no result."""
        query = (
            db.select(db.func.max(_checks.id))
            .where(_checks.execution_status != AssetCheckExecutionRecordStatus.PLANNED.value)
            .group_by(_checks.asset_key, _checks.check_name, _checks.partition)
        )
        with self.events.index_connection() as connection:
            return frozenset(connection.execute(query).scalars())

    def _last_runs_of_assets(self) -> set[str]:
        """The runs of which an asset's page tells."""
        asset = AssetKeyTable.c
        with self.events.index_connection() as connection:
            last = set(connection.execute(db.select(asset.last_run_id)).scalars())
            materialized = connection.execute(
                db.select(_events.run_id).where(
                    _events.id.in_(
                        db.select(db.func.max(_events.id))
                        .where(_events.dagster_event_type == _TRUE_OF_ASSETS[0])
                        .group_by(_events.asset_key)
                    )
                )
            ).scalars()
            return {run for run in (*last, *materialized) if run}

    def _is_last_of_an_asset(self, run_id: str) -> bool:
        """The same of one run, which costs as much as it has assets, however long the history."""
        later = _later.c
        # As an expression: SQLite would take the index of types, which finds the whole history.
        materialized = _events.dagster_event_type.concat("") == _TRUE_OF_ASSETS[0]
        of_run = (
            db.select(_events.asset_key, db.func.max(_events.id).label("id"))
            .where(_events.run_id == run_id, materialized)
            .group_by(_events.asset_key)
            .subquery()
        )
        has_later = db.exists().where(
            later.asset_key == of_run.c.asset_key,
            later.dagster_event_type == _TRUE_OF_ASSETS[0],
            later.id > of_run.c.id,
        )
        queries = (
            db.select(AssetKeyTable.c.id).where(AssetKeyTable.c.last_run_id == run_id),
            db.select(of_run.c.id).where(~has_later),
        )
        with self.events.index_connection() as connection:
            return any(connection.execute(query.limit(1)).first() for query in queries)

    def _bytes_by_run(self) -> Mapping[str, int]:
        query = db.select(_events.run_id, db.func.sum(db.func.length(_events.event)))
        with self.events.index_connection() as connection:
            return dict(map(tuple, connection.execute(query.group_by(_events.run_id)).all()))

    def _files_of(self, run_id: str) -> list[Path]:
        """A run's own database and its logs, where they are files."""
        beside = self._shards.glob(f"{run_id}.db*") if self._shards else ()
        logs = [self._logs / run_id] if self._logs else []
        return [*beside, *(folder for folder in logs if folder.is_dir())]

    @property
    def _shards(self) -> Path | None:
        """Where each run has a database file of its own."""
        if not isinstance(self.events, SqliteEventLogStorage) or not self.events.is_run_sharded:
            return None
        return Path(self.events.path_for_shard("any")).parent

    @property
    def _logs(self) -> Path | None:
        """Where the logs of steps are files; elsewhere a rule of the bucket sees to them."""
        is_local = isinstance(self.instance.compute_log_manager, LocalComputeLogManager)
        return Path(self.instance.storage_directory()) if is_local else None


def _is_run_id(text: str) -> bool:
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False


def _in_parts(ids: list[int], size: int = 500) -> Iterator[list[int]]:
    """As many as one statement takes."""
    for start in range(0, len(ids), size):
        yield ids[start : start + size]
