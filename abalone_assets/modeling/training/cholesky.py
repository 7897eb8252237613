"""Linear equations solved alike however many threads there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK: Final = 64
"""Small enough that LAPACK stays in one thread."""

_EVEN: Final = 8
"""OpenBLAS' kernels take so many columns at once, and round otherwise in what is left over."""


def gram(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """``matrix.T @ matrix``, ``(k, k)`` of ``(n, k)``, the same bits with any number of threads.

    One thread and several would have other left-over columns, so columns of zeros fill these up.
    """
    columns = matrix.shape[1]
    even = np.pad(matrix, ((0, 0), (0, -columns % _EVEN))) if columns % _EVEN else matrix
    return np.asarray((even.T @ even)[:columns, :columns])


def solve_positive_definite(
    matrix: NDArray[np.float64], right: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The ``x``, ``(n,)``, for which ``matrix @ x == right``.

    A right-looking blocked Cholesky factorisation (Golub and Van Loan, *Matrix Computations*, 4th
    edition, section 4.2.9). LAPACK cuts the matrix by the number of threads, and so rounds
    otherwise on another machine. So do BLAS' products, except `gram`, in which nearly all of the
    work is.

    Args:
        matrix: Symmetric and positive definite, ``(n, n)``.
        right: ``(n,)``.

    Raises:
        numpy.linalg.LinAlgError: The matrix is not positive definite.
    """
    factor = np.array(matrix)
    solved = np.array(right)
    blocks = [slice(start, start + BLOCK) for start in range(0, len(factor), BLOCK)]
    inverses: list[NDArray[Any]] = []
    for block in blocks:
        below = slice(block.stop, None)
        inverse = np.linalg.inv(np.linalg.cholesky(factor[block, block]))
        panel = np.einsum("ij,kj->ik", factor[below, block], inverse)
        factor[below, block] = panel
        factor[below, below] -= gram(panel.T)
        solved[block] = _product(inverse, solved[block])
        solved[below] -= _product(panel, solved[block])
        inverses.append(inverse)
    for block, inverse in zip(reversed(blocks), reversed(inverses), strict=True):
        below = slice(block.stop, None)
        known = _product(factor[below, block].T, solved[below])
        solved[block] = _product(inverse.T, solved[block] - known)
    return solved


def _product(matrix: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.einsum("ij,j->i", matrix, vector))
