"""Animals that were sent twice, the second time with a reading or more that differs a little.

A row's key follows from its values, so such a row gets a fold and a split of its own, and a model
is then scored on animals that it has learnt from under another name.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets import survey

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns

_SCALE: Final = 10**survey.MEASUREMENT_DECIMALS
_STEP: Final = {"length": 50, "diameter": 50, "height": 50}
_WEIGHT_STEP: Final = 5
"""1 mm, 0.005 in the file's units, and 0.1 g, 0.0005, both in units of 0.0001."""


def near_duplicates(columns: Columns) -> int:
    """Count the rows that have another one within one step of each instrument.

    That is, of the same sex, with all seven measurements at most 0.005 (lengths) and 0.0005
    (weights) apart; whatever their rings.

    Args:
        columns: The survey columns by name, ``n`` values each.
    """
    _, sex = np.unique(np.asarray(columns["sex"], dtype=str), return_inverse=True)
    measured = np.column_stack([_fixed_point(columns[name]) for name in survey.MEASUREMENTS])
    step = np.array([_STEP.get(name, _WEIGHT_STEP) for name in survey.MEASUREMENTS])
    whole = survey.MEASUREMENTS.index("whole_weight")
    order = np.lexsort((measured[:, whole], sex))
    sex, measured = sex[order], measured[order]
    has_duplicate = np.zeros(order.size, dtype=bool)
    near = np.arange(order.size)
    for distance in range(1, order.size):
        near = near[near + distance < order.size]
        other = near + distance
        in_window = measured[other, whole] - measured[near, whole] <= step[whole]
        near = near[in_window & (sex[other] == sex[near])]
        if not near.size:
            break
        other = near + distance
        close = (np.abs(measured[other] - measured[near]) <= step).all(axis=1)
        has_duplicate[near[close]] = has_duplicate[other[close]] = True
    return int(has_duplicate.sum())


def _fixed_point(values: Sequence[Any] | NDArray[Any]) -> NDArray[np.int64]:
    return np.rint(np.asarray(values, dtype=np.float64) * _SCALE).astype(np.int64)
