"""Which rows are judged together: those of a sex, and those of an age band."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from abalone_assets import survey

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from abalone_assets.modeling.features import Columns

AGE_BANDS: Final = ((1, 5), (6, 10), (11, 15), (16, survey.MAX_RINGS))
"""First and last ring count of each band; a ring count plus 1.5 is the age in years."""


def slice_masks(columns: Columns) -> dict[str, dict[str, NDArray[np.bool_]]]:
    """The rows of each sex and of each age band; a slice without rows is left out.

    Returns:
        ``{"sex": {"M": mask, ...}, "age_band": {"6-10 rings": mask, ...}}``.
    """
    sex = np.asarray(columns["sex"], dtype=object)
    rings = np.asarray(columns[survey.TARGET], dtype=np.float64)
    by_sex = {each: sex == each for each in survey.SEXES}
    by_age = {age_band_name(low, high): (rings >= low) & (rings <= high) for low, high in AGE_BANDS}
    return {"sex": _inhabited(by_sex), "age_band": _inhabited(by_age)}


def _inhabited(masks: Mapping[str, NDArray[np.bool_]]) -> dict[str, NDArray[np.bool_]]:
    return {name: mask for name, mask in masks.items() if mask.any()}


def age_band_name(low: int, high: int) -> str:
    """An age band as people read it, such as ``6-10 rings`` or ``16+ rings``."""
    return f"{low}+ rings" if high >= survey.MAX_RINGS else f"{low}-{high} rings"
