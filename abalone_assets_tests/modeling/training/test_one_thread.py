"""BLAS has one thread while anybody fits, whoever came first and whoever leaves last."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from abalone_assets.modeling.training.one_thread import _libraries, one_blas_thread


def threads() -> set[int]:
    return {library["num_threads"] for library in _libraries().info()}


@pytest.fixture(autouse=True)
def two_threads() -> None:
    for library in _libraries().lib_controllers:
        library.set_num_threads(2)


def test_everybody_has_one_thread_until_the_last_leaves() -> None:
    with ThreadPoolExecutor(1) as other:
        first, second = one_blas_thread(), one_blas_thread()
        other.submit(first.__enter__).result()
        second.__enter__()
        assert threads() == {1}
        other.submit(first.__exit__, None, None, None).result()
        assert threads() == {1}
        second.__exit__(None, None, None)
    assert threads() == {2}


@pytest.mark.parametrize("fits", [1, 2, 4])
def test_whichever_thread_fits_it_is_alone_and_all_is_as_before_afterwards(fits: int) -> None:
    """threadpoolctl lets the first thread that sets a limit set others, and silently no other."""
    together = Barrier(fits)

    def fit(_: int) -> set[int]:
        with one_blas_thread():
            together.wait(timeout=30)
            return threads()

    for _ in range(3):
        with ThreadPoolExecutor(fits) as executor:
            assert list(executor.map(fit, range(fits))) == [{1}] * fits
        assert threads() == {2}


def test_an_error_sets_it_back_too() -> None:
    with pytest.raises(ValueError, match="no"), one_blas_thread():
        raise ValueError("no")
    assert threads() == {2}
