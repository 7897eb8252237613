"""What the Age Calculator is asked, and what it answers: the shapes that its API promises."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictFloat, StrictStr

Measurement = Annotated[
    StrictStr | StrictFloat | None,
    Field(description="A number, as one or as text; a decimal comma will do."),
]


class Question(BaseModel):
    """One animal, and the units of its measurements."""

    model_config = ConfigDict(extra="forbid")

    units: str = Field(
        "mm-g", description="mm-g, or scaled-scaled for the survey's mm / 200 and g / 200."
    )
    sex: str | None = Field(None, description="M male, F female, I infant.")
    length: Measurement = None
    diameter: Measurement = None
    height: Measurement = None
    whole_weight: Measurement = None
    shucked_weight: Measurement = None
    viscera_weight: Measurement = None
    shell_weight: Measurement = None


class ProblemAnswer(BaseModel):
    """What is wrong with a field, or odd about it."""

    column: str | None = Field(description="A survey column, units, or null for the whole animal.")
    rule: str
    message: str


class CheckAnswer(BaseModel):
    """What is wrong with an animal, and what is odd about it."""

    errors: list[ProblemAnswer]
    warnings: list[ProblemAnswer]


class ModelAnswer(BaseModel):
    """The model that answers; errors are in rings, on animals that it had not learnt from."""

    version: int
    trained_at: str | None = Field(description="ISO 8601, UTC.")
    rmse: float | None
    rmse_low: float | None = Field(description="The RMSE's confidence interval.")
    rmse_high: float | None
    test_animals: int | None
    wanted_coverage: float | None = Field(description="Share of animals an interval is to hold.")
    coverage: float | None = Field(description="Share of the test animals that it did hold.")
    report: str | None = Field(description="Path of the report on it, if there is one.")
    usual_error: float | None = Field(description="Out-of-fold RMSE.")
    known_rings: dict[str, list[int]] | None = Field(
        description="For each sex, how many animals it learnt from had 1, 2, … rings."
    )


class LiveAnswer(BaseModel):
    """Which model answers now, or why none does."""

    model: ModelAnswer | None
    waiting: str | None = Field(description="Why none answers; null when one does.")


class Standing(BaseModel):
    """Where an animal stands among the known ones of its sex."""

    sex: str
    animals: int = Field(description="Known animals of this sex.")
    younger: float = Field(description="Share of them that had fewer rings.")


class Age(BaseModel):
    """How old an animal is; the interval is null of a model whose intervals are not calibrated."""

    rings: float
    rings_low: float | None
    rings_high: float | None
    age_years: float = Field(description="Rings + 1.5.")
    age_low: float | None
    age_high: float | None
    warnings: list[ProblemAnswer] = Field(description="Why it is not to be trusted.")


class AgeAnswer(Age):
    """The age of one animal, and of what model."""

    standing: Standing | None
    model: ModelAnswer


class AgedRow(Age):
    """A line of a table, with its age."""

    line: int
    sex: str
    length: str
    diameter: str
    height: str
    whole_weight: str
    shucked_weight: str
    viscera_weight: str
    shell_weight: str
    others: dict[str, str] = Field(description="What else stands in the line, by the header.")


class BadLineAnswer(BaseModel):
    """A line that is no animal."""

    line: int
    text: str
    problems: list[ProblemAnswer]


class AgesAnswer(BaseModel):
    """The ages of many animals."""

    units: str = Field(description="Of the measurements, as the header or the question says.")
    length_unit: str = Field(description="The symbol of their unit of length, such as mm.")
    weight_unit: str = Field(description="The symbol of their unit of weight, such as g.")
    animals: list[AgedRow]
    bad_lines: list[BadLineAnswer]
    model: ModelAnswer


class Refusal(BaseModel):
    """Why a question is not answered."""

    Message: str
    errors: list[ProblemAnswer] = []
