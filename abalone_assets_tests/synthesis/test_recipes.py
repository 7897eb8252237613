"""Fitting a synthesizer, its file, and what is kept of it in the lake."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest

from abalone_assets.errors import AbaloneError
from abalone_assets.modeling.dataset import take
from abalone_assets.modeling.evaluation.split_integrity import row_buckets
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey.origin import SURVEYED, SYNTHETIC
from abalone_assets.synthesis import DEFAULT_EPOCHS, SynthesisError, networks, plots
from abalone_assets.synthesis.latents import WhiteNoise
from abalone_assets.synthesis.real_rows import RealRows
from abalone_assets.synthesis.recipes import (
    FitOptions,
    fit_digest,
    fit_once,
    fit_synthesizer,
    load_fitted,
)
from abalone_assets.synthesis.synthesizer import Synthesizer
from abalone_assets_tests.synthesis.support import base_rows, copula, real

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray


def same(left: dict[str, Any], right: dict[str, Any]) -> bool:
    return all(np.array_equal(left[name], right[name]) for name in left)


class TestRealRows:
    def test_a_synthesizer_learns_only_from_rows_that_train_split_would_get(self) -> None:
        assert row_buckets(real().fitted).max() < 80
        assert row_buckets(real().held_out).min() >= 80
        assert len(real().all["sex"]) == 900

    def test_repeats_and_the_order_of_rows_change_nothing(self) -> None:
        order = np.random.default_rng(0).integers(0, 900, 4000)
        again = RealRows.of(take(base_rows(), np.concatenate([order, np.arange(900)])))
        assert same(again.fitted, real().fitted)
        assert again.sha256 == real().sha256

    def test_too_few_rows_are_refused(self) -> None:
        with pytest.raises(SynthesisError, match="20 real rows are too few to simulate from"):
            RealRows.of(take(base_rows(), np.arange(20)))

    def test_simulated_rows_of_the_base_survey_are_not_learnt(self) -> None:
        frame = pl.DataFrame(take(base_rows(), np.arange(400)))
        origins = pl.Series("origin", [SURVEYED] * 300 + [SYNTHETIC] * 100)
        assert len(RealRows.of_frame(frame.with_columns(origins)).all["sex"]) == 300
        assert len(RealRows.of_frame(frame).all["sex"]) == 400


class TestFitting:
    def test_the_same_rows_and_seed_draw_the_same_animals_another_seed_others(self) -> None:
        fits = (copula(), *(fit_synthesizer(real(), FitOptions(seed=seed)) for seed in (0, 1)))
        first, again, other = (each.sample(50, np.random.default_rng(1)) for each in fits)
        assert same(first, again)
        assert not np.array_equal(first["length"], other["length"])

    def test_options_that_do_nothing_make_no_difference(self) -> None:
        assert FitOptions("copula", 50, 3).settled == FitOptions("copula").settled
        assert FitOptions("tvae").settled.epochs == DEFAULT_EPOCHS["tvae"]

    @pytest.mark.parametrize("options", [{"epochs": -1}, {"seeds": 99}, {"recipe": "gan"}])
    def test_options_out_of_range_are_refused(self, options: dict[str, Any]) -> None:
        with pytest.raises(SynthesisError, match=r"must be 0 to|no recipe 'gan': there are copula"):
            FitOptions(**options)

    def test_a_missing_package_says_what_to_install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(__import__("sys").modules, "ctgan", None)
        with pytest.raises(AbaloneError, match=r"pip install 'abalone-assets\[synthetic\]'"):
            fit_synthesizer(real(), FitOptions("ctgan", 1, 1))

    def test_heights_beyond_60_mm_are_left_out_and_counted(self) -> None:
        rows = {**base_rows(), "height": base_rows()["height"].copy()}
        rows["height"][:300] = 0.4
        dealt = RealRows.of(take(rows, np.arange(900)))
        facts = fit_synthesizer(dealt, FitOptions()).facts
        assert facts.left_out == int((dealt.fitted["height"] > 0.3).sum()) > 200
        assert facts.rows + facts.left_out == len(dealt.fitted["sex"])

    def test_the_attempt_that_scores_best_is_kept_and_every_epoch_told(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Without torch: the second seed's network draws white noise, the others' one number."""

        class Lazy(WhiteNoise):
            def draw(
                self, rows: int, shares: NDArray[np.float64], rng: np.random.Generator
            ) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
                sexes, white = super().draw(rows, shares, rng)
                return sexes, white[:, :1].repeat(8, axis=1)

        def train(_white: Any, _sexes: Any, training: networks.Training) -> WhiteNoise:
            for epoch in range(1, training.epochs + 1):
                training.on_epoch(epoch)
            return WhiteNoise() if training.seed == 8 else Lazy()

        monkeypatch.setattr(networks, "train_tvae", train)
        told: list[tuple[int, int]] = []
        fitted = fit_synthesizer(
            real(), FitOptions("tvae", 2, 3, 7), lambda done, total: told.append((done, total))
        )
        assert told == [(done, 6) for done in range(1, 7)]
        assert [attempt.seed for attempt in fitted.facts.attempts] == [7, 8, 9]
        assert fitted.facts.seed == 8
        scores = [attempt.rank for attempt in fitted.facts.attempts]
        assert min(scores) == scores[1]


class TestTheFile:
    def test_it_draws_as_before(self) -> None:
        again = Synthesizer.from_bytes(copula().to_bytes(), "file")
        draws = [each.sample(50, np.random.default_rng(1)) for each in (again, copula())]
        assert same(*draws)
        assert again.facts == copula().facts
        assert again.to_bytes() == copula().to_bytes()

    @pytest.mark.parametrize("size", [0, 2, 3000, 20_000])
    def test_a_damaged_one_is_refused(self, size: int) -> None:
        with pytest.raises(SynthesisError, match=r"lake/x.npz: no synthesizer .* delete it"):
            Synthesizer.from_bytes(copula().to_bytes()[:size], "lake/x.npz")

    def test_nothing_in_it_is_unpickled(self) -> None:
        file = io.BytesIO()
        np.savez(file, facts=np.array([{}], dtype=object))
        with pytest.raises(SynthesisError, match="allow_pickle=False"):
            Synthesizer.from_bytes(file.getvalue(), "x.npz")


class TestTheLake:
    def test_what_was_fitted_is_not_fitted_again(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = ObjectStore(tmp_path)
        first = fit_once(store, real(), FitOptions())
        monkeypatch.delattr("abalone_assets.synthesis.recipes.fit_synthesizer")
        second = fit_once(store, real(), FitOptions())
        assert (first.cached, second.cached) == (False, True)
        assert first.key == second.key
        assert load_fitted(store, first.key).to_bytes() == first.synthesizer.to_bytes()

    def test_other_rows_and_other_options_are_fitted_anew(self) -> None:
        others = RealRows.of(take(base_rows(), np.arange(899)))
        digests = {
            fit_digest(real(), FitOptions()),
            fit_digest(others, FitOptions()),
            fit_digest(real(), FitOptions("tvae")),
            fit_digest(real(), FitOptions("tvae", seed=1)),
            fit_digest(real(), FitOptions("ctgan")),
        }
        assert len(digests) == 5


@pytest.mark.parametrize("draw", [plots.correlation_maps, plots.margins])
def test_pictures_are_drawn(draw: Callable[[Any, Any], bytes]) -> None:
    assert draw(take(base_rows(), np.arange(100)), real().held_out).startswith(b"\x89PNG")
