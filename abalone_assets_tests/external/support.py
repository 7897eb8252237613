"""What the entry scripts' tests share."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from abalone_assets_tests.modeling.support import split_frames


def run_module(
    name: str, *arguments: str, environ: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """An entry script as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", f"abalone_assets.external.{name}", *arguments],
        env={"PATH": os.environ["PATH"], **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
    )


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
