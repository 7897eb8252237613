"""A kernel regression: an animal's rings follow from those of the animals that are like it.

The logarithm of the rings is a weighted sum of the animal's likeness to some landmark animals. The
likeness is the Matérn kernel of smoothness 3/2 of the distance between standardised features
(Rasmussen and Williams, *Gaussian Processes for Machine Learning*, 2006, section 4.2.1).

This module needs NumPy only and travels inside every model archive.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

CLIP: Final = 4.0
"""Standard deviations beyond which a feature is not followed: an odd animal stays among others."""

BLOCK_ROWS: Final = 64
"""Rows whose likeness to all landmarks is computed at once: so many stay in a processor's cache."""


@dataclass(frozen=True)
class KernelModel:
    """Likeness to landmarks, weighed; see `model.Model`.

    Attributes:
        features: The features it was trained on, in its order.
        mean: What is subtracted from each feature, ``(features,)``.
        scale: What each feature is then divided by, ``(features,)``.
        landmarks: Standardised features of the landmark animals, ``(landmarks, features)``.
        weights: What likeness to each landmark adds to the logarithm of the rings,
            ``(landmarks,)``.
        intercept: Logarithm of the rings of an animal that is like no landmark.
        length_scale: The distance, in standard deviations, over which animals are alike.
    """

    features: tuple[str, ...]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    landmarks: NDArray[np.float32]
    weights: NDArray[np.float64]
    intercept: float
    length_scale: float

    def predict(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """The rings predicted for each row of a design matrix of its features."""
        logs = np.empty(len(matrix))
        for start in range(0, len(matrix), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            rows = _lifted(standardised(matrix[block], self.mean, self.scale), self.length_scale)
            # Not BLAS, which sums in another order for another number of rows or threads: an
            # animal's prediction must not depend on who else is asked about.
            alike = _matern(np.einsum("ij,jk->ik", rows, self._lifted_landmarks))
            logs[block] = np.einsum("ij,j->i", alike, self.weights)
        logs += self.intercept
        return np.asarray(np.exp(logs))

    @cached_property
    def _lifted_landmarks(self) -> NDArray[np.float64]:
        return _lifted_landmarks(self.landmarks.astype(np.float64), self.length_scale)

    def importance(self) -> None:
        """None: it keeps no account of its features."""

    def contributions(self, matrix: NDArray[np.float32]) -> None:
        """None: it has no account of its own."""

    def arrays(self) -> dict[str, Any]:
        """What `kernel_from` makes the same model of."""
        return {
            "features": np.asarray(self.features),
            "mean": self.mean,
            "scale": self.scale,
            "landmarks": self.landmarks,
            "weights": self.weights,
            "intercept": np.asarray(self.intercept),
            "length_scale": np.asarray(self.length_scale),
        }


def standardised(
    matrix: NDArray[np.float32], mean: NDArray[np.float64], scale: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Each feature in standard deviations from its mean, at most `CLIP`, ``(n, features)``."""
    return np.asarray(np.clip((matrix.astype(np.float64) - mean) / scale, -CLIP, CLIP))


def likeness(
    rows: NDArray[np.float64], landmarks: NDArray[np.float64], length_scale: float
) -> NDArray[np.float64]:
    """The Matérn kernel of smoothness 3/2: 1 for equals, 0 far apart, ``(rows, landmarks)``.

    By BLAS, which is fast. Its last bits depend on the number of rows, and of BLAS' threads.
    """
    alike = _lifted(rows, length_scale) @ _lifted_landmarks(landmarks, length_scale)
    for start in range(0, len(rows), BLOCK_ROWS):
        _matern(alike[start : start + BLOCK_ROWS])
    return np.asarray(alike)


def _lifted(rows: NDArray[np.float64], length_scale: float) -> NDArray[np.float64]:
    """Scaled rows ``x`` as ``(x, |x|², 1)``: times `_lifted_landmarks`, squares of distances.

    Because ``|x - z|² = |x|² + |z|² - 2xz``.
    """
    lifted = np.empty((len(rows), rows.shape[1] + 2))
    scaled = lifted[:, :-2]
    np.multiply(rows, math.sqrt(3) / length_scale, out=scaled)
    lifted[:, -2] = np.einsum("ij,ij->i", scaled, scaled)
    lifted[:, -1] = 1
    return lifted


def _lifted_landmarks(landmarks: NDArray[np.float64], length_scale: float) -> NDArray[np.float64]:
    """Scaled landmarks ``z``, each a column ``(-2z, 1, |z|²)``; see `_lifted`."""
    scaled = _lifted(landmarks, length_scale)
    return np.ascontiguousarray(
        np.column_stack([-2 * scaled[:, :-2], scaled[:, -1], scaled[:, -2]]).T
    )


def _matern(squares: NDArray[np.float64]) -> NDArray[np.float64]:
    """The kernel ``(1 + d) exp(-d)`` in the place of the squares of ``d``."""
    distance = np.sqrt(np.maximum(squares, 0, out=squares), out=squares)  # rounding: below 0
    faded = np.exp(-distance)
    distance += 1
    distance *= faded
    return distance


def kernel_from(arrays: Mapping[str, Any]) -> KernelModel:
    """The model that `KernelModel.arrays` described.

    Raises:
        LookupError: An array is missing.
        TypeError: An array is no number.
        ValueError: The arrays do not fit together, or hold what is not finite.
    """
    model = KernelModel(
        features=tuple(str(name) for name in arrays["features"]),
        mean=arrays["mean"],
        scale=arrays["scale"],
        landmarks=arrays["landmarks"],
        weights=arrays["weights"],
        intercept=float(arrays["intercept"]),
        length_scale=float(arrays["length_scale"]),
    )
    width, count = len(model.features), model.weights.size
    shapes = (model.mean.shape, model.scale.shape, model.landmarks.shape, model.weights.shape)
    if shapes != ((width,), (width,), (count, width), (count,)):
        raise ValueError(f"the kernel's arrays do not fit together: {shapes}")
    numbers = (*model.arrays().values(),)[1:]
    if not all(np.isfinite(each).all() for each in numbers):
        raise ValueError("the kernel holds a number that is not finite")
    if not (count and (model.scale > 0).all() and model.length_scale > 0):
        raise ValueError("the kernel has no landmarks, or a scale that is not positive")
    return model
