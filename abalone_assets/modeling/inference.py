"""SageMaker's inference contract: ``model_fn``, ``input_fn``, ``predict_fn`` and ``output_fn``.

The same code answers behind the local endpoint and, from a model archive's ``code`` folder, in
SageMaker's XGBoost container, where nothing of this project is installed: it needs NumPy, and
XGBoost for a model with boosted trees. The contract is that of the `SageMaker inference toolkit
<https://github.com/aws/sagemaker-inference-toolkit#implementation-steps>`_.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np

from abalone_assets import survey
from abalone_assets.errors import AbaloneError, SurveyError
from abalone_assets.modeling.loading import load_intervals, load_model
from abalone_assets.modeling.models.intervals import Intervals
from abalone_assets.modeling.models.model import Model, predict_rings
from abalone_assets.modeling.rows import Row, Rows, csv_columns, json_columns
from abalone_assets.survey.columns import SCALE
from abalone_assets.survey.units import CONTRACT_UNITS, Units

if TYPE_CHECKING:
    import os
    from collections.abc import Sequence

    from numpy.typing import NDArray

CSV: Final = "text/csv"
JSON: Final = "application/json"
CONTENT_TYPES: Final = (CSV, JSON)

UNITS: Final = "units"
"""The parameter of a content type that tells the units of a request's measurements."""

ANSWER_DECIMALS: Final = 4

_STEPS: Final = 10**ANSWER_DECIMALS
_WHOLE_NUMBERS: Final = 100
_MANY: Final = 1000
"""Numbers that are worth making the pieces for, of which they are put together."""


class RequestError(AbaloneError):
    """A request that cannot be answered, by the client's mistake.

    Attributes:
        status: The HTTP status that says so.
    """

    status: ClassVar[int]


class InvalidRequestError(RequestError):
    """A request body that holds no abalones.

    Attributes:
        row: The offending row, from 1, or None when the body as a whole cannot be read.
        column: The offending survey column, or None when it is the row as a whole.
    """

    status = 400

    def __init__(self, reason: str, row: int | None = None, column: str | None = None) -> None:
        place = ", ".join(
            part for part in (row and f"row {row}", column and f"column {column}") if part
        )
        super().__init__(f"{place}: {reason}" if place else reason)
        self.row = row
        self.column = column


class UnsupportedContentTypeError(RequestError):
    """A content type that is neither ``text/csv`` nor ``application/json``."""

    status = 415


class NotAcceptableError(UnsupportedContentTypeError):
    """A client that takes answers of neither type."""

    status = 406


@dataclass(frozen=True)
class Predictor:
    """What answers requests.

    Attributes:
        model: Predicts the rings.
        intervals: Says how far they may be wrong, if the model's training could tell.
    """

    model: Model
    intervals: Intervals | None = None


@dataclass(frozen=True)
class Predictions:
    """The answer to a request, one value for each of its ``n`` rows.

    Attributes:
        rings: Predicted rings, ``(n,)``.
        low: Lower ends of the prediction intervals in rings, ``(n,)``, if there are any.
        high: Their upper ends.
        asked_in: The media type of the request, which a client that accepts anything gets back.
    """

    rings: NDArray[np.float64]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    asked_in: str = CSV


def model_fn(model_dir: str | os.PathLike[str]) -> Predictor:
    """Load what answers from the folder that an archive was extracted to.

    Raises:
        ModelArchiveError: As `load_model` and `load_intervals`.
    """
    return Predictor(load_model(model_dir), load_intervals(model_dir))


def input_fn(body: bytes | bytearray | str, content_type: str) -> Rows:
    """Read the abalones of a request.

    Args:
        body: ``text/csv``: eight fields a line, without a header. ``application/json``:
            ``{"instances": [...]}``, each an array of eight or an object by column name.
        content_type: The body's media type. Its parameter ``units``, such as ``units=mm-g``, says
            what the measurements are in when that is not mm / 200 and g / 200; others, such as the
            charset, are ignored.

    Returns:
        At least one valid row.

    Raises:
        UnsupportedContentTypeError: Neither of the two types, or unknown units.
        InvalidRequestError: The body cannot be read, is empty, or holds an impossible abalone.
    """
    media_type, units = _read_content_type(content_type)
    text = _decoded(body)
    if media_type == CSV:
        columns = csv_columns(text, units)
        rows = [] if columns else _csv_rows(text)
    else:
        instances = _instances(text)
        columns = json_columns(instances, units)
        rows = [] if columns else [_instance(*each) for each in enumerate(instances, start=1)]
    if columns:
        return Rows(columns, media_type)
    if not rows:
        raise InvalidRequestError("no rows: send at least one abalone")
    return Rows.of([_validated(*each, units) for each in enumerate(rows, start=1)], media_type)


def _read_content_type(content_type: str) -> tuple[str, Units]:
    """The media type, in lower case, and the units that it tells."""
    media_type, *parameters = (part.strip() for part in content_type.split(";"))
    if media_type.lower() not in CONTENT_TYPES:
        raise UnsupportedContentTypeError(
            f"content type {content_type!r} is not supported: send {' or '.join(CONTENT_TYPES)}"
        )
    pairs = [parameter.partition("=") for parameter in parameters]
    told = {
        value.strip().strip('"').lower()
        for name, _, value in pairs
        if name.strip().lower() == UNITS
    }
    try:
        units = {Units.named(name) for name in told} or {CONTRACT_UNITS}
    except SurveyError as error:
        raise UnsupportedContentTypeError(f"content type {content_type!r}: {error}") from error
    if len(units) > 1:
        raise UnsupportedContentTypeError(f"content type {content_type!r} tells several units")
    return media_type.lower(), units.pop()


def _decoded(body: bytes | bytearray | str) -> str:
    # As SageMaker's toolkit decodes what it hands over as text, so that both refuse the same.
    text = body if isinstance(body, str) else body.decode("utf-8", errors="replace")
    valid, damaged, _ = text.partition("\ufffd")
    if damaged:
        raise InvalidRequestError(f"the body is not UTF-8: byte {len(valid.encode())}")
    return text.removeprefix("\ufeff")


def _csv_rows(text: str) -> list[Row]:
    try:
        return [row for row in csv.reader(io.StringIO(text, newline=""), strict=True) if row]
    except csv.Error as error:
        raise InvalidRequestError(f"the body is not CSV: {error}") from error


def _instances(text: str) -> list[object]:
    try:
        # Integers as floats: a thousand-digit one is then simply not finite.
        document = json.loads(text, parse_int=float)
    except (ValueError, RecursionError) as error:
        raise InvalidRequestError(f"the body is not JSON: {error}") from error
    instances = document.get("instances") if isinstance(document, dict) else None
    if not isinstance(instances, list):
        raise InvalidRequestError('the body must be {"instances": [...]}')
    return instances


def _instance(number: int, instance: object) -> Row:
    if isinstance(instance, dict):
        return _by_name(instance, number)
    if not isinstance(instance, list):
        raise InvalidRequestError("an instance is an array of eight or an object", number)
    return instance


def _by_name(instance: dict[str, Any], number: int) -> Row:
    for name in survey.FEATURES:
        if name not in instance:
            raise InvalidRequestError("is missing", number, name)
    unknown = sorted(set(instance) - set(survey.FEATURES))
    if unknown:
        raise InvalidRequestError(f"unknown column {unknown[0]!r}", number)
    return [instance[name] for name in survey.FEATURES]


def _validated(number: int, row: Row, units: Units) -> Row:
    try:
        return survey.validate_measurements(row, units)
    except survey.SurveyRowError as error:
        remedy = "" if error.looks_like is None else _remedy(units, error.looks_like)
        raise InvalidRequestError(error.message + remedy, number, error.column) from error


def _remedy(told: Units, looks_like: Units) -> str:
    """What to do about an animal in other units than told."""
    if looks_like == CONTRACT_UNITS:
        return f": leave {UNITS}={told.name} out of the content type, or correct it"
    return (
        f": divide all of them by {SCALE}, or say {UNITS}={looks_like.name} in the content type, "
        f"as in {CSV}; {UNITS}={looks_like.name}"
    )


def predict_fn(rows: Sequence[Row], predictor: Predictor) -> Predictions:
    """The rings predicted for the rows of ``input_fn``, in their order, with their intervals."""
    asked = rows if isinstance(rows, Rows) else Rows.of(rows, CSV)
    asked_in, columns = asked.content_type, dict(zip(survey.FEATURES, asked.columns, strict=True))
    rings = predict_rings(predictor.model, columns)
    if predictor.intervals is None:
        return Predictions(rings, asked_in=asked_in)
    low, high = predictor.intervals.around(rings, columns["sex"])
    return Predictions(rings, low, high, asked_in)


def output_fn(predictions: Predictions, accept: str | None) -> tuple[str, str]:
    """Write the answer, in the type that ``accept`` asks for, else in that of the request.

    Returns:
        The body and its content type. ``text/csv``: the predicted rings, one a line.
        ``application/json``: ``{"predictions": [{"rings": 9.87, "age_years": 11.37, "rings_low":
        7.6, "rings_high": 13.1}]}``, the last two of a model whose intervals are calibrated.

    Raises:
        NotAcceptableError: The client accepts neither.
    """
    media_type = negotiate(accept, predictions.asked_in)
    rings = np.round(predictions.rings, ANSWER_DECIMALS)
    if media_type == CSV:
        return "".join(f"{value}\n" for value in _written(rings)), CSV
    answers = {"rings": rings, "age_years": np.add(rings, survey.AGE_OFFSET_YEARS)}
    if predictions.low is not None and predictions.high is not None:
        answers |= {"rings_low": predictions.low, "rings_high": predictions.high}
    # As `json.dumps` writes it, in a quarter of its time: many animals have the same few names.
    one = ", ".join(f'"{name}": %s' for name in answers)
    numbers = map(_written, answers.values())
    told = ", ".join([f"{{{one}}}" % each for each in zip(*numbers, strict=True)])
    return f'{{"predictions": [{told}]}}', JSON


def _written(values: NDArray[np.float64]) -> list[str]:
    """Numbers, rounded, as `repr` writes them: put together, where there are many usual ones."""
    if len(values) < _MANY or not (values.min() >= 1 and values.max() < _WHOLE_NUMBERS - 1):
        return [*map(repr, np.round(values, ANSWER_DECIMALS).tolist())]
    steps = np.rint(values * _STEPS).astype(np.int64)
    whole, part = np.divmod(steps, _STEPS)
    wholes, parts = _pieces()
    written: list[str] = (wholes[whole] + parts[part]).tolist()
    return written


@cache
def _pieces() -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Whole numbers as texts, and what follows each for so many steps."""
    parts = [repr((_STEPS + step) / _STEPS)[1:] for step in range(_STEPS)]
    wholes = [str(number) for number in range(_WHOLE_NUMBERS)]
    return np.array(wholes, dtype=object), np.array(parts, dtype=object)


def negotiate(accept: str | None, asked_in: str = CSV) -> str:
    """The content type to answer with: the most wanted one, the request's when all are welcome.

    How much a type is wanted is told by the most specific range that it is in (RFC 9110, section
    12.5.1). Of two that are wanted as much, it is the one that was named first.

    Args:
        accept: An ``Accept`` header, such as ``application/json, text/csv;q=0.5``, or None.
        asked_in: The media type of the request.

    Raises:
        NotAcceptableError: The client accepts neither ``text/csv`` nor ``application/json``.
    """
    wishes = [_wish(part) for part in (accept or "*/*").split(",") if part.strip()]
    told = {media_type: _told_of(media_type, wishes) for media_type in CONTENT_TYPES}
    wanted = [media_type for media_type, (quality, _) in told.items() if quality > 0]
    if not wanted:
        raise NotAcceptableError(
            f"cannot answer with {accept!r}: accept {' or '.join(CONTENT_TYPES)}"
        )

    def rank(media_type: str) -> tuple[float, int, bool]:
        quality, place = told[media_type]
        return -quality, place, media_type != asked_in

    return min(wanted, key=rank)


def _wish(part: str) -> tuple[str, float]:
    pattern, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return pattern, float(value)
            except ValueError:
                return pattern, 0.0
    return pattern, 1.0


def _told_of(media_type: str, wishes: Sequence[tuple[str, float]]) -> tuple[float, int]:
    """How much a media type is wanted, and the place of the wish that says so."""
    for pattern in (media_type, media_type.partition("/")[0] + "/*", "*/*"):
        told = [(quality, place) for place, (each, quality) in enumerate(wishes) if each == pattern]
        if told:
            return max(told, key=lambda wish: wish[0])
    return 0.0, 0
