"""A version's archive as a folder that MLflow loads as a pyfunc."""

from __future__ import annotations

import platform
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from abalone_assets import survey
from abalone_assets.modeling.archive import card_in, extract

if TYPE_CHECKING:
    from abalone_assets.modeling.card import ModelCard

_ANSWERS_WITH: Final = ("numpy", "xgboost")
"""What an archive's code may need, by the names under which cards keep their versions."""


def package(archive: bytes, folder: Path) -> ModelCard:
    """Write the model that an archive holds, with signature and example, as MLflow lays it out.

    Args:
        archive: The bytes of ``model.tar.gz``.
        folder: Gets ``archive`` and ``model``; the latter is what MLflow takes.

    Raises:
        ModelArchiveError: The archive is damaged.
        StorageError: It cannot be unpacked at present.
    """
    import mlflow.pyfunc
    import pandas as pd
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema, TensorSpec

    unpacked = folder / "archive"
    extract(archive, unpacked)
    card = card_in(unpacked)
    asked: list[ColSpec | TensorSpec] = [
        ColSpec("double" if name in survey.MEASUREMENTS else "string", name)
        for name in survey.FEATURES
    ]
    names = ["rings", "age_years", *(["rings_low", "rings_high"] if card.intervals else [])]
    told: list[ColSpec | TensorSpec] = [ColSpec("double", name) for name in names]
    mlflow.pyfunc.save_model(
        folder / "model",
        python_model=str(Path(__file__).with_name("pyfunc.py")),
        artifacts={"archive": str(unpacked)},
        signature=ModelSignature(Schema(asked), Schema(told)),
        input_example=pd.DataFrame([dict(zip(survey.FEATURES, _EXAMPLE, strict=True))]),
        conda_env=_environment(card),
    )
    return card


_EXAMPLE: Final = ("M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15)


def _environment(card: ModelCard) -> dict[str, Any]:
    """What the archive's code needs, in the versions that the model was trained with."""
    import mlflow
    import pandas as pd

    homes = packages_distributions()
    needed = {
        homes.get(name, [name])[0]: card.versions[name]
        for name in _ANSWERS_WITH
        if name in card.versions
    }
    python = card.versions.get("python", platform.python_version())
    pinned = [f"{name}=={version}" for name, version in needed.items()]
    pip = [f"mlflow=={mlflow.__version__}", f"pandas=={pd.__version__}", *pinned]
    return {
        "name": "abalone",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": pip}],
    }
