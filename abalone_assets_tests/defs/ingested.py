"""What tests of ingestion share: what a run shows of each partition, and its checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from collections.abc import Mapping

DAY, NEXT_DAY, EMPTY_DAY = "2025-03-03", "2025-03-04", "2025-03-05"


def by_partition(
    result: dg.ExecuteInProcessResult, asset: str
) -> dict[str, Mapping[str, dg.MetadataValue]]:
    """The metadata of each partition that a run materialized."""
    return {
        event.partition or "": event.step_materialization_data.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(asset)
    }


def check(result: dg.ExecuteInProcessResult, name: str) -> dg.AssetCheckEvaluation:
    (found,) = (each for each in result.get_asset_check_evaluations() if each.check_name == name)
    return found
