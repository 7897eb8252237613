"""When an answer is not to be trusted, in plain words: what is odd about an animal, for a model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from abalone_assets.pages.calculator.problems import Problem
from abalone_assets.survey import COLUMNS, FEATURES, MEASUREMENTS, SOFT_RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from abalone_assets.modeling.known_animals import KnownAnimals
    from abalone_assets.pages.calculator.measured import Animal
    from abalone_assets.survey.units import Unit, Units

OLD_ERROR: Final = 1.5
"""So many times its usual error, and a model is not to be trusted; UCI's animals of predicted 13
rings and more reach it."""

SEX_WORDS: Final = {"M": "male", "F": "female", "I": "infant"}
SOFT_WORDS: Final = {
    "shucked_over_whole": "the meat weighs more than the whole animal",
    "parts_over_whole": "meat, gut and shell weigh more than the whole animal",
    "diameter_over_length": "the diameter is larger than the length",
    "height_outlier": "hardly any abalone is this high",
}


def doubts(
    animal: Animal,
    units: Units,
    known: KnownAnimals | None,
    rings: float | None = None,
    usual_error: float | None = None,
) -> list[Problem]:
    """Why an answer on this animal is not to be trusted; empty when nothing speaks against it.

    Args:
        animal: Whose age was asked.
        units: To name measurements in.
        known: What the model knows of animals, if its card tells.
        rings: What the model answered, if it was asked already.
        usual_error: Its RMSE on animals that it had not learnt from, in rings, if that is known.
    """
    found = [*animal.odd, *_broken_soft_rules(animal)]
    if known is None:
        return found
    found += _outside(animal, units, known)
    old = None if rings is None or usual_error is None else _old(known, rings, usual_error)
    return found if old is None else [*found, old]


def _broken_soft_rules(animal: Animal) -> Iterator[Problem]:
    row = dict(zip(FEATURES, animal.values, strict=True))
    for rule in SOFT_RULES:
        if rule.is_violated(row):
            yield Problem(rule.terms[0], rule.name, f"{SOFT_WORDS[rule.name]}: check it")
    for column in COLUMNS:
        if column.minimum is not None and float(row[column.name]) < column.minimum:
            said = f"{column.name} is smaller than any abalone's: check it, and the units"
            yield Problem(column.name, "too_small", said)


def _outside(animal: Animal, units: Units, known: KnownAnimals) -> Iterator[Problem]:
    """The measurements that no animal of its sex reached which the model learnt from."""
    row = dict(zip(FEATURES, animal.values, strict=True))
    sex = str(row["sex"])
    ranges: Mapping[str, tuple[float, float]] | None = known.ranges.get(sex)
    if ranges is None:
        yield Problem("sex", "unknown_sex", f"the model learnt from no {SEX_WORDS[sex]}")
        return
    told = units.by_column()
    for name in MEASUREMENTS:
        low, high = ranges[name]
        unit = told[name]
        if unit is not None and not low <= float(row[name]) <= high:
            said = f"{_shown(low, unit)} to {_shown(high, unit)} {unit.symbol}"
            message = f"{name}: the model learnt from {SEX_WORDS[sex]}s of {said} only"
            yield Problem(name, "outside", message)


def _shown(number: float, unit: Unit) -> str:
    return f"{number / unit.to_contract(1.0):.4g}"


def _old(known: KnownAnimals, rings: float, usual_error: float) -> Problem | None:
    error = known.error_at(rings)
    if error is None or error.rmse <= OLD_ERROR * usual_error:
        return None
    message = (
        f"an old animal: models like this one were off by {error.rmse:.1f} rings on "
        f"{error.rows} animals that they took to be about as old, against {usual_error:.1f} on all"
    )
    return Problem(None, "old", message)
