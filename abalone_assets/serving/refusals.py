"""Requests that the endpoint refused: why, in a few fixed words, and nothing of what they held.

What is captured of an answered request obeys the survey contract. A refused body may be anything,
up to six megabytes of somebody's secrets, so none of it is kept: the words below say what was wrong
with it, and there are few of them, whatever clients send.
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from abalone_assets.serving.capture import event_metadata
from abalone_assets.survey import FEATURES

if TYPE_CHECKING:
    from abalone_assets.modeling.inference import RequestError

TOO_LARGE: Final = "too large"
"""A body above the limit, of which the rest was not read."""

COMPRESSED: Final = "content encoding"
"""A body that is compressed, of which nothing was read."""

REFUSAL: Final = "refusal"
"""Where a line of a capture file says so; SageMaker writes no such lines."""

LINE_BYTES: Final = 256
"""What such a line takes, roughly."""


def reason_of(error: RequestError) -> str:
    """Why a request was refused, as one of a dozen labels."""
    from abalone_assets.modeling.inference import (
        InvalidRequestError,
        NotAcceptableError,
        UnsupportedContentTypeError,
    )

    if isinstance(error, NotAcceptableError):
        return "accept"
    if isinstance(error, UnsupportedContentTypeError):
        return "content type"
    if isinstance(error, InvalidRequestError) and error.row is not None:
        return error.column if error.column in FEATURES else "row"
    return "body"


@dataclass(frozen=True)
class RefusedRequest:
    """One request that was not answered.

    Attributes:
        reason: Why, as `reason_of` says it, or `TOO_LARGE` or `COMPRESSED`.
        status: The HTTP status that said so.
        media_type: What the body was sent as; "other" for what the endpoint does not take.
        length: Bytes of the body, as far as it was read.
        model_version: The version that would have answered.
        inference_id: The caller's own identifier of the request, if it sent one.
        time: When it was refused, UTC.
    """

    reason: str
    status: int
    media_type: str
    length: int
    model_version: int
    inference_id: str | None = None
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @classmethod
    def of(
        cls,
        reason: str,
        status: int,
        *,
        content_type: str,
        length: int,
        model_version: int,
        inference_id: str | None,
    ) -> RefusedRequest:
        """What is kept of a request with this ``Content-Type``."""
        from abalone_assets.modeling.inference import CONTENT_TYPES

        sent_as = content_type.partition(";")[0].strip().lower()
        media_type = sent_as if sent_as in CONTENT_TYPES else "other"
        return cls(reason, status, media_type, length, model_version, inference_id)

    @property
    def size(self) -> int:
        """Bytes that it takes while it waits to be written, roughly."""
        return LINE_BYTES + len(self.inference_id or "")

    def to_json_line(self) -> str:
        """The refusal as a line of a capture file, without its end."""
        refusal = {
            "reason": self.reason,
            "status": self.status,
            "mediaType": self.media_type,
            "bytes": self.length,
        }
        document = {REFUSAL: refusal, "eventMetadata": event_metadata(self), "eventVersion": "0"}
        return json.dumps(document)
