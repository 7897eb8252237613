import numpy as np
import pytest

from abalone_assets.modeling.training.weights import counted, sample_weights, synthetic_weight_share


def columns(surveyed: int, synthetic: int) -> dict[str, np.ndarray]:
    origin = np.asarray(["surveyed"] * surveyed + ["synthetic"] * synthetic, dtype=object)
    return {"sex": np.full(origin.size, "M", dtype=object), "origin": origin}


@pytest.mark.parametrize("share", [0.1, 0.25, 0.9])
def test_simulated_rows_hold_at_most_their_share_of_the_weight(share: float) -> None:
    rows = columns(90, 5000)
    weights = sample_weights(rows, share)
    assert (weights[:90] == 1).all()
    assert np.unique(weights[90:]).size == 1
    assert synthetic_weight_share(rows, weights) == pytest.approx(share)


@pytest.mark.parametrize("rows", [columns(90, 10), columns(90, 0), columns(0, 10)])
def test_rows_count_fully_where_the_cap_does_not_bite(rows: dict[str, np.ndarray]) -> None:
    """Ten of a hundred rows are a tenth; and where nothing is surveyed there is no other choice."""
    assert sample_weights(rows, 0.1).tolist() == [1.0] * len(rows["sex"])


def test_all_rows_count_fully_when_nothing_is_known_of_their_origin() -> None:
    assert sample_weights({"sex": ["M", "F"]}, 0.0).tolist() == [1.0, 1.0]


def test_a_share_of_nought_leaves_simulated_rows_out() -> None:
    rows = columns(3, 2)
    kept, weights = counted(rows, sample_weights(rows, 0.0))
    assert list(kept["origin"]) == ["surveyed"] * 3
    assert weights.tolist() == [1.0] * 3
