import math

import numpy as np
import pytest

from abalone_assets.modeling.dataset import take, target
from abalone_assets.modeling.features import KERNEL_FEATURES, design_matrix
from abalone_assets.modeling.hyperparameters import HyperparameterError, KernelHyperparameters
from abalone_assets.modeling.models.kernel import KernelModel, kernel_from, likeness, standardised
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.scores import rmse
from abalone_assets.modeling.training import train_kernel
from abalone_assets.modeling.training.cholesky import solve_positive_definite
from abalone_assets.modeling.training.train_kernel import fit_kernel
from abalone_assets_tests.modeling.support import Table, splits
from abalone_assets_tests.modeling.support import first_rows as rows

TINY = KernelModel(
    features=("length", "height"),
    mean=np.asarray([1.0, 0.0]),
    scale=np.asarray([2.0, 1.0]),
    landmarks=np.asarray([[0.0, 0.0], [0.0, 1.0]], dtype=np.float32),
    weights=np.asarray([0.5, -0.25]),
    intercept=2.0,
    length_scale=math.sqrt(3),
)
CHOSEN = KernelHyperparameters(landmarks=80)


def fitted(columns: Table, chosen: KernelHyperparameters = CHOSEN) -> KernelModel:
    return fit_kernel(columns, np.ones(len(columns["sex"])), chosen)


def test_answers_by_the_matern_kernel_of_the_distance_to_its_landmarks() -> None:
    # standardised: at the first landmark, which is 1 from the second; and far away, where the
    # first feature is clipped to 4 and the second to -4
    matrix = np.asarray([[1, 0], [99, -99]], dtype=np.float32)
    near = 2 + 0.5 - 0.25 * (2 * math.exp(-1))
    first, second = (0.5 * (1 + far) * math.exp(-far) for far in (math.sqrt(32), math.sqrt(41)))
    assert TINY.predict(matrix) == pytest.approx(
        [math.exp(near), math.exp(2 + first - second / 2)], rel=1e-12
    )


def test_a_rows_answer_does_not_depend_on_its_neighbours_nor_on_the_chunk() -> None:
    model = fitted(rows(300))
    matrix = design_matrix(splits()["train"], model.features)[:1100]
    together = model.predict(matrix)
    for start, count in (*((row, 1) for row in range(60)), (3, 2), (500, 77), (511, 2)):
        part = slice(start, start + count)
        assert np.array_equal(model.predict(matrix[part]), together[part])
    assert model.predict(matrix[:0]).shape == (0,)


def test_answers_as_the_plain_formula_does() -> None:
    """Products by `einsum` and BLAS, and squares of distances by parts, are the same kernel."""
    model = fitted(rows(300))
    matrix = design_matrix(splits()["test"], model.features)
    x, z = standardised(matrix, model.mean, model.scale), model.landmarks.astype(float)
    distance = math.sqrt(3) * np.linalg.norm(x[:, None] - z, axis=2) / model.length_scale
    alike = (1 + distance) * np.exp(-distance)
    assert np.abs(likeness(x, z, model.length_scale) - alike).max() < 1e-12
    plain = np.exp(model.intercept + alike @ model.weights)
    assert model.predict(matrix) == pytest.approx(plain, rel=1e-11)


def test_learns_more_than_the_mean_and_gets_the_mean_right() -> None:
    train, test = rows(600), splits()["test"]
    model = fitted(train)
    baseline = np.full(len(test["sex"]), target(train).mean())
    assert rmse(predict_rings(model, test), target(test)) < 0.8 * rmse(baseline, target(test))
    assert predict_rings(model, train).mean() == pytest.approx(target(train).mean())
    assert model.features == KERNEL_FEATURES


def test_with_all_rows_as_landmarks_it_is_the_gaussian_process() -> None:
    """Subset of regressors on every row gives the exact process's mean (Rasmussen, 8.3.1)."""
    train = rows(120)
    model = fitted(train, KernelHyperparameters(landmarks=5000))
    assert model.landmarks.shape == (120, 21)
    landmarks = model.landmarks.astype(float)
    gram = likeness(landmarks, landmarks, 8.0)
    logs = np.log(target(train))
    weights = np.linalg.solve(gram + 0.6 * np.eye(120), logs - logs.mean())
    exact = np.exp(gram @ weights + logs.mean())
    exact *= target(train).mean() / exact.mean()
    assert predict_rings(model, train) == pytest.approx(exact, rel=1e-5)


def test_a_row_of_weight_two_counts_as_two_rows() -> None:
    train = rows(50)
    twice = {name: np.concatenate([values, values[:10]]) for name, values in train.items()}
    weights = np.where(np.arange(50) < 10, 2.0, 1.0)
    model, other = fit_kernel(train, weights, CHOSEN), fitted(twice)
    test = splits()["test"]
    assert predict_rings(model, test) == pytest.approx(predict_rings(other, test), rel=1e-6)


def test_heavier_rows_are_drawn_as_landmarks_sooner() -> None:
    weights = np.where(np.arange(2000) < 1000, 1.0, 0.01)
    drawn = train_kernel._landmarks(weights, KernelHyperparameters(landmarks=500))
    assert (drawn < 1000).mean() > 0.95
    assert np.unique(drawn).size == 500


def test_same_data_and_seed_give_the_same_bits_and_another_seed_others() -> None:
    again, other = fitted(rows(300)), fitted(rows(300), KernelHyperparameters(landmarks=80, seed=1))
    assert np.array_equal(again.weights, fitted(rows(300)).weights)
    assert not np.array_equal(again.landmarks, other.landmarks)


def test_memory_for_many_rows_is_bounded_without_changing_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = fitted(rows(300))
    monkeypatch.setattr(train_kernel, "CHUNK_ROWS", 64)
    assert fitted(rows(300)).weights == pytest.approx(whole.weights, rel=1e-6)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_learns_from_a_handful_of_rows(count: int) -> None:
    model = fitted(rows(count))
    assert np.isfinite(predict_rings(model, splits()["test"])).all()


def test_equal_rows_are_no_trouble() -> None:
    same = take(rows(1), np.zeros(30, dtype=int))
    assert predict_rings(fitted(same), rows(1)) == pytest.approx(target(rows(1)))


def test_says_what_to_change_when_rounding_errors_outweigh_the_noise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(train_kernel, "JITTER", -1.0)
    with pytest.raises(HyperparameterError, match=r"use a noise above 0\.6 or a length_scale"):
        fitted(rows(40))


@pytest.mark.parametrize("size", [1, 63, 64, 65, 200])
def test_solves_equations_as_lapack_does(size: int) -> None:
    random = np.random.default_rng(size)
    half = random.normal(size=(size, size + 5))
    matrix, right = half @ half.T, random.normal(size=size)
    before = matrix.copy()
    solved = solve_positive_definite(matrix, right)
    assert solved == pytest.approx(np.linalg.solve(matrix, right), rel=1e-6)
    assert np.array_equal(matrix, before)


def test_refuses_a_matrix_that_is_not_positive_definite() -> None:
    with pytest.raises(np.linalg.LinAlgError):
        solve_positive_definite(-np.eye(3), np.ones(3))


def test_survives_the_round_trip() -> None:
    again = kernel_from(TINY.arrays())
    matrix = np.asarray([[0.3, 0.1]], dtype=np.float32)
    assert again.predict(matrix) == TINY.predict(matrix)
    assert (again.importance(), again.contributions(matrix)) == (None, None)  # type: ignore[func-returns-value] # None is the point


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": np.zeros(3)}, "do not fit together"),
        ({"weights": np.zeros(3)}, "do not fit together"),
        ({"landmarks": np.zeros(2)}, "do not fit together"),
        ({"weights": np.asarray([1, np.nan])}, "not finite"),
        ({"intercept": np.asarray(np.inf)}, "not finite"),
        ({"scale": np.asarray([1.0, 0.0])}, "not positive"),
        ({"length_scale": np.asarray(0.0)}, "not positive"),
        ({"landmarks": np.zeros((0, 2)), "weights": np.zeros(0)}, "no landmarks"),
    ],
)
def test_refuses_arrays_that_are_no_kernel(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        kernel_from(TINY.arrays() | changes)
