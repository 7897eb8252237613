"""Linear equations of a symmetric matrix, by NumPy alone: it has no triangular solver."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

BLOCK: Final = 64
"""Rows of a triangle whose diagonal block is inverted: the rest is products."""


def solve_positive_definite(
    matrix: NDArray[np.float64], right: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The ``x``, ``(n,)``, for which ``matrix @ x == right``.

    By LAPACK's Cholesky factor and substitution in blocks (Golub and Van Loan, *Matrix
    Computations*, 4th edition, sections 3.1.4 and 4.2). The bits depend on BLAS' number of threads.

    Args:
        matrix: Symmetric and positive definite, ``(n, n)``.
        right: ``(n,)``.

    Raises:
        numpy.linalg.LinAlgError: The matrix is not positive definite.
    """
    factor = np.linalg.cholesky(matrix)
    solved = np.array(right)
    blocks = [slice(start, start + BLOCK) for start in range(0, len(factor), BLOCK)]
    inverses = [np.linalg.inv(factor[block, block]) for block in blocks]
    for block, inverse in zip(blocks, inverses, strict=True):
        known = factor[block, : block.start] @ solved[: block.start]
        solved[block] = inverse @ (solved[block] - known)
    for block, inverse in zip(reversed(blocks), reversed(inverses), strict=True):
        known = factor[block.stop :, block].T @ solved[block.stop :]
        solved[block] = inverse.T @ (solved[block] - known)
    return solved
