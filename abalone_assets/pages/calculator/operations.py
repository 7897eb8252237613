"""What the Age Calculator's routes promise to programs."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any, Final

from abalone_assets.pages.calculator.questions import (
    AgeAnswer,
    AgesAnswer,
    CheckAnswer,
    LiveAnswer,
    Question,
    Refusal,
)
from abalone_assets.pages.operations import Body, Operation

_TAG: Final = "age calculator"
_ANIMAL: Final[dict[str, Any]] = {
    "units": "mm-g",
    "sex": "M",
    "length": 91,
    "diameter": 73,
    "height": 19,
    "whole_weight": 102.8,
    "shucked_weight": 44.9,
    "viscera_weight": 20.2,
    "shell_weight": 30,
}
_LINES: Final = "M,91,73,19,102.8,44.9,20.2,30\nF,106,84,27,135.4,51.3,28.3,42\n"
_REFUSED: Final = [Body(Refusal)]
_NO_ANIMAL: Final = {
    HTTPStatus.BAD_REQUEST: _REFUSED,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: _REFUSED,
}
_NO_ANSWER: Final = {**_NO_ANIMAL, HTTPStatus.SERVICE_UNAVAILABLE: _REFUSED}

OPERATIONS: Final = {
    "/age/model": Operation(
        "live_model",
        "Which model answers, and how good it is",
        {HTTPStatus.OK: [Body(LiveAnswer)]},
        tag=_TAG,
    ),
    "/age/check": Operation(
        "check_animal",
        "What is wrong with an animal, or odd about it; it may be incomplete, and is not captured",
        {HTTPStatus.OK: [Body(CheckAnswer)], **_NO_ANIMAL},
        [Body(Question, example=_ANIMAL)],
        method="post",
        tag=_TAG,
    ),
    "/age": Operation(
        "age_of_animal",
        "How old an animal is, and how far to trust that",
        {HTTPStatus.OK: [Body(AgeAnswer)], **_NO_ANSWER},
        [Body(Question, example=_ANIMAL)],
        method="post",
        tag=_TAG,
    ),
    "/ages": Operation(
        "ages_of_table",
        "How old the animals of a CSV text are, line by line",
        {HTTPStatus.OK: [Body(AgesAnswer)], **_NO_ANSWER},
        [Body(media_type="text/csv", example=_LINES)],
        {"units": ("query", "mm-g")},
        method="post",
        tag=_TAG,
    ),
}
