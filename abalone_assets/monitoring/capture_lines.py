"""A capture file's lines as rows: one for each animal of an answered request.

A line is SageMaker's ``captureData`` document, or what this project's server writes of a request
that it refused. What cannot be read is a row too, with its ``problem``: nothing is dropped unseen.
"""

from __future__ import annotations

import base64
import binascii
import csv
import json
import math
import re
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from abalone_assets.modeling.inference import CSV, RequestError, input_fn
from abalone_assets.serving.refusals import REFUSAL, reason_of
from abalone_assets.survey import FEATURES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

OUTSIDE: Final = "the request is outside the contract"
"""How the problem of a request begins that was, or has to be, refused."""

_VERSION: Final = re.compile(r"model_version=(\d{1,18})", re.ASCII)
_REASON: Final = re.compile(r"[a-z_ ]{1,40}", re.ASCII)
_ENDS: Final = ("rings_low", "rings_high")


class _UnreadableError(Exception):
    """A record that is none, or not one of this endpoint's; the message says why."""


class _Event(NamedTuple):
    """What a line tells of its request, beside its bodies."""

    event_id: str | None = None
    time: datetime | None = None
    model_version: int | None = None
    inference_id: str | None = None


def rows_of(key: str, data: bytes) -> Iterator[tuple[Any, ...]]:
    """The rows of one capture file, as its table has them, each with where it was written.

    Args:
        key: Of the file.
        data: Its content.
    """
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        place = (key, number)
        try:
            document = json.loads(line)
        except (ValueError, RecursionError) as error:
            yield (*_unreadable(f"the line is not JSON: {error}"), *place)
            continue
        for row in _animals(document):
            yield (*row, *place)


def _animals(document: Any) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401 - any JSON document
    """The animals of one captured request."""
    try:
        event = _event(document)
    except _UnreadableError as error:
        yield _unreadable(str(error))
        return
    if REFUSAL in document:
        yield _unreadable(_refused(document[REFUSAL]), event)
        return
    try:
        animals, answers = _both_sides(document["captureData"])
    except _UnreadableError as error:
        yield _unreadable(str(error), event)
        return
    event_id, *about = event
    for number, (animal, answer) in enumerate(zip(animals, answers, strict=True), start=1):
        yield (event_id, number, *about, *animal, *answer, None)


def _event(document: Any) -> _Event:  # noqa: ANN401 - any JSON document
    """What the document tells of its request; of the version only if it is known.

    Raises:
        _UnreadableError: The document is no captured request.
    """
    try:
        about, _ = document["eventMetadata"], document.get(REFUSAL) or document["captureData"]
        time = datetime.fromisoformat(about["inferenceTime"])
        event_id, inference_id = about["eventId"], about.get("inferenceId")
        told = [_VERSION.fullmatch(each) for each in about.get("customAttributes") or ()]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _UnreadableError(f"the line is no captured request: {error!r}") from error
    if not isinstance(event_id, str) or time.tzinfo is None:
        raise _UnreadableError("the line is no captured request: its id or time is none")
    version = next((int(found[1]) for found in told if found), None)
    return _Event(event_id, time, version, None if inference_id is None else str(inference_id))


def _refused(refusal: object) -> str:
    """What this project's server says of a request that it did not answer."""
    told = refusal if isinstance(refusal, dict) else {}
    reason = _REASON.fullmatch(str(told.get("reason")))
    return f"{OUTSIDE} ({reason[0] if reason else 'unknown'}): refused with {told.get('status')}"


def _both_sides(captured: Mapping[str, Any]) -> tuple[list[Any], list[tuple[Any, ...]]]:
    """The animals that were asked for, and the answer on each.

    Raises:
        _UnreadableError: A side is missing or is not what the endpoint takes and gives.
    """
    asked, content_type = _side(captured, "endpointInput")
    try:
        animals = [tuple(row) for row in input_fn(asked, content_type)]
    except RequestError as error:
        raise _UnreadableError(f"{OUTSIDE} ({reason_of(error)}): {error}") from error
    answered, content_type = _side(captured, "endpointOutput")
    try:
        answers = _answers(answered.decode(), content_type)
    except (ValueError, KeyError, TypeError, csv.Error, RecursionError) as error:
        raise _UnreadableError(f"the answer holds no predictions: {error!r}") from error
    if len(answers) != len(animals):
        raise _UnreadableError(f"{len(animals)} animals have {len(answers)} answers")
    return animals, answers


def _side(captured: Mapping[str, Any], name: str) -> tuple[bytes, str]:
    """A body and its content type."""
    try:
        side = captured[name]
        data, content_type = side["data"], str(side.get("observedContentType") or CSV)
        if side.get("encoding") == "BASE64":
            return base64.b64decode(data, validate=True), content_type
        return data.encode(), content_type
    except (KeyError, TypeError, AttributeError, UnicodeError, binascii.Error) as error:
        raise _UnreadableError(f"{name} cannot be read: {error!r}") from error


def _answers(text: str, content_type: str) -> list[tuple[float | None, ...]]:
    """Rings, and the ends of their interval where the answer tells them, for each animal."""
    if content_type.partition(";")[0].strip().lower() == CSV:
        return [(_number(line), None, None) for line in text.split()]
    return [
        (
            _number(each["rings"]),
            *(_number(end) if (end := each.get(name)) is not None else None for name in _ENDS),
        )
        for each in json.loads(text)["predictions"]
    ]


def _number(text: Any) -> float:  # noqa: ANN401 - a value of a JSON document
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is no number of rings")
    return value


def _unreadable(problem: str, event: _Event = _Event()) -> tuple[Any, ...]:  # noqa: B008 - immutable
    """A row that says why there are no animals."""
    event_id, *about = event
    return (event_id, None, *about, *[None] * (len(FEATURES) + 1 + len(_ENDS)), problem)
