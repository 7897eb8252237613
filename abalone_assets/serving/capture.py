"""Data capture: every answered request as a line in SageMaker's JSON Lines format.

Layout and fields follow the SageMaker developer guide, "Capture data from real-time endpoint":
``<endpoint>/AllTraffic/yyyy/mm/dd/hh/<file>.jsonl``, one ``captureData`` document a line. Files are
written whole, off the request path, and never changed afterwards. A request that was refused is a
line too, of which `refusals` says what it holds; SageMaker has no such lines.
"""

from __future__ import annotations

import base64
import json
import logging
import threading
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final, Protocol, Self

from abalone_assets.errors import StorageError
from abalone_assets.serving.pointer import check_endpoint_name
from abalone_assets.serving.protocol import VARIANT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abalone_assets.storage.object_store import ObjectStore

DEFAULT_FLUSH_SECONDS: Final = 1.0
DEFAULT_MAX_PENDING_BYTES: Final = 64 * 2**20
STOP_TIMEOUT_SECONDS: Final = 10.0
_ENCODINGS: Final = {"text/csv": "CSV", "application/json": "JSON"}

logger = logging.getLogger(__name__)


class CaptureLine(Protocol):
    """What becomes of one request, as a line of a capture file."""

    @property
    def event_id(self) -> str:
        """Its own id."""

    @property
    def model_version(self) -> int:
        """The version that answered, or would have."""

    @property
    def inference_id(self) -> str | None:
        """The caller's own identifier of the request, if it sent one."""

    @property
    def time(self) -> datetime:
        """When it was answered or refused, UTC."""

    @property
    def size(self) -> int:
        """Bytes that it takes while it waits to be written, roughly."""

    def to_json_line(self) -> str:
        """The line, without its end."""


def event_metadata(line: CaptureLine) -> dict[str, Any]:
    """The part of a line that says when, of what version, and by which ids."""
    metadata: dict[str, Any] = {
        "eventId": line.event_id,
        "customAttributes": [f"model_version={line.model_version}"],
        "inferenceTime": line.time.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    if line.inference_id is not None:
        metadata["inferenceId"] = line.inference_id
    return metadata


@dataclass(frozen=True)
class CapturedRequest:
    """One answered request.

    Attributes:
        model_version: The version that answered.
        inference_id: The caller's own identifier of the request, if it sent one.
        time: When it was answered, UTC.
    """

    input_type: str
    input_data: bytes
    output_type: str
    output_data: bytes
    model_version: int
    inference_id: str | None = None
    time: datetime = field(default_factory=lambda: datetime.now(UTC))
    event_id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def size(self) -> int:
        """Bytes of both bodies."""
        return len(self.input_data) + len(self.output_data)

    def to_json_line(self) -> str:
        """The request as a line of a capture file, without its end."""
        document = {
            "captureData": {
                "endpointInput": _side("INPUT", self.input_type, self.input_data),
                "endpointOutput": _side("OUTPUT", self.output_type, self.output_data),
            },
            "eventMetadata": event_metadata(self),
            "eventVersion": "0",
        }
        return json.dumps(document)


class DataCapture:
    """Writes captured requests in the background; never delays or fails a request.

    Args:
        flush_seconds: How long a request may wait to be written.
        max_pending_bytes: Requests beyond this much waiting data are dropped and counted.
    """

    def __init__(
        self,
        store: ObjectStore,
        endpoint: str,
        *,
        flush_seconds: float = DEFAULT_FLUSH_SECONDS,
        max_pending_bytes: int = DEFAULT_MAX_PENDING_BYTES,
    ) -> None:
        self.written = 0
        self.lost = 0
        self.error: str | None = None
        self._store = store
        self._prefix = f"{check_endpoint_name(endpoint)}/{VARIANT}"
        self._flush_seconds = flush_seconds
        self._max_pending_bytes = max_pending_bytes
        self._pending: list[CaptureLine] = []
        self._pending_bytes = 0
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="data-capture", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(STOP_TIMEOUT_SECONDS)

    def record(self, request: CaptureLine) -> None:
        """Queue a line for writing; drops it when too much is waiting."""
        with self._lock:
            if self._pending_bytes + request.size > self._max_pending_bytes:
                self.lost += 1
                return
            self._pending.append(request)
            self._pending_bytes += request.size

    def describe(self) -> dict[str, Any]:
        """Where requests are captured, how many were written or lost, and the last error."""
        return {
            "uri": self._store.uri_of(self._prefix),
            "written": self.written,
            "lost": self.lost,
            "error": self.error,
        }

    def flush(self) -> None:
        """Write what is waiting."""
        with self._lock:
            batch, self._pending, self._pending_bytes = self._pending, [], 0
        for hour, requests in groupby(batch, key=lambda request: f"{request.time:%Y/%m/%d/%H}"):
            self._write(hour, list(requests))

    def _run(self) -> None:
        while not self._stopping.wait(self._flush_seconds):
            self.flush()
        self.flush()

    def _write(self, hour: str, requests: Sequence[CaptureLine]) -> None:
        first = requests[0].time
        name = f"{first:%M-%S}-{first.microsecond // 1000:03d}-{uuid.uuid4()}.jsonl"
        lines = "".join(request.to_json_line() + "\n" for request in requests)
        try:
            self._store.write(f"{self._prefix}/{hour}/{name}", lines.encode())
        except StorageError as error:
            self._report(len(requests), str(error))
            return
        self.error = None
        self.written += len(requests)

    def _report(self, lost: int, error: str) -> None:
        """Count the lost requests; log the first error of a row of them only."""
        if self.error is None:
            logger.warning("data capture lost %d requests: %s", lost, error)
        self.error = error
        with self._lock:
            self.lost += lost


def _side(mode: str, content_type: str, data: bytes) -> dict[str, str]:
    """One side of a captured request: text as it is, anything else in Base64."""
    encoding = _ENCODINGS.get(content_type.partition(";")[0].strip().lower(), "BASE64")
    try:
        text = data.decode() if encoding != "BASE64" else base64.b64encode(data).decode()
    except UnicodeDecodeError:
        encoding, text = "BASE64", base64.b64encode(data).decode()
    return {"observedContentType": content_type, "mode": mode, "data": text, "encoding": encoding}
