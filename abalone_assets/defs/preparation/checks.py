"""The preparation's conservation laws, counted again in what was written; its simulated share."""

from typing import TYPE_CHECKING

import dagster as dg

from abalone_assets.etl.request import SPLIT_PERCENT
from abalone_assets.resources.storage import LakeResource

if TYPE_CHECKING:
    from abalone_assets.etl.request import PrepareReport

MAX_SYNTHETIC_SHARE = 1 / 3
"""Of the rows of ``merged_dataset``. Training caps the weight of simulated rows however many there
are, so more of them add nothing: a flood is likelier a mistake than a wish."""


@dg.asset_check(
    asset="merged_dataset",
    blocking=True,
    description="Rows ingested = rows read; rows read = rows merged + exact repeats removed.",
)
def rows_are_conserved(lake: LakeResource) -> dg.AssetCheckResult:
    """Compare the manifest's counts with the preparation's and with the merged rows themselves."""
    from abalone_assets.ingest.frames import rows_written

    opened = lake.open()
    record = opened.preparation()
    merged = rows_written(opened.uri("merged_dataset"))
    return dg.AssetCheckResult(
        passed=record.rows_ingested == record.rows_in == merged + record.repeats,
        metadata={
            "ingested": record.rows_ingested,
            "read": record.rows_in,
            "merged": merged,
            "repeats_removed": record.repeats,
        },
    )


@dg.asset_check(
    asset="merged_dataset",
    blocking=True,
    additional_deps=[*SPLIT_PERCENT],
    description="Every merged row is in exactly one of the three splits.",
)
def splits_partition_the_rows(lake: LakeResource) -> dg.AssetCheckResult:
    """Count all rows, and the distinct ones of the splits; read what no earlier look has read."""
    from abalone_assets.etl.partition import looked_at, partition_of, record_look

    opened = lake.open()
    found = partition_of(opened, looked_at(opened))
    record_look(opened, found)
    return dg.AssetCheckResult(
        passed=found.holds,
        metadata={
            "merged": found.merged,
            "distinct": found.distinct,
            "read": found.read,
            **found.splits,
        },
    )


def synthetic_share_is_small(report: "PrepareReport") -> dg.AssetCheckResult:
    """Judge how much of ``merged_dataset`` is simulated, by the report of its preparation."""
    return dg.AssetCheckResult(
        asset_key="merged_dataset",
        check_name="synthetic_share_is_small",
        passed=report.synthetic_share <= MAX_SYNTHETIC_SHARE,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "rows": report.rows["merged_dataset"],
            "synthetic_rows": report.synthetic_rows,
            "synthetic_share": report.synthetic_share,
        },
    )
