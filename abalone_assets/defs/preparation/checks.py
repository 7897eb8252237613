"""The conservation laws of the preparation, counted again in what was written."""

import dagster as dg
import polars as pl

from abalone_assets.etl.request import SPLIT_PERCENT
from abalone_assets.resources.storage import LakeResource


@dg.asset_check(
    asset="merged_dataset",
    blocking=True,
    description="Rows ingested = rows read; rows read = rows merged + exact repeats removed.",
)
def rows_are_conserved(lake: LakeResource) -> dg.AssetCheckResult:
    """Compare the manifest's counts with the preparation's and with the merged rows themselves."""
    opened = lake.open()
    record = opened.preparation()
    merged = (
        pl.scan_parquet(opened.uri("merged_dataset"), glob=False).select(pl.len()).collect().item()
    )
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
    """Count the splits' rows, and the distinct rows of all of them together."""
    opened = lake.open()
    splits = {name: pl.read_parquet(opened.uri(name), glob=False) for name in SPLIT_PERCENT}
    distinct = pl.concat(list(splits.values())).n_unique()
    merged = (
        pl.scan_parquet(opened.uri("merged_dataset"), glob=False).select(pl.len()).collect().item()
    )
    counts = {name: len(frame) for name, frame in splits.items()}
    return dg.AssetCheckResult(
        passed=distinct == sum(counts.values()) == merged,
        metadata={"merged": merged, "distinct": distinct, **counts},
    )
