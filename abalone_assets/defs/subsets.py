"""A subset of a multi-asset: all of its tables are written, and Dagster is told of all of them.

Tables that are made from the same rows must agree, whichever of them somebody selected.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import dagster as dg

Result = dg.MaterializeResult[None] | dg.AssetCheckResult
Told = Result | dg.AssetMaterialization | dg.AssetCheckEvaluation


def told_of_all(context: dg.AssetExecutionContext, results: Iterable[Result]) -> Iterator[Told]:
    """Pass on what the run's selection knows, and the rest as events: it happened all the same.

    Args:
        context: Of the step.
        results: Each with its asset's key.
    """
    for result in results:
        key = result.asset_key
        if key is None or is_selected(context, key):
            yield result
        elif isinstance(result, dg.MaterializeResult):
            yield dg.AssetMaterialization(key, metadata=result.metadata)
        else:
            yield dg.AssetCheckEvaluation(
                asset_key=key,
                check_name=result.check_name or "",
                passed=result.passed,
                metadata=result.metadata,
                severity=result.severity,
                description=result.description,
            )


def is_selected(context: dg.AssetExecutionContext, asset: dg.AssetKey | str) -> bool:
    """Whether the run was asked for an asset of its step."""
    return dg.AssetKey.from_coercible(asset) in context.selected_asset_keys


def partitions_told(
    asset: str, metadata: Mapping[str, Mapping[str, Any]]
) -> Iterator[dg.AssetMaterialization]:
    """The events of an unselected asset's partitions, with their metadata."""
    for partition, attached in metadata.items():
        yield dg.AssetMaterialization(asset, partition=partition, metadata=attached)
