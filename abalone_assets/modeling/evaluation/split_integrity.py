"""Whether the test split is still what the rows' hash makes it: nobody chose its rows.

The hash is computed here again, with NumPy on integers: see `abalone_assets.survey.splits`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

import numpy as np

from abalone_assets import survey
from abalone_assets.modeling.dataset import concat, is_surveyed, row_keys, take
from abalone_assets.modeling.evaluation.near_duplicates import near_duplicates
from abalone_assets.survey.splits import BUCKETS, HASH_BASE, HASH_MODULUS, buckets_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns


class SplitIntegrity(TypedDict):
    """Rows that are not where their hash says, and near duplicates; see `split_integrity`."""

    misplaced: int
    leaked: int
    missing: int | None
    foreign: int | None
    near_twins: int
    surveyed: int


def row_buckets(columns: Columns) -> NDArray[np.int64]:
    """The hash bucket, 0 to 99, of each of ``n`` rows: the same as the preparation computes.

    Args:
        columns: The nine survey columns by name.
    """
    scale = 10**survey.MEASUREMENT_DECIMALS
    sex = np.asarray(columns["sex"], dtype=object)
    code = np.zeros(len(sex), dtype=np.int64)
    for number, each in enumerate(survey.SEXES, start=1):
        code[sex == each] = number
    fields = [np.asarray(columns[survey.TARGET]).astype(np.int64)]
    fields += [
        np.rint(np.asarray(columns[name], dtype=np.float64) * scale).astype(np.int64)
        for name in survey.MEASUREMENTS
    ]
    accumulated = code
    for field in [*fields, np.zeros_like(code)]:
        accumulated = np.asarray((accumulated * HASH_BASE + field) % HASH_MODULUS)
    return accumulated % BUCKETS


def split_integrity(
    train: Columns,
    validation: Columns,
    test: Columns,
    *,
    missing: int | None,
    foreign: int | None,
) -> SplitIntegrity:
    """Count the rows that are not where their hash says, and near duplicates among surveyed ones.

    Args:
        train: The training split.
        validation: The validation split.
        test: The test split.
        missing: Rows of all data whose hash says test and that the test split lacks, as counted
            where all data is; None when nobody counted.
        foreign: Rows of the test split that all data lacks or has fewer of, counted likewise.

    Returns:
        ``misplaced``: rows of the test split whose hash says another split, and repeats of a row.
        ``leaked``: rows of the others whose hash says test, or that are in the test split as well.
        ``missing`` and ``foreign``: as given. ``near_twins``: how many of the ``surveyed`` rows of
        all three have another within one instrument step; see `near_duplicates.near_duplicates`.
    """
    others, keys = concat([train, validation]), row_keys(test)
    also_in_test = np.isin(row_keys(others), keys)
    animals = _surveyed([train, validation, test])
    return {
        "misplaced": int((~_says_test(test) | _repeated(keys)).sum()),
        "leaked": int((_says_test(others) | also_in_test).sum()),
        "missing": missing,
        "foreign": foreign,
        "near_twins": near_duplicates(animals),
        "surveyed": len(animals["sex"]),
    }


def _surveyed(splits: Sequence[Columns]) -> Columns:
    return concat([take(columns, is_surveyed(columns)) for columns in splits])


def _repeated(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which rows another one of the same key comes before."""
    repeated = np.ones(keys.size, dtype=np.bool_)
    repeated[np.unique(keys, return_index=True)[1]] = False
    return repeated


def _says_test(columns: Columns) -> NDArray[np.bool_]:
    buckets = row_buckets(columns)
    wanted = buckets_of("test_split")
    return (buckets >= wanted.start) & (buckets < wanted.stop)
