"""What the entry scripts' tests share."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from abalone_assets.external.reporting import Reporter
from abalone_assets_tests.modeling.support import split_frames


class Listener(Reporter):
    """A reporter that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[dict[str, Any], str | None]] = []

    def report_metadata(
        self,
        metadata: Mapping[str, Any],
        data_version: str | None = None,
    ) -> None:
        self.told.append((dict(metadata), data_version))


def training_environment(folder: Path, rows: int | None = None) -> dict[str, str]:
    """SageMaker's variables, with the real survey, or its first rows, in the channels."""
    for name in ("train", "validation"):
        (folder / name).mkdir()
        split_frames()[name][:rows].to_parquet(folder / name / "part-0.parquet")
    return {
        "SM_CHANNEL_TRAIN": str(folder / "train"),
        "SM_CHANNEL_VALIDATION": str(folder / "validation"),
        "SM_MODEL_DIR": str(folder / "model"),
        "SM_OUTPUT_DATA_DIR": str(folder / "data"),
        "SOURCE_DATE_EPOCH": "1740830400",
    }
