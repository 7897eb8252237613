"""Keras takes seconds to load: every test that needs it runs in the same process."""

import random
import sys
from dataclasses import replace
from functools import cache, partial
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from abalone_assets import survey
from abalone_assets.modeling.card import FittedModel
from abalone_assets.modeling.dataset import DatasetError, take
from abalone_assets.modeling.features import design_matrix
from abalone_assets.modeling.hyperparameters import HyperparameterError, NetworkHyperparameters
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.models.network import NetworkModel, read_network
from abalone_assets.modeling.scores import rmse
from abalone_assets.modeling.training import train
from abalone_assets.modeling.training.learners import learner_of
from abalone_assets.modeling.training.train_network import (
    FEATURES,
    KERAS_FILE,
    KerasMissingError,
    _watched,
)
from abalone_assets_tests.modeling.support import Table, loaded, splits

pytestmark = pytest.mark.xdist_group("keras")

fit = partial(train.fit, "tensorflow")

QUICK = NetworkHyperparameters(hidden_units=16, learning_rate=0.02, epochs=12, patience=3)


def parts(rows: int = 600) -> dict[str, Table]:
    return {
        name: {column: values[:rows] for column, values in splits()[name].items()}
        for name in ("train", "validation", "test")
    }


@cache
def quick() -> FittedModel:
    return fit(parts()["train"], parts()["validation"], QUICK)


def network_of(model: FittedModel) -> NetworkModel:
    return read_network(model.files["network.npz"], Path("network.npz"))


def test_learns_more_than_the_mean() -> None:
    actual = parts()["test"]["rings"]
    predicted = predict_rings(network_of(quick()), parts()["test"])
    baseline = np.full(actual.size, quick().card.training_mean_rings)
    assert rmse(predicted, actual) < 0.8 * rmse(baseline, actual)


def test_same_data_and_seed_give_the_same_bytes_and_another_seed_others() -> None:
    again = fit(parts()["train"], parts()["validation"], QUICK)
    other = fit(parts()["train"], parts()["validation"], replace(QUICK, seed=1, epochs=1))
    assert again.files["network.npz"] == quick().files["network.npz"]
    assert again.card.model_sha256 == quick().card.model_sha256 != other.card.model_sha256


def test_learns_in_one_thread_and_leaves_the_process_as_it_was() -> None:
    import torch

    own = torch.get_num_threads()
    torch.set_num_threads(2)
    seen: set[int] = set()
    try:
        before = random.getstate()
        fit(
            parts(50)["train"],
            parts(50)["validation"],
            replace(QUICK, epochs=1),
            lambda *_: seen.add(torch.get_num_threads()),
        )
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
    model = quick()
    network = loaded(model, tmp_path)
    for name in ("train", "validation"):
        columns = parts()[name]
        scored = rmse(predict_rings(network, columns), columns["rings"])
        assert (
            model.card.metrics[name]["rmse"]
            == scored
            == model.history[name][model.card.best_iteration]
        )
    assert model.card.rows == {"train": 600, "validation": 600}
    assert model.card.framework == "tensorflow"
    assert set(model.card.versions) == {"abalone_assets", "numpy", "python", "keras", "torch"}


def test_stops_early_and_keeps_the_best_epoch() -> None:
    eager = replace(QUICK, learning_rate=0.2, epochs=200, patience=2)
    model = fit(parts(300)["train"], parts(300)["validation"], eager)
    assert len(model.history["validation"]) == model.card.best_iteration + 1 + 2 < 200
    train = parts(300)["train"]
    watched = take(train, _watched(train))
    assert 20 < watched["rings"].size < 80
    best = rmse(predict_rings(network_of(model), watched), watched["rings"])
    shorter = fit(train, parts(300)["validation"], replace(eager, epochs=model.card.best_iteration))
    assert best < rmse(predict_rings(network_of(shorter), watched), watched["rings"])


def test_the_validation_split_calibrates_and_decides_nothing() -> None:
    train, others = parts(100)["train"], parts(100)["test"]
    eager = replace(QUICK, learning_rate=0.2, epochs=30, patience=2)
    one, another = fit(train, parts(100)["validation"], eager), fit(train, others, eager)
    assert one.history["validation"] != another.history["validation"]
    assert one.card.model_sha256 == another.card.model_sha256


def test_reports_progress_every_epoch() -> None:
    seen: list[tuple[int, set[str]]] = []
    fit(
        parts(50)["train"],
        parts(50)["validation"],
        replace(QUICK, epochs=3),
        lambda number, scores: seen.append((number, set(scores))),
    )
    assert seen == [(number, {"train", "validation"}) for number in (1, 2, 3)]


def test_standardises_by_the_rows_that_it_learns_from_alone() -> None:
    network, train = network_of(quick()), parts()["train"]
    learnt = take(train, ~_watched(train))
    matrix = design_matrix(learnt, survey.MEASUREMENTS).astype(float)
    assert network.features == ("sex_M", "sex_F", "sex_I", *survey.MEASUREMENTS)
    assert network.mean[3:] == pytest.approx(matrix.mean(axis=0))
    assert network.scale[3:] == pytest.approx(matrix.std(axis=0))
    assert network.mean[:3].tolist() == [0, 0, 0]
    assert network.scale[:3].tolist() == [1, 1, 1]


def test_what_never_varies_in_training_does_not_explode_later() -> None:
    """A sex that is first met when predicting was once divided by a spread of nought."""
    rows = parts(200)["train"]
    adults = {name: values[rows["sex"] != "I"] for name, values in rows.items()}
    adults["height"] = np.full(adults["sex"].size, 0.12)
    model = fit(adults, parts(200)["validation"], replace(QUICK, epochs=2))
    predicted = predict_rings(network_of(model), splits()["test"])
    assert (np.abs(predicted) < 60).all()


def test_simulated_rows_move_it_only_as_far_as_they_weigh() -> None:
    rows = parts(200)["train"]
    synthetic = np.arange(200) >= 20
    origin = np.where(synthetic, "synthetic", "surveyed").astype(object)
    wild = rows | {"origin": origin, "rings": np.where(synthetic, 29, rows["rings"])}
    mean = {}
    for share in (0.0, 0.1, 0.9):
        chosen = replace(QUICK, epochs=4, max_synthetic_share=share)
        model = fit(wild, parts(200)["validation"], chosen)
        mean[share] = predict_rings(network_of(model), rows).mean()
    assert mean[0.0] < mean[0.1] < mean[0.9]


def test_a_refit_learns_and_stops_as_a_release_does() -> None:
    rows = parts(200)["train"]
    chosen = replace(QUICK, epochs=3)
    network = learner_of("tensorflow", chosen)(rows, np.ones(200))
    assert isinstance(network, NetworkModel)
    released = fit(rows, parts(200)["validation"], chosen)
    assert network.to_npz() == released.files["network.npz"]


def test_simulated_rows_do_not_decide_when_to_stop() -> None:
    rows = parts(200)["train"]
    origin = np.where(np.arange(200) < 50, "synthetic", "surveyed").astype(object)
    watched = _watched({**rows, "origin": origin})
    assert watched.tolist() == (_watched(rows) & (np.arange(200) >= 50)).tolist()
    assert _watched({**rows, "origin": np.full(200, "synthetic")}).tolist() == (
        _watched(rows).tolist()
    )


def test_with_too_few_rows_to_hold_any_out_it_stops_by_those_it_learns_from() -> None:
    rows = parts(60)["train"]
    unwatched = take(rows, np.flatnonzero(~_watched(rows))[:3])
    network = network_of(fit(unwatched, parts(50)["validation"], replace(QUICK, epochs=1)))
    assert np.isfinite(predict_rings(network, rows)).all()


@pytest.mark.parametrize("empty", ["train", "validation"])
def test_refuses_an_empty_split(empty: str) -> None:
    given = parts(50)
    given[empty] = {name: column[:0] for name, column in given[empty].items()}
    with pytest.raises(DatasetError, match="no rows"):
        fit(given["train"], given["validation"], QUICK)


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
def test_says_that_the_network_diverged() -> None:
    rows = parts(50)["train"]
    immense = rows | {"rings": rows["rings"] * 1e300}
    with pytest.raises(HyperparameterError, match=r"diverged: use a learning_rate below 0\.02"):
        fit(immense, parts(50)["validation"], QUICK)


@pytest.mark.parametrize("missing", ["keras", "torch"])
def test_without_keras_one_clear_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    for name in [name for name in sys.modules if name.split(".")[0] == "keras"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(KerasMissingError, match=r"pip install 'abalone-assets\[keras\]'"):
        fit(parts(50)["train"], parts(50)["validation"], QUICK)
