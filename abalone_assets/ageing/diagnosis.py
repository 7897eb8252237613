"""Why a whole file of animals is bad, and how to mend it; ingestion converts none by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from abalone_assets.survey import FEATURES
from abalone_assets.survey.dialect import DELIMITERS, guess_delimiter
from abalone_assets.survey.units import CONTRACT_UNITS, Units

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Sequence

SAMPLE: Final = 1000
"""So many bad records tell what separates the fields."""

_MOST: Final = 0.5


def known_cause(raws: Sequence[str], looks_like: Counter[Units], bad: int) -> str | None:
    """The one reason behind most of a file's bad records, with what to do; None without one.

    Args:
        raws: The text of some of them.
        looks_like: How many clearly are in which other units than told.
        bad: How many there are.
    """
    delimiter = guess_delimiter("\n".join(raws), len(FEATURES))
    if delimiter and delimiter != ",":
        return (
            f"the fields are separated by {DELIMITERS[delimiter]}: export it with commas, and "
            "points in its numbers; `abalone predict FILE` reads it as it is"
        )
    for units, count in looks_like.most_common(1):
        if count > _MOST * bad:
            return f"these look like {units.words}: {_mend(units)}"
    return None


def _mend(units: Units) -> str:
    if units == CONTRACT_UNITS:
        return "correct the units in its header"
    return (
        f"tell the units in a header, such as Length ({units.length.symbol}) and Whole weight "
        f"({units.weight.symbol})"
    )
