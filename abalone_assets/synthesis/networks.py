"""Train the two networks of the `ctgan` package on whitened scores, reproducibly.

Determinism: ctgan draws from the global generators of NumPy and torch. Its ``set_random_state``
seeds both while it fits and puts them back; torch works on one thread meanwhile, and the mode
search in this process instead of in a pool.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets.synthesis import SynthesisError
from abalone_assets.synthesis.latents import SCORES, Decoder, Generator, Latents, Layer, Modes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

EXTRA: Final = "pip install 'abalone-assets[synthetic]'"
SEX: Final = "sex"

CTGAN_SETTINGS: Final[Mapping[str, Any]] = {
    "batch_size": 100,
    "generator_lr": 1e-3,
    "discriminator_lr": 1e-3,
}
"""Small batches and five times the package's learning rate learn in a third of the epochs; what
that adds of noise, the mean of the weights takes out again."""

TVAE_SETTINGS: Final[Mapping[str, Any]] = {"batch_size": 100}


@dataclass(frozen=True)
class Training:
    """How long and from where to train.

    Attributes:
        seed: Of everything that is drawn.
        epochs: Passes over the rows.
        on_epoch: Told how many passes are done, after each.
    """

    seed: int
    epochs: int
    on_epoch: Callable[[int], None]


def train_ctgan(
    white: NDArray[np.float64],
    sexes: NDArray[np.intp],
    training: Training,
    settings: Mapping[str, Any] = CTGAN_SETTINGS,
) -> Latents:
    """Train a CTGAN and keep its generator.

    Args:
        white: Whitened scores, ``(n, 8)``.
        sexes: Index of each row's sex, ``(n,)``.
        training: How.
        settings: Arguments of ``ctgan.CTGAN``.

    Raises:
        SynthesisError: The extra `synthetic` is not installed, or training diverged.
    """
    network, generator = _trained("CTGAN", "_generator", white, sexes, training, settings)
    *blocks, last = generator.seq
    layers = [*map(_residual, blocks), _linear(last)]
    noise = network._embedding_dim  # noqa: SLF001 - the package has no other way to it
    return Generator(_checked(layers, "CTGAN"), _modes(network._transformer), noise)  # noqa: SLF001 - as above


def train_tvae(
    white: NDArray[np.float64],
    sexes: NDArray[np.intp],
    training: Training,
    settings: Mapping[str, Any] = TVAE_SETTINGS,
) -> Latents:
    """Train a TVAE and keep its decoder; see `train_ctgan`."""
    network, decoder = _trained("TVAE", "decoder", white, sexes, training, settings)
    layers = [_linear(layer) for layer in decoder.seq if hasattr(layer, "weight")]
    modes = _modes(network.transformer)
    deviations = _array(decoder.sigma)[: modes.width]
    return Decoder(_checked(layers, "TVAE"), modes, deviations)


def _trained(
    name: str,
    part: str,
    white: NDArray[np.float64],
    sexes: NDArray[np.intp],
    training: Training,
    settings: Mapping[str, Any],
) -> tuple[Any, Any]:
    """The trained network and its part that draws, whose weights are means over its epochs."""
    with _package() as (ctgan, joblib, pandas):
        network = _averaging(getattr(ctgan, name), part, training)(
            epochs=training.epochs, enable_gpu=False, **settings
        )
        table = pandas.DataFrame(white, columns=[f"score_{index}" for index in range(SCORES)])
        table[SEX] = sexes.astype(str)
        network.set_random_state(training.seed)
        with joblib.parallel_config(backend="sequential"):
            network.fit(table, [SEX])
    return network, network.averaged()


@contextmanager
def _package() -> Iterator[Any]:
    """The packages ctgan, joblib and pandas, with torch on one thread."""
    try:
        import ctgan
        import joblib  # type: ignore[import-untyped] # has neither stubs nor py.typed
        import pandas as pd
        import torch
    except ImportError as error:
        raise SynthesisError(
            f"this recipe needs the package ctgan, which is not installed ({error}): run `{EXTRA}`,"
            " or use the recipe copula, which needs nothing"
        ) from error
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield ctgan, joblib, pd
    finally:
        torch.set_num_threads(threads)


def _averaging(network: Any, part: str, training: Training) -> Any:  # noqa: ANN401 - a class loaded lazily
    """The network's class, telling of every epoch and keeping the mean of a part's weights.

    It has no callback, but keeps its losses anew after each epoch, and that is one. The last
    weights of an adversary wander; their mean over the second half of the epochs does not (Yazici
    et al., *The Unusual Effectiveness of Averaging in GAN Training*, ICLR 2019).
    """

    class Averaging(network):  # type: ignore[misc] # its base class is known at run time only
        _total: Mapping[str, Any] | None = None
        _epochs_added = 0

        @property
        def loss_values(self) -> Any:  # noqa: ANN401 - a pandas frame, loaded lazily
            return self._losses

        @loss_values.setter
        def loss_values(self, losses: Any) -> None:  # noqa: ANN401 - as above
            self._losses = losses
            if losses is not None and len(losses):
                self._end(int(losses["Epoch"].iloc[-1]) + 1)

        def _end(self, epoch: int) -> None:
            if 2 * epoch > training.epochs:
                now = getattr(self, part).state_dict()
                before = self._total or dict.fromkeys(now, 0)
                self._total = {name: before[name] + now[name].double() for name in now}
                self._epochs_added += 1
            training.on_epoch(epoch)

        def averaged(self) -> Any:  # noqa: ANN401 - a module of torch
            module = getattr(self, part)
            total = self._total or {}
            module.load_state_dict({name: total[name] / self._epochs_added for name in total})
            return module

    return Averaging


def _modes(transformer: Any) -> Modes:  # noqa: ANN401 - of ctgan
    *scores, sex = transformer._column_transform_info_list  # noqa: SLF001 - the package has no other way
    found = []
    for each in scores:
        mixture, valid = each.transform._bgm_transformer, each.transform.valid_component_indicator  # noqa: SLF001 - as above
        found.append((mixture.means_.ravel()[valid], np.sqrt(mixture.covariances_).ravel()[valid]))
    counts = np.array([means.size for means, _ in found], dtype=np.int64)
    means, scales = np.zeros((2, SCORES, counts.max()))
    for index, (mean, scale) in enumerate(found):
        means[index, : mean.size], scales[index, : mean.size] = mean, scale
    sexes = np.array([int(category) for category in sex.transform.dummies], dtype=np.int64)
    return Modes(sexes, counts, means, scales)


def _residual(block: Any) -> Layer:  # noqa: ANN401 - a module of torch
    """A dense layer with its batch normalisation, by the running statistics, folded in."""
    linear, norm = _linear(block.fc), block.bn
    gain = _array(norm.weight) / np.sqrt(_array(norm.running_var) + norm.eps)
    shift = _array(norm.bias) - _array(norm.running_mean) * gain
    return Layer(linear.weight * gain[:, np.newaxis], linear.bias * gain + shift)


def _linear(module: Any) -> Layer:  # noqa: ANN401 - a module of torch
    return Layer(_array(module.weight), _array(module.bias))


def _array(tensor: Any) -> NDArray[np.float64]:  # noqa: ANN401 - of torch
    return np.asarray(tensor.detach().cpu().numpy(), dtype=np.float64)


def _checked(layers: list[Layer], name: str) -> tuple[Layer, ...]:
    if not all(np.isfinite(each.weight).all() and np.isfinite(each.bias).all() for each in layers):
        raise SynthesisError(f"the {name} diverged: fit it with another seed or fewer epochs")
    return tuple(layers)
