"""The recipes: how to fit a synthesizer, and which of several fits to keep.

What was fitted once is kept in the lake, and is not fitted again.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final, get_args

import numpy as np

from abalone_assets.modeling.dataset import take
from abalone_assets.synthesis import (
    DEFAULT_EPOCHS,
    DEFAULT_RECIPE,
    DEFAULT_SEEDS,
    MAX_EPOCHS,
    MAX_SEEDS,
    Recipe,
    SynthesisError,
    networks,
)
from abalone_assets.synthesis.contract import simulate
from abalone_assets.synthesis.latents import Latents, WhiteNoise
from abalone_assets.synthesis.quality import fit_score
from abalone_assets.synthesis.representation import Representation, plausible, represent
from abalone_assets.synthesis.synthesizer import FORMAT, Attempt, FitFacts, Synthesizer

if TYPE_CHECKING:
    from collections.abc import Callable

    from abalone_assets.modeling.features import Columns
    from abalone_assets.storage.object_store import ObjectStore
    from abalone_assets.synthesis.real_rows import RealRows

    Progress = Callable[[int, int], None]

FOLDER: Final = "survey_synthesizer"
"""Of the lake."""

RECIPES: Final[tuple[Recipe, ...]] = get_args(Recipe)
_SCORED_ROWS: Final = 3000
_CALIBRATION_ROWS: Final = 15_000


@dataclass(frozen=True)
class FitOptions:
    """What to fit, and how hard to try.

    Attributes:
        recipe: ``copula``: a Gaussian copula per sex, in an instant. ``ctgan`` and ``tvae``: the
            networks of the ``ctgan`` package on what the copula leaves unexplained, in minutes.
        epochs: Passes over the rows in each attempt; 0 for the recipe's default.
        seeds: Attempts, of which the best is kept; 0 for the recipe's default.
        seed: That of the first attempt; the others follow.

    Raises:
        SynthesisError: A number is out of range.
    """

    recipe: Recipe = DEFAULT_RECIPE
    epochs: int = 0
    seeds: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.recipe not in RECIPES:
            raise SynthesisError(f"no recipe {self.recipe!r}: there are {', '.join(RECIPES)}")
        for name, most in {"epochs": MAX_EPOCHS, "seeds": MAX_SEEDS, "seed": 2**31 - 1}.items():
            if not 0 <= getattr(self, name) <= most:
                raise SynthesisError(f"{name} must be 0 to {most}, not {getattr(self, name)}")

    @property
    def settled(self) -> FitOptions:
        """The same with the defaults filled in; options that do nothing are the same for all."""
        if self.recipe == "copula":
            return FitOptions("copula", 0, 1, self.seed)
        epochs = self.epochs or DEFAULT_EPOCHS[self.recipe]
        return replace(self, epochs=epochs, seeds=self.seeds or DEFAULT_SEEDS[self.recipe])


@dataclass(frozen=True)
class Fitted:
    """A synthesizer, its object's key in the lake, and whether it was there already.

    The digest is that of all that it follows from, see `fit_digest`.
    """

    synthesizer: Synthesizer
    key: str
    digest: str
    cached: bool


def fit_once(
    store: ObjectStore, real: RealRows, options: FitOptions, on_progress: Progress | None = None
) -> Fitted:
    """The synthesizer of these rows and options: from the lake, or fitted now and kept there.

    Raises:
        SynthesisError: As `fit_synthesizer`, or the object in the lake is damaged.
        StorageError: The lake cannot be read or written.
    """
    digest = fit_digest(real, options)
    key = f"{FOLDER}/_{digest}.npz"
    if store.find(key) is not None:
        return Fitted(load_fitted(store, key), key, digest, cached=True)
    synthesizer = fit_synthesizer(real, options, on_progress)
    store.write(key, synthesizer.to_bytes())
    return Fitted(synthesizer, key, digest, cached=False)


def load_fitted(store: ObjectStore, key: str) -> Synthesizer:
    """The synthesizer that an object of the lake holds.

    Raises:
        SynthesisError: It is damaged.
        StorageError: It is not there.
    """
    return Synthesizer.from_bytes(store.read(key), store.uri_of(key))


def fit_digest(real: RealRows, options: FitOptions) -> str:
    """What a synthesizer follows from: rows, options, and this version's way to fit."""
    chosen = options.settled
    settings = {"ctgan": networks.CTGAN_SETTINGS, "tvae": networks.TVAE_SETTINGS}
    made_of = [FORMAT, real.sha256, asdict(chosen), dict(settings.get(chosen.recipe, {}))]
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


def fit_synthesizer(
    real: RealRows, options: FitOptions, on_progress: Progress | None = None
) -> Synthesizer:
    """Fit as often as asked and keep the fit whose draws are nearest to what it learnt from.

    Args:
        real: The rows; only ``real.fitted`` is learnt from and looked at.
        options: What to fit.
        on_progress: Told the epochs done and the epochs in all, after each.

    Raises:
        SynthesisError: The extra `synthetic` is missing, the rows are too few, or every attempt
            failed.
    """
    chosen = options.settled
    rows = take(real.fitted, plausible(real.fitted))
    facts = FitFacts(
        recipe=chosen.recipe,
        epochs=chosen.epochs,
        attempts=(),
        seed=chosen.seed,
        rows=len(rows["sex"]),
        left_out=len(real.fitted["sex"]) - len(rows["sex"]),
        rows_sha256=real.sha256,
    )
    tried = [
        _attempt(
            rows, replace(facts, seed=chosen.seed + number), _told(on_progress, number, chosen)
        )
        for number in range(chosen.seeds)
    ]
    if len(tried) > 1:
        tried = [_scored(synthesizer, rows) for synthesizer in tried]
    best = min(tried, key=lambda each: each.facts.attempts[0].rank)
    attempts = tuple(each.facts.attempts[0] for each in tried)
    if not np.isfinite(best.facts.attempts[0].rank):
        raise SynthesisError(
            f"none of {len(tried)} attempts gave a {chosen.recipe} whose rows obey the survey "
            "contract: try more epochs, other seeds or the recipe copula"
        )
    return replace(best, facts=replace(best.facts, attempts=attempts))


def _told(on_progress: Progress | None, number: int, options: FitOptions) -> Callable[[int], None]:
    """Reports of one attempt's epochs as reports of all."""

    def on_epoch(epoch: int) -> None:
        if on_progress:
            on_progress(number * options.epochs + epoch, options.seeds * options.epochs)

    return on_epoch


def _attempt(rows: Columns, facts: FitFacts, on_epoch: Callable[[int], None]) -> Synthesizer:
    started = time.perf_counter()
    rng = np.random.default_rng(facts.seed)
    representation = represent(rows, rng)
    latents = _latents(representation, rows, facts, rng, on_epoch)
    if facts.recipe != "copula":
        drawn = latents.draw(_CALIBRATION_ROWS, representation.shares, rng)
        representation = representation.calibrated(*drawn)
    attempt = Attempt(facts.seed, time.perf_counter() - started, None)
    return Synthesizer(representation, latents, replace(facts, attempts=(attempt,)))


def _latents(
    representation: Representation,
    rows: Columns,
    facts: FitFacts,
    rng: np.random.Generator,
    on_epoch: Callable[[int], None],
) -> Latents:
    if facts.recipe == "copula":
        return WhiteNoise()
    train = networks.train_ctgan if facts.recipe == "ctgan" else networks.train_tvae
    sexes, white = representation.encode(rows, rng)
    return train(white, sexes, networks.Training(facts.seed, facts.epochs, on_epoch))


def _scored(synthesizer: Synthesizer, rows: Columns) -> Synthesizer:
    rng = np.random.default_rng(synthesizer.facts.seed)
    try:
        drawn = simulate(synthesizer, _SCORED_ROWS, rng, rows)
        score = fit_score(drawn.columns, rows)
    except SynthesisError:  # too few of its rows obey the contract
        score = float("inf")
    (attempt,) = synthesizer.facts.attempts
    facts = replace(synthesizer.facts, attempts=(replace(attempt, score=score),))
    return replace(synthesizer, facts=facts)
