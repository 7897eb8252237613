"""Captured requests, read back: SageMaker's JSON Lines as a row for each animal.

The layout is that of the SageMaker developer guide, "Capture data from real-time endpoint":
``<endpoint>/<variant>/yyyy/mm/dd/hh/<file>.jsonl``, one ``captureData`` document a line. The
endpoint server of this project writes the same, and a line for each request that it refused.
"""

from __future__ import annotations

import base64
import binascii
import csv
import json
import math
import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.ingest.frames import schema_of
from abalone_assets.lake.names import CAPTURED_REQUESTS
from abalone_assets.modeling.inference import CSV, RequestError, input_fn
from abalone_assets.serving.protocol import VARIANT
from abalone_assets.serving.refusals import REFUSAL, reason_of
from abalone_assets.survey import FEATURES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import polars as pl

    from abalone_assets.storage.object_store import ObjectStore

PARALLEL_READS: Final = 8
"""Capture files that are read at once: an endpoint that is asked all the time has many."""

OUTSIDE: Final = "the request is outside the contract"
"""How the problem of a request begins that was, or has to be, refused."""

_HOUR: Final = re.compile(r"\d{4}/\d{2}/\d{2}/\d{2}", re.ASCII)
_VERSION: Final = re.compile(r"model_version=(\d{1,18})", re.ASCII)
_REASON: Final = re.compile(r"[a-z_ ]{1,40}", re.ASCII)
_ENDS: Final = ("rings_low", "rings_high")


class _UnreadableError(Exception):
    """A record that is none, or not one of this endpoint's; the message says why."""


@dataclass(frozen=True)
class Captures:
    """What an endpoint's capture has written.

    Attributes:
        store: The folder or prefix that all endpoints' captures are in.
        endpoint: The endpoint's name.
    """

    store: ObjectStore
    endpoint: str

    def files_by_day(self) -> dict[date, int]:
        """How many capture files there are of each day, UTC.

        Raises:
            StorageError: They cannot be listed.
        """
        days = (_day_of(stored.key) for stored in self.store.list(self._prefix))
        return dict(sorted(Counter(day for day in days if day is not None).items()))

    def bytes_by_day(self) -> dict[date, int]:
        """How much the capture files of each day hold, UTC.

        Raises:
            StorageError: They cannot be listed.
        """
        sizes: Counter[date] = Counter()
        for stored in self.store.list(self._prefix):
            if (day := _day_of(stored.key)) is not None:
                sizes[day] += stored.size
        return dict(sorted(sizes.items()))

    def files_of(self, day: date) -> list[str]:
        """The keys of a day's capture files, in order.

        Raises:
            StorageError: They cannot be listed.
        """
        listed = self.store.list(f"{self._prefix}{day:%Y/%m/%d}/")
        return sorted(stored.key for stored in listed if _day_of(stored.key) == day)

    def read(self, keys: list[str]) -> pl.DataFrame:
        """The animals of these capture files, a row each: the columns of `TABLES`.

        A line that cannot be read is a row too, with its ``problem``: nothing is dropped unseen.

        Raises:
            StorageError: A file cannot be read.
        """
        import polars as pl

        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            files = pool.map(self.store.read, keys)
            rows = [row for key, data in zip(keys, files, strict=True) for row in _rows(key, data)]
        return pl.DataFrame(rows, schema=schema_of(CAPTURED_REQUESTS), orient="row")

    def delete(self, keys: Iterable[str]) -> None:
        """Remove capture files.

        Raises:
            StorageError: One cannot be deleted.
        """
        for key in keys:
            self.store.delete(key)

    @property
    def _prefix(self) -> str:
        return f"{self.endpoint}/{VARIANT}/"


def _day_of(key: str) -> date | None:
    """The day of a capture file, or None for any other object."""
    folders, _, name = key.rpartition("/")
    hour = "/".join(folders.split("/")[-4:])
    if not name.endswith(".jsonl") or _HOUR.fullmatch(hour) is None:
        return None
    with suppress(ValueError):
        return datetime.strptime(hour[:10], "%Y/%m/%d").replace(tzinfo=UTC).date()
    return None


def _rows(key: str, data: bytes) -> Iterator[tuple[Any, ...]]:
    """The rows of one capture file, each with where it was written."""
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
    for number, (animal, answer) in enumerate(zip(animals, answers, strict=True), start=1):
        yield (event[0], number, *event[1:], *animal, *answer, None)


def _event(document: Any) -> tuple[str, datetime, int | None, str | None]:  # noqa: ANN401
    """Id, time, model version, if it is known, and the caller's own id of a request.

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
    return event_id, time, version, None if inference_id is None else str(inference_id)


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


def _unreadable(
    problem: str, event: tuple[str, datetime, int | None, str | None] | None = None
) -> tuple[Any, ...]:
    """A row that says why there are no animals."""
    event_id, *about = event or (None, None, None, None)
    return (event_id, None, *about, *[None] * (len(FEATURES) + 1 + len(_ENDS)), problem)
