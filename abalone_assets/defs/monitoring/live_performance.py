"""What errors were seen since: animals that were asked about first and surveyed later."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import dagster as dg

from abalone_assets.lake.names import CAPTURED_REQUESTS
from abalone_assets.resources.models import ModelRegistryResource
from abalone_assets.resources.storage import LakeResource


@dg.asset(
    deps=[
        dg.AssetDep(asset, partition_mapping=dg.AllPartitionMapping())
        for asset in (CAPTURED_REQUESTS, "new_surveys")
    ],
    output_required=False,
    group_name="monitoring",
    kinds={"polars"},
    code_version="1",
    io_manager_key="json",
    check_specs=[
        dg.AssetCheckSpec(
            "errors_are_as_expected",
            asset="live_performance",
            description="On animals whose rings were counted after the endpoint had told them, the "
            "error is at most a tenth larger than out of fold, as far as can be told from them.",
        )
    ],
)
def live_performance(
    context: dg.AssetExecutionContext, lake: LakeResource, model_registry: ModelRegistryResource
) -> Iterator[dg.MaterializeResult[dict[str, Any]] | dg.AssetCheckResult]:
    """The errors on animals that were asked about first and surveyed later, in rings.

    An animal is known by its sex and measurements. Not materialized while there is no such animal.
    """
    from abalone_assets.monitoring.performance import counted_later, live_errors
    from abalone_assets.monitoring.reference import expected_errors
    from abalone_assets.monitoring.tables import asked_and_surveyed

    opened = lake.open()
    animals = counted_later(*asked_and_surveyed(opened))
    errors = live_errors(animals, expected_errors(model_registry.open().versions()))
    if errors is None:
        context.log.info("no animal that was asked about has been surveyed since")
        yield dg.AssetCheckResult(passed=True, metadata={"animals": 0})
        return
    numbers = {name: value for name, value in asdict(errors).items() if value is not None}
    yield dg.AssetCheckResult(
        passed=not errors.alarming, severity=dg.AssetCheckSeverity.WARN, metadata=numbers
    )
    yield dg.MaterializeResult(value=asdict(errors), metadata=numbers)
