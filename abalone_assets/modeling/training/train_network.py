"""Fit the dense network of ring counts, in Keras 3 on whichever backend is installed.

Two hidden layers of rectified linear units and a linear one, Adam and the mean squared error: the
64-64-1 network of TensorFlow's `regression tutorial
<https://www.tensorflow.org/tutorials/keras/regression>`_, on the sex and the seven measurements.
"""

from __future__ import annotations

import importlib
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final
from zipfile import ZipFile, ZipInfo

import numpy as np

from abalone_assets import survey
from abalone_assets.errors import AbaloneError
from abalone_assets.modeling.dataset import is_surveyed, row_keys, take, target
from abalone_assets.modeling.features import design_matrix
from abalone_assets.modeling.hyperparameters import HyperparameterError, NetworkHyperparameters
from abalone_assets.modeling.learnt import Learnt, Progress
from abalone_assets.modeling.models.network import NETWORK_FILE, NetworkModel
from abalone_assets.modeling.scores import rmse

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.models.model import Model

    _Standards = tuple[NDArray[np.float64], NDArray[np.float64]]

FEATURES: Final = (*(f"sex_{sex}" for sex in survey.SEXES), *survey.MEASUREMENTS)
OBJECTIVE: Final = "mean_squared_error"
WATCHED_PART: Final = 7
"""One animal in so many is not learnt from, so as to know when to stop.

Not the validation split: that calibrates the intervals, and would look too good to a network that
had stopped by it.
"""
_NO_DATE: Final = "1980-01-01@00:00:00"
KERAS_FILE: Final = "model.keras"
"""The same network for whoever wants to go on in Keras; nothing here reads it."""


class KerasMissingError(AbaloneError):
    """Keras, or the backend that it should compute with, is not installed."""


def learn(
    train: Columns,
    weights: NDArray[np.float64],
    validation: Columns,
    chosen: NetworkHyperparameters,
    on_progress: Progress | None = None,
) -> Learnt:
    """Learn from most training rows until the RMSE of the others stops falling.

    The others are those of `WATCHED_PART`. Keras learns and NumPy scores: what is reported, and
    what decides when to stop, is what the archive's arrays answer. Same data, seed and backend give
    the same arrays on the same processor.

    Args:
        train: The nine survey columns by name, at least one row. Those that are learnt from give
            the means and standard deviations that measurements are standardised by.
        weights: How much each of them counts, ``(n,)``.
        validation: Rows that are scored after every epoch, and decide nothing.
        chosen: How to learn.
        on_progress: See `Progress`.

    Raises:
        KerasMissingError: The extra ``keras`` is not installed.
        FeatureError: A column is missing or holds an impossible value.
        DatasetError: A split has no rows or no usable rings.
        HyperparameterError: The network diverged.
    """
    keras = _keras()
    scored = {"train": _split(train), "validation": _split(validation)}
    network, best = _fitted(keras, train, weights, chosen, scored, on_progress)
    return Learnt(
        model=best.model,
        files={
            NETWORK_FILE: best.model.to_npz(),
            KERAS_FILE: _saved(keras, network, best.model),
        },
        versions=network_versions(),
        objective=OBJECTIVE,
        best_iteration=best.epoch,
        history=best.history,
    )


def network_versions() -> dict[str, str]:
    """The versions of Keras and of its backend, by name, as networks learn with.

    Raises:
        KerasMissingError: The extra ``keras`` is not installed.
    """
    keras = _keras()
    backend = keras.config.backend()
    return {
        "keras": keras.__version__,
        backend: str(importlib.import_module(backend).__version__),
    }


def fit_network(
    columns: Columns, weights: NDArray[np.float64], chosen: NetworkHyperparameters
) -> Model:
    """The network that `learn` makes of the same rows, without its files; errors as there."""
    return _fitted(_keras(), columns, weights, chosen, {})[1].model


def _fitted(
    keras: Any,  # noqa: ANN401 - imported where it is needed
    columns: Columns,
    weights: NDArray[np.float64],
    chosen: NetworkHyperparameters,
    scored: Mapping[str, _Split],
    on_progress: Progress | None = None,
) -> tuple[Any, _Best]:
    """The Keras network after its last epoch, and its best epoch by the watched rows.

    ``Sequential.fit`` would shuffle by the backend's global seed, and its callbacks would score by
    another arithmetic than the one that answers.

    Args:
        keras: See `_keras`.
        columns: The rows, of which most are learnt from; see `_watched`.
        weights: How much each of them counts, ``(n,)``.
        chosen: How to learn.
        scored: What is told of after every epoch, by name.
        on_progress: See `Progress`.
    """
    watched = _watched(columns)
    some = watched.any() and not watched.all()
    if some:
        learnt = _split(take(columns, ~watched), weights[~watched])
        stop_by = _split(take(columns, watched))
    else:
        learnt = stop_by = _split(columns, weights)
    standards = _standards(learnt.matrix)
    network = _network(keras, chosen, standards, float(learnt.rings.mean()))
    random = np.random.default_rng(chosen.seed)
    best = _Best(_as_numpy(network, standards), {name: [] for name in scored})
    with _one_thread(keras):
        for epoch in range(chosen.epochs):
            _learn_epoch(network, learnt, chosen.batch_size, random)
            model = _as_numpy(network, standards)
            scores = {name: _rmse(model, split) for name, split in scored.items()}
            for name, score in scores.items():
                best.history[name].append(score)
            if on_progress:
                on_progress(epoch + 1, scores)
            error = _rmse(model, stop_by)
            if error < best.rmse:
                best.model, best.epoch, best.rmse = model, epoch, error
            elif epoch - best.epoch >= chosen.patience:
                break
    if not np.isfinite(best.rmse):
        raise HyperparameterError(
            f"the network diverged: use a learning_rate below {chosen.learning_rate:g}"
        )
    return network, best


def _watched(columns: Columns) -> NDArray[np.bool_]:
    """The rows to stop by, which their keys choose; simulated ones only where all are.

    By the upper half of the keys, 32 bits that `cross_fit` deals no folds by: else a fold of seven
    would hold all of these rows, and leave none to the network that predicts it.
    """
    chosen = np.asarray((row_keys(columns) >> np.uint64(32)) % WATCHED_PART == 0)
    surveyed = is_surveyed(columns)
    return chosen & surveyed if surveyed.any() else chosen


@dataclass(frozen=True)
class _Split:
    """Features ``(rows, features)``, counted rings ``(rows,)`` and how much each counts."""

    matrix: NDArray[np.float32]
    rings: NDArray[np.float64]
    weights: NDArray[np.float64] | None = None


def _split(columns: Columns, weights: NDArray[np.float64] | None = None) -> _Split:
    return _Split(design_matrix(columns, FEATURES), target(columns), weights)


@dataclass
class _Best:
    """The epoch, from 0, of the least RMSE so far; its model; and all epochs' RMSE, by split."""

    model: NetworkModel
    history: dict[str, list[float]]
    epoch: int = 0
    rmse: float = np.inf


def _keras() -> Any:  # noqa: ANN401 - imported where it is needed
    """Keras, on the backend of ``KERAS_BACKEND`` or else on the one that is installed."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow" if find_spec("tensorflow") else "torch")
    try:
        return importlib.import_module("keras")
    except ImportError as error:
        raise KerasMissingError(
            f"framework tensorflow needs Keras 3 with the backend {os.environ['KERAS_BACKEND']}: "
            f"pip install 'abalone-assets[keras]' ({error})"
        ) from error


@contextmanager
def _one_thread(keras: Any) -> Iterator[None]:  # noqa: ANN401 - imported where it is needed
    """Let PyTorch compute in one thread, if it is the backend.

    Steps of this size gain nothing from more, wait long for each other where processors are busy,
    and would make the sums depend on the number of processors.
    """
    if keras.config.backend() != "torch":
        yield
        return
    torch = importlib.import_module("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _standards(matrix: NDArray[np.float32]) -> _Standards:
    """What is subtracted from each feature, and what it is then divided by: ``(features,)`` each.

    Mean and standard deviation of each measurement; the indicators of sex stay 0 and 1.

    A sex that no training row has must not be divided by a spread of nought, and neither must a
    measurement that never varies.
    """
    values = matrix.astype(np.float64)
    measured = np.isin(FEATURES, survey.MEASUREMENTS)
    spread = values.std(axis=0)
    mean = np.where(measured, values.mean(axis=0), 0.0)
    return mean, np.where(measured & (spread > 0), spread, 1.0)


def _network(
    keras: Any,  # noqa: ANN401 - imported where it is needed
    chosen: NetworkHyperparameters,
    standards: _Standards,
    mean_rings: float,
) -> Any:  # noqa: ANN401 - a keras.Sequential
    """The network before its first step: it starts from the mean of the rings."""
    mean, scale = standards

    def dense(layer: int, units: int, **options: Any) -> Any:  # noqa: ANN401 - Keras' own
        # Own seeds, rather than Keras' global one, leave the process' random state alone.
        kernel = keras.initializers.GlorotUniform(seed=3 * chosen.seed + layer)
        return keras.layers.Dense(units, kernel_initializer=kernel, **options)

    network = keras.Sequential(
        [
            keras.Input((len(FEATURES),), name="features"),
            keras.layers.Normalization(mean=mean, variance=scale**2, name="standardised"),
            dense(0, chosen.hidden_units, activation="relu", name="hidden_1"),
            dense(1, chosen.hidden_units, activation="relu", name="hidden_2"),
            dense(2, 1, bias_initializer=keras.initializers.Constant(mean_rings), name="rings"),
        ],
        name="abalone_rings",
    )
    adam = keras.optimizers.Adam(chosen.learning_rate)
    network.compile(adam, loss=OBJECTIVE, jit_compile=False)
    return network


def _rmse(model: NetworkModel, split: _Split) -> float:
    return rmse(model.predict(split.matrix), split.rings)


def _learn_epoch(network: Any, split: _Split, batch_size: int, random: np.random.Generator) -> None:  # noqa: ANN401 - a keras.Sequential
    order = random.permutation(split.rings.size)
    rings = split.rings.astype(np.float32)[:, np.newaxis]
    weights = np.ones(order.size) if split.weights is None else split.weights
    for start in range(0, order.size, batch_size):
        rows = order[start : start + batch_size]
        network.train_on_batch(split.matrix[rows], rings[rows], sample_weight=weights[rows])


def _as_numpy(network: Any, standards: _Standards) -> NetworkModel:  # noqa: ANN401 - a keras.Sequential
    """A copy of what the network has learnt so far."""
    arrays = [variable.numpy() for variable in network.trainable_variables]
    layers = tuple(zip(arrays[::2], arrays[1::2], strict=True))
    return NetworkModel(FEATURES, *standards, layers)


def _saved(keras: Any, network: Any, model: NetworkModel) -> bytes:  # noqa: ANN401 - imported where it is needed
    """The network with the model's weights as a ``.keras`` file, without Adam's state."""
    learnt = [array for layer in model.layers for array in layer]
    for variable, array in zip(network.trainable_variables, learnt, strict=True):
        variable.assign(array)
    with TemporaryDirectory() as folder:
        path = Path(folder) / KERAS_FILE
        keras.Model(network.inputs, network.outputs, name=network.name).save(path)
        return _timeless(path.read_bytes())


def _timeless(saved: bytes) -> bytes:
    """A ``.keras`` file, a ZIP archive, without times: equal networks are equal bytes."""
    written = BytesIO()
    with ZipFile(BytesIO(saved)) as old, ZipFile(written, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "metadata.json":
                told = {**json.loads(content), "date_saved": _NO_DATE}
                content = json.dumps(told).encode()
            new.writestr(ZipInfo(name), content)  # of 1980, as ZIP's time begins
    return written.getvalue()
