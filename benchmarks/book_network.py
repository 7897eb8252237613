"""The network of Potgieter, *Automated Machine Learning on AWS* (Packt, 2022), chapters 8 and 9.

Sixty-four, sixty-four and one units, Adam and the mean squared error, 200 epochs in batches of
eight, as the book's training script has them. So are its inputs: eight columns, each *row* scaled
to length 1 by scikit-learn's ``normalize``. The eighth is what is left of the sex: Spark's encoder
drops the rarest one, and the export one of the two remaining columns, so that the commonest sex is
told from the other two.

Written in NumPy, with Keras' initial weights and Keras' Adam: 94,000 steps of eight rows are a
framework's overhead and little else, and Keras takes half an hour for ten folds of them. Step by
step the weights are those of Keras, to rounding.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from abalone_assets import survey
from abalone_assets.modeling.dataset import target

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns

    Array = NDArray[np.float32]
    Layer = tuple[Array, Array]

SIZES: Final = (len(survey.FEATURES), 64, 64, 1)
EPOCHS: Final = 200
BATCH_ROWS: Final = 8
KERAS_NORMAL_STDDEV: Final = 0.05
RATE, DECAY, SQUARE_DECAY, EPSILON = 1e-3, 0.9, 0.999, 1e-7  # Keras' Adam


def fit_book_network(
    train: Columns, epochs: int = EPOCHS, seed: int = 0
) -> Callable[[Columns], NDArray[np.float64]]:
    """Train the network; returns what predicts rings with it."""
    sexes, counts = np.unique(np.asarray(train["sex"], dtype=str), return_counts=True)
    commonest = str(sexes[counts.argmax()])
    random = np.random.default_rng(seed)
    network = BookNetwork(random)
    inputs, rings = _inputs(train, commonest), target(train).astype(np.float32)[:, np.newaxis]
    for _ in range(epochs):
        order = random.permutation(len(rings))
        for start in range(0, len(rings), BATCH_ROWS):
            rows = order[start : start + BATCH_ROWS]
            network.step(inputs[rows], rings[rows])
    return lambda columns: network.predict(_inputs(columns, commonest))


class BookNetwork:
    """The dense network and the state of its optimiser.

    Its parameters, their gradients and their moments are one vector each, so that Adam takes a
    handful of operations; the layers' kernels and biases are views of these.
    """

    def __init__(self, random: np.random.Generator) -> None:
        count = sum((fan_in + 1) * fan_out for fan_in, fan_out in pairwise(SIZES))
        self._parameters, self._gradients, self._mean, self._square = np.zeros(
            (4, count), dtype=np.float32
        )
        self.layers = _views(self._parameters)
        self._slopes = _views(self._gradients)
        self._steps = 0
        for number, (kernel, _) in enumerate(self.layers):
            glorot = np.sqrt(6 / sum(kernel.shape))
            kernel[:] = (
                random.uniform(-glorot, glorot, kernel.shape)
                if number
                else random.normal(0, KERAS_NORMAL_STDDEV, kernel.shape)
            )

    def step(self, inputs: Array, rings: Array) -> None:
        """One step down the mean squared error of a batch."""
        signals = self._forward(inputs)
        slope = 2 * (signals[-1] - rings) / np.float32(len(rings))
        for (kernel, _), (kernel_slope, bias_slope), signal in zip(
            reversed(self.layers), reversed(self._slopes), reversed(signals[:-1]), strict=True
        ):
            np.matmul(signal.T, slope, out=kernel_slope)
            slope.sum(axis=0, out=bias_slope)
            slope = (slope @ kernel.T) * (signal > 0)
        self._descend()

    def predict(self, inputs: Array) -> NDArray[np.float64]:
        """The rings predicted for each row."""
        return np.asarray(self._forward(inputs)[-1][:, 0], dtype=np.float64)

    def _forward(self, inputs: Array) -> list[Array]:
        """The signal before each layer, and the answer."""
        signals = [inputs]
        for kernel, bias in self.layers[:-1]:
            signals.append(np.maximum(signals[-1] @ kernel + bias, 0))
        kernel, bias = self.layers[-1]
        return [*signals, signals[-1] @ kernel + bias]

    def _descend(self) -> None:
        self._steps += 1
        self._mean += (self._gradients - self._mean) * np.float32(1 - DECAY)
        self._square += (self._gradients**2 - self._square) * np.float32(1 - SQUARE_DECAY)
        rate = RATE * np.sqrt(1 - SQUARE_DECAY**self._steps) / (1 - DECAY**self._steps)
        self._parameters -= np.float32(rate) * self._mean / (np.sqrt(self._square) + EPSILON)


def _views(flat: Array) -> list[Layer]:
    """Kernel and bias of each layer, as parts of one vector."""
    layers, start = [], 0
    for fan_in, fan_out in pairwise(SIZES):
        middle, stop = start + fan_in * fan_out, start + (fan_in + 1) * fan_out
        layers.append((flat[start:middle].reshape(fan_in, fan_out), flat[middle:stop]))
        start = stop
    return layers


def _inputs(columns: Columns, commonest: str) -> Array:
    is_commonest = np.asarray(columns["sex"], dtype=str) == commonest
    measured = [np.asarray(columns[name], dtype=np.float64) for name in survey.MEASUREMENTS]
    rows = np.column_stack([is_commonest.astype(np.float64), *measured])
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)
