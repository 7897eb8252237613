"""What objects of the lake are called; `lake.lake` says where they lie."""

from __future__ import annotations

from typing import Final

PARTITION_COLUMN: Final = "survey_day"
DATA_FILE: Final = "data.parquet"
CATALOG_SCHEMA: Final = "abalone_lake"

CAPTURED_REQUESTS: Final = "captured_requests"
DRIFT_REPORT: Final = "drift_report"
UNAGED_ANIMALS: Final = "unaged_animals"
QUARANTINED_ANIMALS: Final = "quarantined_animals"
AGED_ANIMALS: Final = "aged_animals"
LIVE_PERFORMANCE: Final = "live_performance"
_OTHER_PARTITION_COLUMNS: Final = {CAPTURED_REQUESTS: "request_day"}


def partition_column(asset: str) -> str:
    """What the folders of an asset's partitions, and the column of these days, are called."""
    return _OTHER_PARTITION_COLUMNS.get(asset, PARTITION_COLUMN)
