"""What requests are compared with: the training split, and the live model's predictions."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets.modeling.archive import read_archived
from abalone_assets.monitoring.drift import Reference
from abalone_assets.survey import FEATURES
from abalone_assets.survey.origin import SYNTHETIC

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion

_NONE: Final = np.empty(0)


def reference_of(split: pl.DataFrame, registry: ModelRegistry, version: int | None) -> Reference:
    """The surveyed animals of the training split, and the live version's out-of-fold predictions.

    Raises:
        StorageError: The version is unknown, or its archive was lost.
        ModelArchiveError: Its archive is damaged.
    """
    import polars as pl

    surveyed = split.filter(pl.col("origin") != SYNTHETIC)
    columns: dict[str, Any] = {name: surveyed[name].to_numpy() for name in FEATURES}
    return Reference(
        columns, _NONE if version is None else _predicted(registry.read_model(version))
    )


def _predicted(archive: bytes) -> Any:  # noqa: ANN401 - an array
    with TemporaryDirectory() as folder:
        path = Path(folder) / "model.tar.gz"
        path.write_bytes(archive)
        table = read_archived(path).out_of_fold
    return _NONE if table is None else table.predicted


def expected_errors(versions: Sequence[ModelVersion]) -> dict[int, float]:
    """The out-of-fold RMSE, in rings, of each version that tells it."""
    told = {each.version: each.evaluation.get("out_of_fold") or {} for each in versions}
    return {version: float(of["rmse"]) for version, of in told.items() if "rmse" in of}
