"""Which model answers now: watches an endpoint's pointer and swaps models without a gap.

A new version is fetched, verified, loaded and warmed up while the present one keeps answering. The
swap itself is one assignment: a request in flight finishes on the model that it began with.

A model that is wrong is refused until it is asked for again. One that cannot be fetched or
unpacked, because the store fails or the disk is full for instance, is tried again after growing
waits.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Self

from abalone_assets.errors import EndpointError, ModelArchiveError
from abalone_assets.serving.pointer import EndpointPointer, pointer_key, read_pointer

if TYPE_CHECKING:
    from abalone_assets.modeling.card import ModelCard
    from abalone_assets.registry.registry import ModelRegistry

DEFAULT_POLL_SECONDS: Final = 0.25
STOP_TIMEOUT_SECONDS: Final = 10.0
FIRST_RETRY_SECONDS: Final = 0.5
LONGEST_RETRY_SECONDS: Final = 10.0
WARM_UP_ROW: Final = b"M,0.5,0.4,0.13,0.7,0.3,0.15,0.2\n"

logger = logging.getLogger(__name__)


class RefusedRequestError(EndpointError):
    """A request that the model cannot answer.

    Attributes:
        status: The HTTP status that says so.
        reason: Why, in a few fixed words.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


@dataclass(frozen=True)
class ServedModel:
    """A loaded model.

    Attributes:
        predictor: What ``model_fn`` returned.
        card: Where it comes from.
    """

    version: int
    archive_sha256: str
    predictor: Any
    card: ModelCard | None = None

    def invoke(self, body: bytes, content_type: str, accept: str) -> tuple[bytes, str]:
        """Decode a request and predict; returns the encoded predictions and their MIME type.

        Raises:
            RefusedRequestError: The rows are malformed (400), the content type is unknown (415) or
                no acceptable type can be produced (406).
        """
        from abalone_assets.modeling import inference
        from abalone_assets.serving.refusals import reason_of

        try:
            rows = inference.input_fn(body, content_type)
            predictions = inference.predict_fn(rows, self.predictor)
            text, answer_type = inference.output_fn(predictions, accept)
        except inference.RequestError as error:
            raise RefusedRequestError(error.status, reason_of(error), str(error)) from error
        return text.encode(), answer_type


@dataclass(frozen=True)
class Refusal:
    """A version whose model is damaged or predicts nonsense.

    Attributes:
        requested_at: When it was asked for: tells two attempts apart.
    """

    version: int
    requested_at: str
    reason: str


@dataclass(frozen=True)
class HostView:
    """One consistent moment of a host, replaced as a whole.

    Attributes:
        serving: The model that answers, if any.
        pointer: What was last asked for, if anything.
        loading: Whether that is being loaded now.
        refused: The version that was refused since the last one that was loaded.
        problem: Why the pointer or the version that it names cannot be fetched at present.
    """

    serving: ServedModel | None = None
    pointer: EndpointPointer | None = None
    loading: bool = False
    refused: Refusal | None = None
    problem: str | None = None

    @property
    def status(self) -> str:
        """SageMaker's endpoint status: Creating, Updating, InService or Failed.

        A version that is waiting to be tried again is neither refused nor being loaded: with an
        older one that answers the endpoint is InService, else Creating.
        """
        if self.serving is not None:
            return "Updating" if self.loading else "InService"
        if self.pointer is None or self.refused is None:
            return "Creating"
        return "Failed" if self.refused.requested_at == self.pointer.requested_at else "Creating"

    def describe(self) -> dict[str, Any]:
        """The moment as a JSON document."""
        return {
            "status": self.status,
            "version": self.serving and self.serving.version,
            "archive_sha256": self.serving and self.serving.archive_sha256,
            "requested_version": self.pointer and self.pointer.version,
            "requested_at": self.pointer and self.pointer.requested_at,
            "refused_version": self.refused and self.refused.version,
            "refused_request": self.refused and self.refused.requested_at,
            "failure_reason": self.problem or (self.refused and self.refused.reason),
        }


class _Backoff:
    """When to try again what failed: after waits that double up to a limit."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Nothing failed."""
        self._due, self._wait = math.inf, FIRST_RETRY_SECONDS

    def postpone(self) -> None:
        """It failed, once more perhaps."""
        self._due = time.monotonic() + self._wait
        self._wait = min(2 * self._wait, LONGEST_RETRY_SECONDS)

    @property
    def is_due(self) -> bool:
        return time.monotonic() >= self._due


class ModelHost:
    """Keeps the model that an endpoint's pointer names loaded.

    Args:
        registry: Where versions and pointers are kept.
        poll_seconds: How often the pointer is looked at.
    """

    def __init__(
        self,
        registry: ModelRegistry,
        endpoint: str,
        *,
        poll_seconds: float = DEFAULT_POLL_SECONDS,
    ) -> None:
        self.endpoint = endpoint
        self.view = HostView()
        self.registry = registry
        self._key = pointer_key(endpoint)
        self._poll_seconds = poll_seconds
        self._seen_e_tag: str | None = None
        self._backoff = _Backoff()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="model-host", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(STOP_TIMEOUT_SECONDS)

    def refresh(self) -> None:
        """Look at the pointer once; load its version when it changed or a retry is due."""
        found = self.registry.store.find(self._key)
        e_tag = found.e_tag if found else ""
        if e_tag == self._seen_e_tag and not self._backoff.is_due:
            return
        if e_tag != self._seen_e_tag:
            self._backoff.reset()
        pointer = read_pointer(self.registry.store, self.endpoint)
        self._follow(pointer)
        self._seen_e_tag = e_tag

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                self.refresh()
            except Exception as error:  # noqa: BLE001 - the store may fail in any way; keep serving
                self._report(f"the endpoint's pointer cannot be read: {_first_line(error)}")
                self._seen_e_tag = None
            self._stopping.wait(self._poll_seconds)

    def _report(self, problem: str) -> None:
        """Log a lasting problem once, not at every look."""
        if problem != self.view.problem:
            logger.warning(problem)
        self.view = replace(self.view, problem=problem, loading=False)

    def _follow(self, pointer: EndpointPointer | None) -> None:
        known_problem = self.view.problem if pointer == self.view.pointer else None
        view = replace(self.view, pointer=pointer, problem=None, loading=False)
        if pointer is None:
            self.view = replace(view, serving=None)
        elif view.serving is not None and view.serving.version == pointer.version:
            self.view = view
        else:
            self.view = replace(view, problem=known_problem, loading=True)
            self.view = self._swapped(view, pointer)

    def _swapped(self, view: HostView, pointer: EndpointPointer) -> HostView:
        try:
            served = load_model(self.registry, pointer.version)
        except (ModelArchiveError, EndpointError) as error:
            self._backoff.reset()
            return self._refused(view, pointer, error)
        except Exception as error:  # noqa: BLE001 - the store may fail in any way; the old one serves on
            self._backoff.postpone()
            return self._delayed(view, pointer, error)
        self._backoff.reset()
        # Loading took a while: a version that was taken back meanwhile must not answer at all.
        now = read_pointer(self.registry.store, self.endpoint)
        if now is None or now.version != pointer.version:
            return view
        return replace(view, serving=served, refused=None)

    def _refused(self, view: HostView, pointer: EndpointPointer, error: Exception) -> HostView:
        reason = f"version {pointer.version} cannot be served: {_first_line(error)}"
        logger.warning(reason, extra={"model_version": pointer.version})
        return replace(view, refused=Refusal(pointer.version, pointer.requested_at, reason))

    def _delayed(self, view: HostView, pointer: EndpointPointer, error: Exception) -> HostView:
        problem = f"version {pointer.version} cannot be fetched yet: {_first_line(error)}"
        if problem != self.view.problem:
            logger.warning(problem, extra={"model_version": pointer.version})
        return replace(view, problem=problem)


def load_model(registry: ModelRegistry, version: int) -> ServedModel:
    """Fetch a version, verify it, load it and let it predict once.

    Raises:
        StorageError: The version is unknown, or cannot be read or unpacked at present.
        ModelArchiveError: Its archive was altered, is damaged or unsafe to extract.
        EndpointError: It cannot predict, or predicts nonsense.
        OSError, MemoryError: This machine cannot load it at present.
    """
    from abalone_assets.modeling import archive, inference

    data = registry.read_model(version)
    with TemporaryDirectory(prefix="abalone-endpoint-") as folder:
        unpacked = Path(folder) / "model"
        archive.extract(data, unpacked)
        predictor = inference.model_fn(unpacked)
        card = archive.card_in(unpacked)
    served = ServedModel(version, registry.get(version).archive_sha256, predictor, card)
    _warm_up(served)
    return served


def _warm_up(served: ServedModel) -> None:
    try:
        answer, _ = served.invoke(WARM_UP_ROW, "text/csv", "text/csv")
        rings = float(answer)
    except (OSError, MemoryError):  # this machine is short of something, whatever the model is
        raise
    except Exception as error:
        raise EndpointError(
            f"the warm-up prediction failed: {_first_line(error)}; train the model again"
        ) from error
    if not math.isfinite(rings):
        raise EndpointError(f"the warm-up prediction is {rings}; train the model again")


def _first_line(error: Exception) -> str:
    """An error's message without the debugging output that some libraries append."""
    return str(error).partition("\n")[0] or type(error).__name__
