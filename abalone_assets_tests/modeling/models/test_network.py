import io
from pathlib import Path

import numpy as np
import pytest

from abalone_assets.errors import ModelArchiveError
from abalone_assets.modeling.features import design_matrix
from abalone_assets.modeling.models.network import NetworkModel, read_network
from abalone_assets_tests.modeling.support import quick_network, resaved, splits

TINY = NetworkModel(
    features=("length", "height"),
    mean=np.asarray([1.0, 0.0]),
    scale=np.asarray([2.0, 1.0]),
    layers=(
        (np.asarray([[1.0, -1.0], [0.0, 0.0]]), np.asarray([0.0, 0.5])),
        (np.asarray([[10.0], [4.0]]), np.asarray([7.0])),
    ),
)


def read(data: bytes) -> NetworkModel:
    return read_network(data, Path("network.npz"))


def test_standardises_then_rectifies_between_layers_and_is_linear_at_the_end() -> None:
    matrix = np.asarray([[3, 9], [-3, 9], [1, 9]], dtype=np.float32)
    # standardised length: 1, -2, 0; hidden: (1, 0), (0, 2.5), (0, .5)
    assert TINY.predict(matrix).tolist() == [17.0, 17.0, 9.0]


def test_a_rows_answer_does_not_depend_on_its_neighbours() -> None:
    network = read(quick_network().files["network.npz"])
    matrix = design_matrix(splits()["test"], network.features)
    together = network.predict(matrix)
    for start, count in ((0, 1), (3, 2), (20, 77)):
        rows = slice(start, start + count)
        assert np.array_equal(network.predict(matrix[rows]), together[rows])


def test_survives_the_round_trip() -> None:
    data = TINY.to_npz()
    again = read(data)
    matrix = np.asarray([[0.3, 0.1]], dtype=np.float32)
    assert again.features == TINY.features
    assert again.predict(matrix) == TINY.predict(matrix)
    assert again.to_npz() == data


def test_keeps_no_account_of_its_features() -> None:
    assert TINY.importance() is None  # type: ignore[func-returns-value] # None is the point


def bare_array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.eye(2))
    return file.getvalue()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"PK no zip",
        bare_array(),
        TINY.to_npz()[:200],
        resaved(TINY.to_npz(), features=None),
        resaved(TINY.to_npz(), bias_1=None),
        resaved(TINY.to_npz(), mean=np.zeros(3)),
        resaved(TINY.to_npz(), kernel_0=np.zeros((5, 2))),
        resaved(TINY.to_npz(), kernel_1=np.zeros((2, 2)), bias_1=np.zeros(2)),
        resaved(TINY.to_npz(), kernel_1=np.asarray(1.0)),
        resaved(TINY.to_npz(), mean=np.asarray([print, 1], dtype=object)),
        resaved(TINY.to_npz(), mean=np.asarray(["a", "b"])),
    ],
    ids=[
        *("empty", "text", "one array", "half", "no features", "no bias", "other mean"),
        *("other inputs", "two outputs", "no matrix", "a pickle", "words"),
    ],
)
def test_refuses_what_is_no_network(data: bytes) -> None:
    with pytest.raises(ModelArchiveError, match=r"network\.npz: not a network"):
        read(data)
