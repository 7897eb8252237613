"""Two real versions of a lake with splits, made once: a better model after a worse one."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import pandas as pd

from abalone_assets.lake.lake import Lake
from abalone_assets.modeling.hyperparameters import BoosterHyperparameters
from abalone_assets.modeling.training.train import fit
from abalone_assets_tests.modeling.support import packed, survey_frame
from abalone_assets_tests.serving.support import CREATED_AT, register

if TYPE_CHECKING:
    from abalone_assets.registry.folder import FolderRegistry

SIZES: Final = {"train_split": 400, "validation_split": 80, "test_split": 120}


def parts() -> dict[str, pd.DataFrame]:
    """The splits: surveyed rows of one file, no row in two of them."""
    frame = survey_frame().assign(source_file="abalone.data", origin="surveyed")
    found, first = {}, 0
    for name, size in SIZES.items():
        found[name] = frame[first : first + size]
        first += size
    return found


def write_splits(lake: Lake) -> None:
    """The splits of a release."""
    for name, part in parts().items():
        path = Path(lake.uri(name))
        path.parent.mkdir(parents=True, exist_ok=True)
        part.to_parquet(path, index=False)


def archive_of(rounds: int, *, folds: int = 2) -> bytes:
    """A model of the training split, the better the more rounds it has."""
    columns = {
        name: {str(column): part[column].to_numpy() for column in part}
        for name, part in parts().items()
    }
    chosen = BoosterHyperparameters(num_boost_round=rounds, eta=0.3, folds=folds)
    model = fit(
        "xgboost",
        columns["train_split"],
        columns["validation_split"],
        chosen,
        created_at=CREATED_AT.isoformat(),
    )
    with TemporaryDirectory() as folder:
        return packed(model, Path(folder)).read_bytes()


def register_two(registry: FolderRegistry) -> None:
    """Version 1, which learnt for one round, and version 2, which learnt for twelve."""
    for rounds in (1, 12):
        register(registry, archive_of(rounds))
