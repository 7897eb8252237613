"""A survey and models trained on it, made once per test process, and models without training."""

import hashlib
import io
import json
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from abalone_assets.modeling.archive import ArchivedModel, pack, write_archive
from abalone_assets.modeling.card import FittedModel, ModelCard
from abalone_assets.modeling.dataset import COLUMN_NAMES, row_keys, rows_sha256, take
from abalone_assets.modeling.evaluation.evaluate import Splits
from abalone_assets.modeling.features import Columns, design_matrix
from abalone_assets.modeling.framework import framework_named
from abalone_assets.modeling.hyperparameters import (
    BlendHyperparameters,
    BoosterHyperparameters,
    NetworkHyperparameters,
)
from abalone_assets.modeling.learnt import score_splits
from abalone_assets.modeling.loading import load_model
from abalone_assets.modeling.models.booster import BOOSTER_FILE, BoosterModel
from abalone_assets.modeling.models.intervals import Intervals
from abalone_assets.modeling.models.model import CARD_FILE, Model
from abalone_assets.modeling.models.network import NETWORK_FILE, NetworkModel
from abalone_assets.modeling.models.out_of_fold import OutOfFold
from abalone_assets.modeling.training.train import fit
from abalone_assets.modeling.training.train_network import FEATURES
from abalone_assets.sample_data import base_survey
from abalone_assets.survey.origin import SURVEYED, SYNTHETIC
from abalone_assets_tests.conftest import UCI_FILE

Table = dict[str, NDArray[Any]]

QUICK = BoosterHyperparameters(eta=0.2, max_depth=3, num_boost_round=40, folds=2)
TINY = {"num_boost_round": 8, "eta": 0.3, "max_depth": 3, "folds": 0}
QUICK_BLEND = BlendHyperparameters(**vars(QUICK), landmarks=60)
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


def first_rows(count: int, split: str = "train") -> Table:
    return take(splits()[split], np.arange(count))


def card(framework: str = "xgboost", digest: str = "a" * 64, **changed: Any) -> ModelCard:
    """The card of a model that nobody trained, but for some of its entries."""
    made = ModelCard(
        framework=framework,
        versions={"xgboost": "3"},
        objective="count:poisson",
        hyperparameters=TINY if framework == "xgboost" else {},
        best_iteration=7,
        metrics={"train": {"rmse": 2.0, "mae": 1.5}, "validation": {"rmse": 2.1, "mae": 1.6}},
        rows={"train": 300, "validation": 80},
        training_mean_rings=9.9,
        training_rows_sha256="b" * 64,
        model_sha256=digest,
        created_at=CREATED_AT,
    )
    return replace(made, **changed)


@cache
def quick_model() -> FittedModel:
    """Boosted trees."""
    parts = splits()
    return fit("xgboost", parts["train"], parts["validation"], QUICK, created_at=CREATED_AT)


@cache
def quick_blend() -> FittedModel:
    parts = splits()
    return fit("blend", parts["train"], parts["validation"], QUICK_BLEND, created_at=CREATED_AT)


@cache
def quick_network() -> FittedModel:
    """A network without Keras: its hidden layers are drawn, its last one is solved for."""
    parts = {name: splits()[name] for name in ("train", "validation")}
    matrix, rings = design_matrix(parts["train"], FEATURES), parts["train"]["rings"].astype(float)
    random = np.random.default_rng(7)
    shapes = ((len(FEATURES), 32), (32, 32))
    hidden = [(random.normal(0, shape[0] ** -0.5, shape), np.zeros(32)) for shape in shapes]
    mean, scale = matrix.mean(axis=0, dtype=float), matrix.std(axis=0, dtype=float)
    signal = (matrix - mean) / scale
    for kernel, _ in hidden:
        signal = np.maximum(signal @ kernel, 0)
    solved = np.linalg.lstsq(np.column_stack([signal, np.ones(rings.size)]), rings, rcond=None)[0]
    layers = (*hidden, (solved[:-1, np.newaxis], solved[-1:]))
    model = NetworkModel(FEATURES, mean, scale, layers)
    served = model.to_npz()
    papers = card(
        "tensorflow",
        hashlib.sha256(served).hexdigest(),
        versions={"keras": "none"},
        hyperparameters=asdict(NetworkHyperparameters()),
        metrics=score_splits(model, parts),
        rows={name: part["rings"].size for name, part in parts.items()},
        training_rows_sha256=rows_sha256(parts["train"]),
    )
    files = {NETWORK_FILE: served, "model.keras": b"as Keras saves it"}
    return FittedModel(papers, FEATURES, files, {"train": [2.0], "validation": [2.0]})


def ubj(model: FittedModel) -> bytes:
    return model.files[BOOSTER_FILE]


def loaded(model: FittedModel, folder: Path) -> Model:
    """The model as it is read back from its archive."""
    write_archive(model, folder)
    return load_model(folder)


def booster_of(model: FittedModel, folder: Path) -> BoosterModel:
    booster = loaded(model, folder)
    assert isinstance(booster, BoosterModel)
    return booster


def save_bare(data: bytes, folder: Path, framework: str = "xgboost", **entries: object) -> None:
    """A model's file and a card that vouches for it, and says little else."""
    card = {"framework": framework, "model_sha256": hashlib.sha256(data).hexdigest(), **entries}
    (folder / framework_named(framework).file).write_bytes(data)
    (folder / CARD_FILE).write_text(json.dumps(card))


def resaved(npz: bytes, **changes: object) -> bytes:
    """The arrays of a file with some of them changed, or left out where None, as anybody might."""
    with np.load(io.BytesIO(npz)) as arrays:
        kept = {name: arrays[name] for name in arrays} | changes
    file = io.BytesIO()
    np.savez(file, **{name: value for name, value in kept.items() if value is not None})
    return file.getvalue()


def packed(model: FittedModel, folder: Path) -> Path:
    """The model's archive, ``model.tar.gz`` in a folder."""
    write_archive(model, folder / "members")
    pack(folder / "members", folder / "model.tar.gz")
    return folder / "model.tar.gz"


def one_animal(**changes: object) -> dict[str, Any]:
    """The columns of a single typical abalone."""
    values = ["M", 0.455, 0.365, 0.095, 0.514, 0.2245, 0.101, 0.15, 15]
    animal: dict[str, Any] = dict(zip(COLUMN_NAMES, values, strict=True)) | changes
    return {name: np.asarray([value]) for name, value in animal.items()}


@dataclass(frozen=True)
class ShellModel:
    """Tells rings from the shell's weight alone; off by ``shift`` rings."""

    shift: float = 0.0
    explains: bool = True

    @property
    def features(self) -> tuple[str, ...]:
        return ("shell_weight", "length")

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        return 6.5 + 14.5 * np.asarray(matrix[:, 0], dtype=np.float64) + self.shift

    def importance(self) -> dict[str, float] | None:
        return {"length": 0.0, "shell_weight": 1.0} if self.explains else None

    def contributions(self, matrix: NDArray[np.float32]) -> NDArray[np.float64] | None:
        if not self.explains:
            return None
        effect = np.asarray(matrix[:, 0], dtype=np.float64) - 0.2
        return np.column_stack([effect, np.zeros_like(effect), np.full_like(effect, 2.0)])


def rows(first: int, last: int, source: str = "abalone.data", origin: str = SURVEYED) -> Table:
    """Some rows of the survey with their origin."""
    part = table(survey_frame()[first:last])
    count = last - first
    return {
        **part,
        "source_file": np.asarray([source] * count, dtype=object),
        "origin": np.asarray([origin] * count, dtype=object),
    }


def small_splits() -> Splits:
    return Splits(train=rows(0, 300), validation=rows(300, 380), test=rows(380, 580))


def simulated(part: Columns, count: int) -> Table:
    """The same rows, the first few of them simulated."""
    origin = np.array(part["origin"], dtype=object)
    origin[:count] = SYNTHETIC
    return {**{name: np.asarray(values) for name, values in part.items()}, "origin": origin}


def judged(shift: float = 0.0, **changed: Any) -> ArchivedModel:
    """A model that is off by so many rings, with its papers."""
    given: dict[str, Any] = {"model": ShellModel(shift), "card": card(), **changed}
    return ArchivedModel(**given)


def intervals(log_ratio: float = 0.35) -> Intervals:
    return Intervals(0.9, dict.fromkeys("MFI", (-log_ratio, log_ratio)))


def out_of_fold(columns: Columns, predicted: NDArray[np.float64]) -> OutOfFold:
    return OutOfFold(row_keys(columns), predicted, 5)
