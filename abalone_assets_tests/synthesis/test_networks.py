"""The networks of the ctgan package: trained reproducibly, and answered by NumPy as by torch."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from abalone_assets.synthesis import Recipe, SynthesisError, networks
from abalone_assets.synthesis.contract import simulate
from abalone_assets.synthesis.latents import Decoder, Generator, Latents, Layer, Modes
from abalone_assets.synthesis.networks import Training, train_ctgan, train_tvae
from abalone_assets.synthesis.synthesizer import Synthesizer
from abalone_assets_tests.synthesis.support import copula, real

pytestmark = pytest.mark.xdist_group("keras")  # where torch is imported already

RECIPES: tuple[Recipe, ...] = ("ctgan", "tvae")
TRAINERS = {"ctgan": train_ctgan, "tvae": train_tvae}
SMALL: dict[str, dict[str, Any]] = {
    "ctgan": {"batch_size": 40, "generator_dim": (8,), "discriminator_dim": (8,), "pac": 2},
    "tvae": {"batch_size": 40, "compress_dims": (8,), "decompress_dims": (8,)},
}


@dataclass(frozen=True)
class Trained:
    """A network of two epochs on noise.

    Attributes:
        latents: What we keep of it.
        module: Torch's, which that was read from.
        epochs: What it told of.
        undisturbed: Whether the global generators and torch's threads are as before.
    """

    latents: Latents
    module: Any
    epochs: list[int]
    undisturbed: bool


def train(recipe: Recipe) -> Trained:
    modules: list[Any] = []
    original = networks._trained

    def keep(*arguments: Any) -> Any:
        network, module = original(*arguments)
        modules.append(module)
        return network, module

    rng = np.random.default_rng(0)
    white, sexes = rng.standard_normal((80, 8)), rng.integers(0, 3, 80)
    before, epochs = global_state(), list[int]()
    with patch.object(networks, "_trained", keep):
        latents = TRAINERS[recipe](white, sexes, Training(0, 2, epochs.append), SMALL[recipe])
    return Trained(latents, modules[0], epochs, global_state() == before)


first = cache(train)


def global_state() -> tuple[Any, ...]:
    import torch

    numpy_state: Any = np.random.get_state()  # what ctgan draws from
    return numpy_state[1].tolist(), torch.get_rng_state().tolist(), torch.get_num_threads()


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_epoch_is_told_and_no_global_state_is_touched(recipe: Recipe) -> None:
    assert first(recipe).epochs == [1, 2]
    assert first(recipe).undisturbed


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_same_seed_trains_the_same_network(recipe: Recipe) -> None:
    known = first(recipe).latents.to_arrays()
    np.random.seed(6)  # the state that others leave must not matter
    again = train(recipe).latents.to_arrays()
    assert all(np.array_equal(known[name], again[name]) for name in known)


def test_the_generator_answers_as_that_of_torch_does(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    generator, seen = first("ctgan").latents, list[Any]()
    assert isinstance(generator, Generator)
    monkeypatch.setattr(Modes, "read", lambda _self, outputs, _rng: seen.append(outputs))
    shares = np.array([0.5, 0.3, 0.2])
    sexes, _ = generator.draw(40, shares, np.random.default_rng(3))
    rng = np.random.default_rng(3)
    rng.choice(3, 40, p=shares)
    noise = rng.standard_normal((40, generator.noise))
    wanted = sexes[:, np.newaxis] == generator.modes.sexes
    with torch.no_grad():
        given = torch.tensor(np.hstack([noise, wanted]), dtype=torch.float32)
        expected = first("ctgan").module.eval()(given).numpy()
    np.testing.assert_allclose(seen[0], expected, rtol=1e-3, atol=1e-4)


def test_the_decoder_answers_as_that_of_torch_does(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    decoder, seen = first("tvae").latents, list[Any]()
    assert isinstance(decoder, Decoder)
    monkeypatch.setattr(
        Modes, "read", lambda _self, outputs, _rng, noise: seen.extend([outputs, noise])
    )
    decoder.draw(40, np.ones(3) / 3, np.random.default_rng(3))
    noise = np.random.default_rng(3).standard_normal((40, 128))
    with torch.no_grad():
        expected, deviations = first("tvae").module(torch.tensor(noise, dtype=torch.float32))
    np.testing.assert_allclose(seen[0], expected.numpy(), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(seen[1], deviations.detach()[: decoder.modes.width].numpy())


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_network_draws_the_same_survey_after_a_reload(recipe: Recipe) -> None:
    facts = replace(copula().facts, recipe=recipe)
    fitted = replace(copula(), latents=first(recipe).latents, facts=facts)
    again = Synthesizer.from_bytes(fitted.to_bytes(), "file")
    surveys = [
        simulate(each, 20, np.random.default_rng(2), real().all).columns for each in (fitted, again)
    ]
    assert all(np.array_equal(surveys[0][name], surveys[1][name]) for name in surveys[0])


def test_a_score_is_a_place_in_a_mode_that_is_drawn_by_its_probability() -> None:
    counts = np.array([2] + [1] * 7)
    means, scales = np.zeros((8, 2)), np.ones((8, 2))
    means[0], scales[0] = [-10, 10], [1, 0.5]
    modes = Modes(np.arange(3), counts, means, scales)
    outputs = np.zeros((4000, modes.width))
    outputs[:, 0] = np.arctanh(0.5)
    outputs[:, 1] = np.log(3)  # logits: the first mode is three times as probable
    scores = modes.read(outputs, np.random.default_rng(0))[:, 0]
    assert set(np.round(scores, 6)) == {-8.0, 11.0}
    assert (scores == scores.min()).mean() == pytest.approx(0.75, abs=0.03)


def test_weights_that_are_no_numbers_are_an_error() -> None:
    layer = Layer(np.array([[np.nan]]), np.zeros(1))
    with pytest.raises(SynthesisError, match="the CTGAN diverged: fit it with another seed"):
        networks._checked([layer], "CTGAN")


def test_the_weights_kept_are_their_mean_over_the_second_half_of_the_epochs() -> None:
    import pandas as pd
    import torch

    class Network:
        loss_values: Any

        def __init__(self) -> None:
            self.decoder = torch.nn.Linear(1, 1)

        def fit(self) -> None:
            for epoch in range(4):
                torch.nn.init.constant_(self.decoder.weight, epoch)
                self.loss_values = pd.DataFrame({"Epoch": [epoch]})

    network = networks._averaging(Network, "decoder", Training(0, 4, lambda _epoch: None))()
    network.fit()
    assert network.averaged().weight.item() == 2.5
