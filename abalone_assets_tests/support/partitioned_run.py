"""A run over partitions, and what readers see of it: equal on every storage of Dagster's."""

from collections.abc import Iterator
from typing import Any

import dagster as dg

KEYS = [f"{number:03}" for number in range(9)]
_PARTITIONS = dg.StaticPartitionsDefinition(KEYS)
MATERIALIZED = dg.DagsterEventType.ASSET_MATERIALIZATION


@dg.multi_asset(
    outs={"left": dg.AssetOut(), "right": dg.AssetOut()},
    partitions_def=_PARTITIONS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    check_specs=[dg.AssetCheckSpec("is_there", asset="left")],
)
def _both(context: dg.AssetExecutionContext) -> Iterator[Any]:
    for name in ("left", "right"):
        for key in context.partition_keys:
            context.add_asset_metadata({"key": key}, asset_key=name, partition_key=key)
        yield dg.Output(None, name)
    yield dg.AssetCheckResult(passed=True, asset_key="left", check_name="is_there")


def materialize_all(instance: dg.DagsterInstance) -> str:
    """Materialize both assets at all partitions, in one run."""
    tags = {
        "dagster/asset_partition_range_start": KEYS[0],
        "dagster/asset_partition_range_end": KEYS[-1],
    }
    return dg.materialize(
        [_both], instance=instance, tags=tags, resources={"io_manager": dg.mem_io_manager}
    ).run_id


def recorded(instance: dg.DagsterInstance, run: str) -> dict[str, Any]:
    """What readers see of a run over partitions: the UI, sensors and asset conditions."""
    storage = instance.event_log_storage
    keys = [dg.AssetKey("left"), dg.AssetKey("right")]
    latest = instance.get_latest_materialization_events(keys)
    materialized = {
        key.path[-1]: [
            (record.partition_key, record.asset_materialization.metadata["key"].value)
            for record in reversed(instance.fetch_materializations(key, limit=100).records)
            if record.asset_materialization is not None
        ]
        for key in keys
    }
    return {
        "materialized": materialized,
        "partitions": [sorted(instance.get_materialized_partitions(key)) for key in keys],
        "latest": [
            event.get_dagster_event().partition for event in latest.values() if event is not None
        ],
        "versions": sorted(
            storage.get_latest_tags_by_partition(
                keys[0], dg.DagsterEventType.ASSET_MATERIALIZATION, ["dagster/data_version"]
            )
        ),
        "assets": [
            (record.asset_entry.asset_key, record.asset_entry.last_run_id == run)
            for record in instance.get_asset_records(keys)
        ],
        "log": [
            (entry.dagster_event_type, entry.dagster_event.partition)
            for entry in instance.all_logs(run)
            if entry.dagster_event is not None
        ],
        "statuses": [
            change.event_type
            for change in instance.fetch_run_status_changes(
                dg.DagsterEventType.RUN_SUCCESS, limit=10
            ).records
        ],
        "checks": [
            record.status
            for record in storage.get_asset_check_execution_history(
                dg.AssetCheckKey(keys[0], "is_there"), limit=10
            )
        ],
    }
