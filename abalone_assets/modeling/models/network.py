"""A dense network, computed with NumPy alone.

Whatever framework and backend trained it, its arrays and a few lines of arithmetic answer: the
container that serves needs neither TensorFlow nor Keras.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets.modeling.models.npz import read_npz, to_npz

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

NETWORK_FILE: Final = "network.npz"
"""Its file in an archive."""


@dataclass(frozen=True)
class NetworkModel:
    """Dense layers with rectified linear units between them; see `model.Model`.

    Attributes:
        features: The features it was trained on, in its order.
        mean: What is subtracted from each feature, ``(features,)``.
        scale: What each feature is then divided by, ``(features,)``.
        layers: Kernel ``(inputs, units)`` and bias ``(units,)`` of each layer; the last has one
            unit: the rings.
    """

    features: tuple[str, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    layers: tuple[tuple[NDArray[Any], NDArray[Any]], ...]

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """The rings predicted for each row of a design matrix of its features."""
        signal = (matrix.astype(np.float64) - self.mean) / self.scale
        *hidden, last = self.layers
        for layer in hidden:
            signal = np.maximum(_dense(signal, *layer), 0)
        return _dense(signal, *last)[:, 0]

    def importance(self) -> None:
        """None: a network keeps no account of its features."""

    def contributions(self, matrix: NDArray[np.float32]) -> None:
        """None: a network does not tell its features' parts."""

    def to_npz(self) -> bytes:
        """Its file: NumPy's ``.npz`` without pickles, the same bytes for the same network."""
        arrays: dict[str, Any] = {
            "features": np.asarray(self.features),
            "mean": self.mean,
            "scale": self.scale,
        }
        for number, (kernel, bias) in enumerate(self.layers):
            arrays |= {f"kernel_{number}": kernel, f"bias_{number}": bias}
        return to_npz(arrays)


def _dense(
    signal: NDArray[np.float64], kernel: NDArray[Any], bias: NDArray[Any]
) -> NDArray[np.float64]:
    # Not `signal @ kernel`: BLAS sums in another order for another number of rows, and its threads
    # cost more than they save on networks of this size.
    return np.asarray(np.einsum("ij,jk->ik", signal, kernel.astype(np.float64)) + bias)


def read_network(data: bytes, path: Path) -> NetworkModel:
    """A network from the file that `NetworkModel.to_npz` wrote.

    Args:
        data: The file's content, known to be undamaged.
        path: The file, for errors.

    Raises:
        ModelArchiveError: It is no such file, or its arrays do not fit together.
    """
    with read_npz(data, f"{path}: not a network") as arrays:
        count = sum(name.startswith("kernel_") for name in arrays)
        layers = tuple((arrays[f"kernel_{each}"], arrays[f"bias_{each}"]) for each in range(count))
        features = tuple(str(name) for name in arrays["features"])
        network = NetworkModel(features, arrays["mean"], arrays["scale"], layers)
        answer = network.predict(np.ones((1, len(features)), dtype=np.float32))
        if answer.shape != (1,) or layers[-1][1].shape != (1,):
            raise ValueError("its last layer must have one unit")
        return network
