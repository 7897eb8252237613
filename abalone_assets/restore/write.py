"""Writes into Dagster's database what it does not know, in the order in which it happened."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from dagster._core.events import DagsterEvent, StepMaterializationData
from dagster._core.instance.utils import RUNLESS_JOB_NAME, RUNLESS_RUN_ID

from abalone_assets.restore.told import RESTORED, RESTORED_TAG, Checked, Materialized, Told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecord

PAGE: Final = 500
"""Materializations, or executions of a check, that are read at once."""

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

    An asset without partitions that a run or a person has materialized since, and a check that a
    run has executed since, is left as it is; of an asset with partitions, those that are not
    materialized are missing.
    """
    everything = sorted(told, key=lambda each: each.at)
    materialized: dict[str, list[Materialized]] = defaultdict(list)
    checked: dict[tuple[str, str], list[Checked]] = defaultdict(list)
    for each in everything:
        if isinstance(each, Materialized):
            materialized[each.asset].append(each)
        else:
            checked[each.asset, each.check].append(each)
    known = {id(each) for of in materialized.values() for each in _known(instance, of)}
    known |= {id(each) for of in checked.values() for each in _known_checks(instance, of)}
    return [each for each in everything if id(each) not in known]


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


def _known_checks(instance: dg.DagsterInstance, told: Sequence[Checked]) -> list[Checked]:
    """Those of one check that an instance knows."""
    descriptions: set[str | None] = set()
    key = dg.AssetCheckKey(dg.AssetKey(told[0].asset), told[0].check)
    for record in _executions(instance, key):
        evaluation = record.evaluation if record.run_id == RUNLESS_RUN_ID else None
        description = None if evaluation is None else evaluation.description
        if not descriptions and not (description or "").startswith(RESTORED):
            return list(told)  # the latest is a run's
        descriptions.add(description)
    return [each for each in told if each.description in descriptions]


def _executions(
    instance: dg.DagsterInstance, check: dg.AssetCheckKey
) -> Iterator[AssetCheckExecutionRecord]:
    """All executions of a check, the latest first."""
    cursor: int | None = None
    while page := instance.event_log_storage.get_asset_check_execution_history(
        check, limit=PAGE, cursor=cursor
    ):
        yield from page
        cursor = page[-1].id


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
