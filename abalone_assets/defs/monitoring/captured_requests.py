"""What the endpoint was asked and answered, day by day."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from abalone_assets.automation.runs import DEPLOYED_ASSET
from abalone_assets.defs.metadata import add_partitions_metadata, preview, table_metadata
from abalone_assets.defs.partitions import days_of_run, request_days
from abalone_assets.lake.names import CAPTURED_REQUESTS as ASSET
from abalone_assets.resources.captures import CapturesResource
from abalone_assets.resources.catalog import Catalog
from abalone_assets.resources.storage import LakeResource


@dg.asset(
    partitions_def=request_days,
    backfill_policy=dg.BackfillPolicy.single_run(),
    deps=[DEPLOYED_ASSET],
    group_name="monitoring",
    kinds={"polars", "parquet"},
    code_version="1",
    metadata=table_metadata(ASSET),
    check_specs=[
        dg.AssetCheckSpec(
            "requests_are_readable",
            asset=ASSET,
            description="Every captured line can be read: it holds animals and answers, or says "
            "why the request was refused.",
        )
    ],
)
def captured_requests(
    context: dg.AssetExecutionContext,
    captures: CapturesResource,
    lake: LakeResource,
    catalog: Catalog,
) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
    """A row for each animal that the endpoint was asked about on a day, with the answer.

    Read from the endpoint's data capture. Of a request that this machine's server refused there is
    a row that says why; SageMaker's capture has none of these, only CloudWatch counts them.

    A day whose capture files are gone, as they are after some months, keeps the rows that were read
    of it.
    """
    from abalone_assets.monitoring.days import delete_old, read_day
    from abalone_assets.monitoring.report import reasons_of

    opened, found = lake.open(), captures.open()
    counts = {"lines": 0, "unreadable": 0, "outside_contract": 0}
    shown: dict[str, dict[str, Any]] = {}
    for day in days_of_run(context):
        rows = read_day(found, opened, day)
        if rows is None:
            context.log.info("%s: its capture files are gone; its rows stay", day)
            continue
        animals, reasons = rows["problem"].null_count(), reasons_of(rows)
        outside = sum(reasons.values())
        counts["lines"] += rows["source_file", "line"].n_unique()
        counts["unreadable"] += len(rows) - animals - outside
        counts["outside_contract"] += outside
        shown[day] = {
            "dagster/row_count": animals,
            "unreadable": len(rows) - animals - outside,
            "outside_contract": outside,
            **{
                f"outside_contract_{name.replace(' ', '_')}": each for name, each in reasons.items()
            },
            "preview": preview(rows),
        }
        context.log.info("%s: %d animals, %d requests refused", day, animals, outside)
    add_partitions_metadata(context, ASSET, shown)
    yield dg.MaterializeResult(asset_key=ASSET)
    yield dg.AssetCheckResult(
        check_name="requests_are_readable",
        passed=not counts["unreadable"],
        severity=dg.AssetCheckSeverity.WARN,
        metadata=counts,
    )
    if captures.keep_days:
        kept_from = datetime.now(UTC).date() - timedelta(days=captures.keep_days)
        for day in delete_old(found, opened, kept_from):
            context.log.info("%s: deleted its capture files, which are in the lake", day)
    catalog.refresh_or_warn(context)
