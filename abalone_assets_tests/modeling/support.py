"""A survey and models trained on it, made once per test process."""

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from xgboost import Booster

from abalone_assets.modeling.archive import ModelCard, card_of, pack, write_archive
from abalone_assets.modeling.dataset import COLUMN_NAMES
from abalone_assets.modeling.inference import CARD_FILE, MODEL_FILE, model_fn
from abalone_assets.modeling.train import FittedModel, Hyperparameters, fit
from abalone_assets.sample_data import base_survey
from abalone_assets_tests.conftest import UCI_FILE

Table = dict[str, NDArray[Any]]

QUICK = Hyperparameters(eta=0.2, max_depth=3, num_boost_round=40, early_stopping_rounds=10)
CREATED_AT = "2025-03-01T12:00:00+00:00"
CSV_ROW = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15"


@cache
def survey_frame() -> pd.DataFrame:
    """The valid rows of the UCI survey, or of the bundled one where it is missing, shuffled."""
    source = UCI_FILE if UCI_FILE.exists() else base_survey()
    frame = pd.read_csv(source, header=None, names=list(COLUMN_NAMES))
    return frame[frame["height"] > 0].sample(frac=1, random_state=5).reset_index(drop=True)


def table(frame: pd.DataFrame) -> Table:
    return {name: frame[name].to_numpy() for name in COLUMN_NAMES}


def split_frames() -> dict[str, pd.DataFrame]:
    frame = survey_frame()
    return {"train": frame[:3340], "validation": frame[3340:3966], "test": frame[3966:]}


def splits() -> dict[str, Table]:
    return {name: table(frame) for name, frame in split_frames().items()}


@cache
def quick_model() -> FittedModel:
    parts = splits()
    return fit(parts["train"], parts["validation"], QUICK)


def booster_of(model: FittedModel, folder: Path) -> Booster:
    write_archive(model, folder, card_of(model, CREATED_AT))
    return model_fn(folder)


def save_bare(ubj: bytes, folder: Path) -> None:
    """A model's file and a card that only vouches for it."""
    card = {"model_sha256": hashlib.sha256(ubj).hexdigest()}
    (folder / MODEL_FILE).write_bytes(ubj)
    (folder / CARD_FILE).write_text(json.dumps(card))


def packed(model: FittedModel, folder: Path, card: ModelCard | None = None) -> Path:
    """The model's archive, ``model.tar.gz`` in a folder."""
    write_archive(model, folder / "members", card or card_of(model, CREATED_AT))
    pack(folder / "members", folder / "model.tar.gz")
    return folder / "model.tar.gz"


def one_animal(**changes: object) -> dict[str, Any]:
    """The columns of a single typical abalone."""
    values = ["M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15, 15]
    animal: dict[str, Any] = dict(zip(COLUMN_NAMES, values, strict=True)) | changes
    return {name: np.asarray([value]) for name, value in animal.items()}
