"""Keras takes seconds to load: every test that needs it runs in the same process."""

import random
import sys
from dataclasses import replace
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abalone_assets import survey
from abalone_assets.modeling.card import FittedModel
from abalone_assets.modeling.dataset import take
from abalone_assets.modeling.features import design_matrix
from abalone_assets.modeling.hyperparameters import HyperparameterError, NetworkHyperparameters
from abalone_assets.modeling.learnt import Progress
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.models.network import NetworkModel, read_network
from abalone_assets.modeling.scores import rmse
from abalone_assets.modeling.training.cross_fitting import cross_fit
from abalone_assets.modeling.training.learners import learner_of
from abalone_assets.modeling.training.train import fit
from abalone_assets.modeling.training.train_network import (
    FEATURES,
    KERAS_FILE,
    KerasMissingError,
    _watched,
)
from abalone_assets_tests.modeling.support import ShellModel, Table, loaded, splits
from abalone_assets_tests.modeling.support import first_rows as rows

pytestmark = pytest.mark.xdist_group("keras")

QUICK = NetworkHyperparameters(hidden_units=16, learning_rate=0.02, epochs=12, patience=3)


def fitted(
    train: Table,
    validation: Table | None = None,
    on_progress: Progress | None = None,
    **chosen: Any,
) -> FittedModel:
    """A network of these rows by `QUICK`'s hyperparameters, but for some."""
    held_out = validation or rows(50, "validation")
    return fit("tensorflow", train, held_out, replace(QUICK, **chosen), on_progress)


@cache
def quick() -> FittedModel:
    return fitted(rows(600), rows(600, "validation"))


def network_of(model: FittedModel) -> NetworkModel:
    return read_network(model.files["network.npz"], Path("network.npz"))


def test_learns_more_than_the_mean() -> None:
    test = rows(209, "test")
    baseline = np.full(209, quick().card.training_mean_rings)
    error = rmse(predict_rings(network_of(quick()), test), test["rings"])
    assert error < 0.8 * rmse(baseline, test["rings"])


def test_same_data_and_seed_give_the_same_bytes_and_another_seed_others() -> None:
    again, other = fitted(rows(600), rows(600, "validation")), fitted(rows(600), seed=1, epochs=1)
    assert again.files["network.npz"] == quick().files["network.npz"]
    assert again.card.model_sha256 == quick().card.model_sha256 != other.card.model_sha256


def test_learns_in_one_thread_and_leaves_the_process_as_it_was() -> None:
    import torch

    own = torch.get_num_threads()
    torch.set_num_threads(2)
    seen: set[int] = set()
    try:
        before = random.getstate()
        fitted(rows(50), on_progress=lambda *_: seen.add(torch.get_num_threads()), epochs=1)
        assert seen == {1}
        assert torch.get_num_threads() == 2
        assert random.getstate() == before
    finally:
        torch.set_num_threads(own)


def test_keras_answers_as_numpy_does(tmp_path: Path) -> None:
    (tmp_path / KERAS_FILE).write_bytes(quick().files[KERAS_FILE])
    matrix = design_matrix(splits()["test"], FEATURES)
    keras = import_module("keras")
    answered = keras.saving.load_model(tmp_path / KERAS_FILE).predict(matrix, verbose=0)
    assert answered.shape == (len(matrix), 1)
    np.testing.assert_allclose(
        answered[:, 0], network_of(quick()).predict(matrix), rtol=1e-5, atol=1e-5
    )


def test_reports_what_the_saved_network_scores(tmp_path: Path) -> None:
    card, network = quick().card, loaded(quick(), tmp_path)
    for name in ("train", "validation"):
        columns = rows(600, name)
        scored = rmse(predict_rings(network, columns), columns["rings"])
        assert card.metrics[name]["rmse"] == scored == quick().history[name][card.best_iteration]
    assert card.rows == {"train": 600, "validation": 600}
    assert card.framework == "tensorflow"
    assert set(card.versions) == {"abalone_assets", "numpy", "python", "keras", "torch"}


def test_stops_early_and_keeps_the_best_epoch() -> None:
    train = rows(300)
    eager: dict[str, Any] = {"learning_rate": 0.2, "patience": 2}
    model = fitted(train, epochs=200, **eager)
    assert len(model.history["validation"]) == model.card.best_iteration + 1 + 2 < 200
    watched = take(train, _watched(train))
    assert 20 < watched["rings"].size < 80
    best = rmse(predict_rings(network_of(model), watched), watched["rings"])
    shorter = fitted(train, epochs=model.card.best_iteration, **eager)
    assert best < rmse(predict_rings(network_of(shorter), watched), watched["rings"])


def test_the_validation_split_calibrates_and_decides_nothing() -> None:
    eager: dict[str, Any] = {"learning_rate": 0.2, "epochs": 30, "patience": 2}
    one, another = (fitted(rows(100), rows(100, name), **eager) for name in ("validation", "test"))
    assert one.history["validation"] != another.history["validation"]
    assert one.card.model_sha256 == another.card.model_sha256


def test_reports_progress_every_epoch() -> None:
    seen: list[tuple[int, set[str]]] = []
    fitted(rows(50), None, lambda number, scores: seen.append((number, set(scores))), epochs=3)
    assert seen == [(number, {"train", "validation"}) for number in (1, 2, 3)]


def test_standardises_by_the_rows_that_it_learns_from_alone() -> None:
    network, train = network_of(quick()), rows(600)
    learnt = take(train, ~_watched(train))
    matrix = design_matrix(learnt, survey.MEASUREMENTS).astype(float)
    assert network.features == ("sex_M", "sex_F", "sex_I", *survey.MEASUREMENTS)
    assert network.mean[3:] == pytest.approx(matrix.mean(axis=0))
    assert network.scale[3:] == pytest.approx(matrix.std(axis=0))
    assert network.mean[:3].tolist() == [0, 0, 0]
    assert network.scale[:3].tolist() == [1, 1, 1]


def test_what_never_varies_in_training_does_not_explode_later() -> None:
    """A sex that is first met when predicting was once divided by a spread of nought."""
    adults = take(rows(200), rows(200)["sex"] != "I")
    adults["height"] = np.full(adults["sex"].size, 0.12)
    predicted = predict_rings(network_of(fitted(adults, epochs=2)), splits()["test"])
    assert (np.abs(predicted) < 60).all()


def test_simulated_rows_move_it_only_as_far_as_they_weigh() -> None:
    animals, synthetic = rows(200), np.arange(200) >= 20
    origin = np.where(synthetic, "synthetic", "surveyed").astype(object)
    wild = animals | {"origin": origin, "rings": np.where(synthetic, 29, animals["rings"])}
    low, middle, high = (
        predict_rings(network_of(fitted(wild, epochs=4, max_synthetic_share=share)), animals).mean()
        for share in (0.0, 0.1, 0.9)
    )
    assert low < middle < high


def test_a_refit_learns_and_stops_as_a_release_does() -> None:
    network = learner_of("tensorflow", replace(QUICK, epochs=3))(rows(200), np.ones(200))
    assert isinstance(network, NetworkModel)
    assert network.to_npz() == fitted(rows(200), epochs=3).files["network.npz"]


@pytest.mark.parametrize("folds", range(2, 21))
def test_each_network_out_of_fold_has_rows_to_stop_by(folds: int) -> None:
    everything = splits()["train"]
    dealt: list[Table] = []

    def learner(rest: Any, _: object) -> ShellModel:
        dealt.append(rest)
        return ShellModel()

    cross_fit(learner, everything, folds, threads=1)
    assert len(dealt) == folds
    for rest in dealt:
        assert 0.11 < _watched(rest).mean() < 0.18  # a seventh


def test_simulated_rows_do_not_decide_when_to_stop() -> None:
    animals, simulated = rows(200), np.arange(200) < 50
    origin = np.where(simulated, "synthetic", "surveyed").astype(object)
    watched = _watched({**animals, "origin": origin})
    assert watched.tolist() == (_watched(animals) & ~simulated).tolist()
    nobody = {**animals, "origin": np.full(200, "synthetic")}
    assert _watched(nobody).tolist() == _watched(animals).tolist()


def test_with_too_few_rows_to_hold_any_out_it_stops_by_those_it_learns_from() -> None:
    unwatched = take(rows(60), np.flatnonzero(~_watched(rows(60)))[:3])
    network = network_of(fitted(unwatched, epochs=1))
    assert np.isfinite(predict_rings(network, rows(60))).all()


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_says_that_the_network_diverged() -> None:
    immense = rows(50) | {"rings": rows(50)["rings"] * 1e300}
    with pytest.raises(HyperparameterError, match=r"diverged: use a learning_rate below 0\.02"):
        fitted(immense)


@pytest.mark.parametrize("missing", ["keras", "torch"])
def test_without_keras_one_clear_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    for name in [name for name in sys.modules if name.split(".")[0] == "keras"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(KerasMissingError, match=r"pip install 'abalone-assets\[keras\]'"):
        fitted(rows(50))
