"""What a model answered, as the Age Calculator tells it: years, interval, standing, doubts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from abalone_assets.pages.calculator.doubts import doubts
from abalone_assets.survey import age_years

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.modeling.known_animals import KnownAnimals
    from abalone_assets.pages.calculator.facts import ModelFacts
    from abalone_assets.pages.calculator.measured import Animal
    from abalone_assets.pages.calculator.table import TableRow
    from abalone_assets.survey.units import Units

_DECIMALS = 4


def answer_of(
    predicted: Mapping[str, float], animal: Animal, units: Units, facts: ModelFacts
) -> dict[str, Any]:
    """One animal's age, and of what model."""
    sex, rings = str(animal.values[0]), predicted["rings"]
    return {
        **age_of(predicted, animal, units, facts),
        "standing": None if facts.known is None else standing(facts.known, sex, rings),
        "model": facts.document(),
    }


def aged_row(
    predicted: Mapping[str, float], row: TableRow, units: Units, facts: ModelFacts
) -> dict[str, Any]:
    """A line of a table, as it stood there, with its age."""
    others = {"others": dict(row.others)}
    return {"line": row.line, **row.fields, **others, **age_of(predicted, row.animal, units, facts)}


def age_of(
    predicted: Mapping[str, float], animal: Animal, units: Units, facts: ModelFacts
) -> dict[str, Any]:
    """An animal's age in rings and years, and why it is not to be trusted.

    Args:
        predicted: As the endpoint's JSON answer has it.
        animal: Whose age it is.
        units: To name measurements in.
        facts: Of the model that answered.
    """
    rings, low, high = (predicted.get(name) for name in ("rings", "rings_low", "rings_high"))
    reasons = doubts(animal, units, facts.known, rings, facts.usual_error)
    return {
        "rings": rings,
        "rings_low": low,
        "rings_high": high,
        "age_years": _years(rings),
        "age_low": _years(low),
        "age_high": _years(high),
        "warnings": [asdict(each) for each in reasons],
    }


def standing(known: KnownAnimals, sex: str, rings: float) -> dict[str, Any] | None:
    """Where so many rings stand among the known animals of a sex; None when there are none."""
    counts = known.rings.get(sex)
    if not counts:
        return None
    fewer = sum(count for number, count in enumerate(counts, start=1) if number < rings)
    return {"sex": sex, "animals": sum(counts), "younger": round(fewer / sum(counts), _DECIMALS)}


def _years(rings: float | None) -> float | None:
    return None if rings is None else round(age_years(rings), _DECIMALS)
