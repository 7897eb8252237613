"""What draws whitened scores: white noise, the generator of a CTGAN, the decoder of a TVAE.

A network is kept as its arrays and answered by NumPy: drawing needs neither torch nor ctgan, has no
global state, and gives the same numbers for the same random generator wherever it is done. Where
ctgan's own TVAE takes the most probable mode of each column, the decoder's probabilities are drawn
from here, as its likelihood means them; that alone halves the distance of the margins.

Sources: Xu, Skoularidou, Cuesta-Infante and Veeramachaneni, *Modeling Tabular Data using
Conditional GAN* (NeurIPS 2019), for both networks and the mode-specific normalisation.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

Arrays = dict[str, Any]
SCORES: Final = 8
STANDARD_DEVIATIONS: Final = 4.0
"""The mode-specific normalisation divides by this many; its range of -1 to 1 is clipped."""


class Latents(Protocol):
    """A source of whitened scores."""

    def draw(
        self, rows: int, shares: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """Index of the sex ``(rows,)`` and whitened scores ``(rows, 8)``, by the sexes' shares."""

    def to_arrays(self) -> Arrays:
        """All that `from_arrays` needs, by name."""


@dataclass(frozen=True)
class WhiteNoise:
    """Independent standard normal scores: with the representation, a Gaussian copula per sex."""

    def draw(
        self, rows: int, shares: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """See `Latents.draw`."""
        return rng.choice(shares.size, rows, p=shares), rng.standard_normal((rows, SCORES))

    def to_arrays(self) -> Arrays:
        """Nothing: there is nothing to learn."""
        return {}


@dataclass(frozen=True)
class Modes:
    """What a network's outputs mean: each score is a mode of its margin and a place within it.

    Attributes:
        sexes: Index of the sex that each of the network's categories stands for, ``(s,)``.
        counts: Modes of each score, ``(8,)``.
        means: Their means, ``(8, m)``, zeros beyond a score's count.
        scales: Their standard deviations, alike.
    """

    sexes: NDArray[np.int64]
    counts: NDArray[np.int64]
    means: NDArray[np.float64]
    scales: NDArray[np.float64]

    @property
    def width(self) -> int:
        """How many outputs of a network the scores take."""
        return int(self.counts.sum()) + SCORES

    def read(
        self,
        outputs: NDArray[np.float64],
        rng: np.random.Generator,
        noise: NDArray[np.float64] | None = None,
    ) -> NDArray[np.float64]:
        """Scores ``(n, 8)`` from the outputs ``(n, width)`` of a network.

        Args:
            outputs: For each score its place before tanh, then the logits of its modes.
            rng: Draws the modes, and the noise.
            noise: Standard deviation of the place by output, ``(width,)``, or None.
        """
        scores, first = [], 0
        for count, means, scales in zip(self.counts, self.means, self.scales, strict=True):
            place = np.tanh(outputs[:, first])
            if noise is not None:
                place = rng.normal(place, noise[first])
            mode = _drawn(outputs[:, first + 1 : first + 1 + count], rng)
            scores.append(np.clip(place, -1, 1) * STANDARD_DEVIATIONS * scales[mode] + means[mode])
            first += 1 + int(count)
        return np.column_stack(scores)


@dataclass(frozen=True)
class Layer:
    """A dense layer, ``x @ weight.T + bias``."""

    weight: NDArray[np.float64]
    bias: NDArray[np.float64]

    def __call__(self, inputs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Its outputs ``(n, width)``."""
        return np.asarray(inputs @ self.weight.T + self.bias)


@dataclass(frozen=True)
class Generator:
    """The generator of a CTGAN, asked for an animal of a given sex.

    Attributes:
        layers: The residual blocks, whose outputs are joined to their inputs, and the last layer;
            the batch normalisations' running statistics are part of their weights.
        modes: What the outputs mean.
        noise: Size of the random vector.
    """

    layers: tuple[Layer, ...]
    modes: Modes
    noise: int

    def draw(
        self, rows: int, shares: NDArray[np.float64], rng: np.random.Generator
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """See `Latents.draw`; the sexes have exactly these probabilities."""
        sexes = rng.choice(shares.size, rows, p=shares)
        wanted = (sexes[:, np.newaxis] == self.modes.sexes).astype(np.float64)
        signal = np.hstack([rng.standard_normal((rows, self.noise)), wanted])
        for block in self.layers[:-1]:
            signal = np.hstack([np.maximum(block(signal), 0), signal])
        return sexes, self.modes.read(self.layers[-1](signal), rng)

    def to_arrays(self) -> Arrays:
        """The layers, modes and size."""
        return {**_network_arrays(self.layers, self.modes), "noise": np.int64(self.noise)}


@dataclass(frozen=True)
class Decoder:
    """The decoder of a TVAE.

    Attributes:
        layers: With ReLU between them.
        modes: What the outputs before the last ``s``, the logits of the sexes, mean.
        deviations: Standard deviation of each output's place, ``(width,)``.
    """

    layers: tuple[Layer, ...]
    modes: Modes
    deviations: NDArray[np.float64]

    def draw(
        self,
        rows: int,
        shares: NDArray[np.float64],  # noqa: ARG002 - the decoder has learnt them
        rng: np.random.Generator,
    ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        """See `Latents.draw`."""
        signal = rng.standard_normal((rows, self.layers[0].weight.shape[1]))
        for layer in self.layers[:-1]:
            signal = np.maximum(layer(signal), 0)
        outputs = self.layers[-1](signal)
        scores = self.modes.read(outputs, rng, self.deviations)
        return self.modes.sexes[_drawn(outputs[:, self.modes.width :], rng)], scores

    def to_arrays(self) -> Arrays:
        """The layers, modes and deviations."""
        return {**_network_arrays(self.layers, self.modes), "deviations": self.deviations}


def latents_from(recipe: str, arrays: Mapping[str, Any]) -> Latents:
    """The source of a recipe from what its ``to_arrays`` gave.

    Raises:
        KeyError: An array is missing.
    """
    if recipe == "copula":
        return WhiteNoise()
    layers = tuple(
        Layer(arrays[f"weight_{index}"], arrays[f"bias_{index}"])
        for index in range(int(arrays["layers"]))
    )
    modes = Modes(*(arrays[f"modes_{field.name}"] for field in fields(Modes)))
    if recipe == "ctgan":
        return Generator(layers, modes, int(arrays["noise"]))
    return Decoder(layers, modes, arrays["deviations"])


def _network_arrays(layers: tuple[Layer, ...], modes: Modes) -> Arrays:
    arrays: Arrays = {"layers": np.int64(len(layers))}
    for index, layer in enumerate(layers):
        arrays |= {f"weight_{index}": layer.weight, f"bias_{index}": layer.bias}
    return arrays | {f"modes_{field.name}": getattr(modes, field.name) for field in fields(modes)}


def _drawn(logits: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.intp]:
    """One index a row with probabilities softmax(logits), by the Gumbel-max trick."""
    return np.asarray(np.argmax(logits + rng.gumbel(size=logits.shape), axis=1))
