"""What objects of the lake are called; `lake.lake` says where they lie."""

from __future__ import annotations

from typing import Final

PARTITION_COLUMN: Final = "survey_day"
DATA_FILE: Final = "data.parquet"
