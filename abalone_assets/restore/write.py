"""Writes into Dagster's database what it does not know, in the order in which it happened."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from dagster._core.events import DagsterEvent, StepMaterializationData
from dagster._core.instance.utils import RUNLESS_JOB_NAME, RUNLESS_RUN_ID

from abalone_assets.restore.told import RESTORED_TAG, Checked, Materialized, Told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

PAGE: Final = 500
"""Materializations that are read at once."""

_KINDS: Final = {
    Materialized: dg.DagsterEventType.ASSET_MATERIALIZATION,
    Checked: dg.DagsterEventType.ASSET_CHECK_EVALUATION,
}


@dataclass(frozen=True)
class Restored:
    """What was restored, and what was known already.

    Attributes:
        materializations: By asset.
        checks: By asset.
        known: Materializations and checks that Dagster knew.
    """

    materializations: dict[str, int]
    checks: dict[str, int]
    known: int

    def to_document(self) -> dict[str, Any]:
        """As JSON shows it."""
        return dict(vars(self))


def missing_in(instance: dg.DagsterInstance, told: Iterable[Told]) -> list[Told]:
    """What an instance does not know, the oldest first.

    An asset without partitions that a run or a person has materialized since is left as it is; of
    one with partitions, those that are not materialized are missing.
    """
    everything = sorted(told, key=lambda each: each.at)
    by_asset: dict[str, list[Materialized]] = defaultdict(list)
    for each in everything:
        if isinstance(each, Materialized):
            by_asset[each.asset].append(each)
    known = {id(each) for of in by_asset.values() for each in _known(instance, of)}
    keys = {
        dg.AssetCheckKey(dg.AssetKey(each.asset), each.check)
        for each in everything
        if isinstance(each, Checked)
    }
    checked = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(keys))
    names = {(key.asset_key.to_user_string(), key.name) for key in checked}
    return [
        each
        for each in everything
        if (
            id(each) not in known
            if isinstance(each, Materialized)
            else (each.asset, each.check) not in names
        )
    ]


def _known(instance: dg.DagsterInstance, told: Sequence[Materialized]) -> list[Materialized]:
    """Those of one asset that an instance knows."""
    key = dg.AssetKey(told[0].asset)
    if told[0].partition is not None:
        partitions = instance.get_materialized_partitions(key)
        return [each for each in told if each.partition in partitions]
    latest = instance.get_latest_materialization_event(key)
    if latest is not None and not _is_restored(latest):
        return list(told)
    marks = set(_marks(instance, key))
    return [each for each in told if each.mark in marks]


def _is_restored(event: dg.EventLogEntry) -> bool:
    """Whether this wrote it; a person's "Report materialization" is of no run either."""
    told = event.asset_materialization
    is_marked = told is not None and RESTORED_TAG in (told.tags or {})
    return event.run_id == RUNLESS_RUN_ID and is_marked


def _marks(instance: dg.DagsterInstance, asset: dg.AssetKey) -> Iterator[str | None]:
    cursor: str | None = None
    while True:
        page = instance.fetch_materializations(asset, limit=PAGE, cursor=cursor)
        for each in page.records:
            if each.asset_materialization is not None:
                yield (each.asset_materialization.tags or {}).get(RESTORED_TAG)
        if not page.has_more:
            return
        cursor = page.cursor


def record(instance: dg.DagsterInstance, told: Told) -> None:
    """Record what is missing as an event of no run, with the time of then."""
    data = StepMaterializationData(told.event()) if isinstance(told, Materialized) else told.event()
    event = DagsterEvent(_KINDS[type(told)].value, RUNLESS_JOB_NAME, event_specific_data=data)
    instance.report_dagster_event(event, RUNLESS_RUN_ID, timestamp=told.at.timestamp())


def summary(missing: Sequence[Told], known: int) -> Restored:
    """What is missing, counted."""
    materialized = Counter(each.asset for each in missing if isinstance(each, Materialized))
    checked = Counter(each.asset for each in missing if isinstance(each, Checked))
    return Restored(dict(sorted(materialized.items())), dict(sorted(checked.items())), known)
