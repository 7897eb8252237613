"""Which model answers now: watches an endpoint's pointer and swaps models without a gap.

A new version is fetched, verified, loaded and warmed up while the present one keeps answering. The
swap itself is one assignment: a request in flight finishes on the model that it began with.
"""

from __future__ import annotations

import logging
import math
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final, Self

from abalone_assets.errors import EndpointError
from abalone_assets.serving.pointer import EndpointPointer, pointer_key, read_pointer

if TYPE_CHECKING:
    from abalone_assets.serving.registry import ModelRegistry

DEFAULT_POLL_SECONDS: Final = 0.25
STOP_TIMEOUT_SECONDS: Final = 10.0
WARM_UP_ROW: Final = b"M,0.5,0.4,0.13,0.7,0.3,0.15,0.2\n"

logger = logging.getLogger(__name__)


class RefusedRequestError(EndpointError):
    """A request that the model cannot answer.

    Args:
        status: The HTTP status that says so.
        message: What is wrong with the request.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Answer:
    """What the model answers to one request.

    Attributes:
        body: The predictions, encoded.
        content_type: Their MIME type.
    """

    body: bytes
    content_type: str


@dataclass(frozen=True)
class ServedModel:
    """A loaded model.

    Attributes:
        version: Its number in the registry.
        sha256: SHA-256 of its archive.
        model: What ``model_fn`` returned.
    """

    version: int
    sha256: str
    model: Any

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        """Decode a request, predict and encode the answer.

        Raises:
            RefusedRequestError: The rows are malformed (400), the content type is unknown (415) or
                no acceptable type can be produced (406).
        """
        from abalone_assets.modeling import inference

        try:
            rows = inference.input_fn(body, content_type)
            prediction = inference.predict_fn(rows, self.model)
        except inference.UnsupportedContentTypeError as error:
            raise RefusedRequestError(415, str(error)) from error
        except inference.InvalidRequestError as error:
            raise RefusedRequestError(400, str(error)) from error
        try:
            text, answer_type = inference.output_fn(prediction, accept)
        except inference.UnsupportedContentTypeError as error:
            raise RefusedRequestError(406, str(error)) from error
        return Answer(text.encode(), answer_type)


@dataclass(frozen=True)
class Refusal:
    """A version that could not be loaded.

    Attributes:
        version: Its number.
        requested_at: When it was asked for: tells two attempts apart.
        reason: What went wrong.
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
        refused: The version that could not be loaded since the last one that could.
        problem: Why the pointer cannot be read at present.
    """

    serving: ServedModel | None = None
    pointer: EndpointPointer | None = None
    loading: bool = False
    refused: Refusal | None = None
    problem: str | None = None

    @property
    def status(self) -> str:
        """SageMaker's endpoint status: Creating, Updating, InService or Failed."""
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
            "model_sha256": self.serving and self.serving.sha256,
            "requested_version": self.pointer and self.pointer.version,
            "requested_at": self.pointer and self.pointer.requested_at,
            "refused_version": self.refused and self.refused.version,
            "refused_request": self.refused and self.refused.requested_at,
            "failure_reason": self.problem or (self.refused and self.refused.reason),
        }


class ModelHost:
    """Keeps the model that an endpoint's pointer names loaded.

    Args:
        registry: Where versions and pointers are kept.
        endpoint: The endpoint's name.
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
        self._registry = registry
        self._key = pointer_key(endpoint)
        self._poll_seconds = poll_seconds
        self._seen_e_tag: str | None = None
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="model-host", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._thread.join(STOP_TIMEOUT_SECONDS)

    def refresh(self) -> None:
        """Look at the pointer once and load the version that it names when it changed."""
        found = self._registry.store.find(self._key)
        e_tag = found.e_tag if found else ""
        if e_tag == self._seen_e_tag and self.view.problem is None:
            return
        pointer = read_pointer(self._registry.store, self.endpoint)
        self._follow(pointer)
        self._seen_e_tag = e_tag

    def _watch(self) -> None:
        while not self._stopping.is_set():
            try:
                self.refresh()
            except Exception as error:  # noqa: BLE001 - the store may fail in any way; keep serving
                self._report(f"the endpoint's pointer cannot be read: {_first_line(error)}")
            self._stopping.wait(self._poll_seconds)

    def _report(self, problem: str) -> None:
        """Log a lasting problem once, not at every look."""
        if problem != self.view.problem:
            logger.warning(problem)
        self.view = replace(self.view, problem=problem, loading=False)

    def _follow(self, pointer: EndpointPointer | None) -> None:
        view = replace(self.view, pointer=pointer, problem=None, loading=False)
        if pointer is None:
            self.view = replace(view, serving=None)
        elif view.serving is not None and view.serving.version == pointer.version:
            self.view = view
        else:
            self.view = replace(view, loading=True)
            self.view = self._swapped(view, pointer)

    def _swapped(self, view: HostView, pointer: EndpointPointer) -> HostView:
        try:
            served = load_model(self._registry, pointer.version)
        except Exception as error:  # noqa: BLE001 - whatever a bad model raises, the old one serves on
            reason = f"version {pointer.version} cannot be served: {_first_line(error)}"
            logger.warning(reason)
            refusal = Refusal(pointer.version, pointer.requested_at, reason)
            return replace(view, refused=refusal)
        # Loading took a while: a version that was taken back meanwhile must not answer at all.
        now = read_pointer(self._registry.store, self.endpoint)
        if now is None or now.version != pointer.version:
            return view
        return replace(view, serving=served, refused=None)


def load_model(registry: ModelRegistry, version: int) -> ServedModel:
    """Fetch a version, verify it, load it and let it predict once.

    Raises:
        AbaloneError: The version is unknown, altered, unsafe to extract or predicts nonsense.
    """
    from abalone_assets.modeling import archive, inference

    data = registry.read_model(version)
    with TemporaryDirectory(prefix="abalone-endpoint-") as folder:
        unpacked = Path(folder) / "model"
        archive.extract(data, unpacked)
        model = inference.model_fn(unpacked)
    served = ServedModel(version, registry.get(version).model_sha256, model)
    _warm_up(served)
    return served


def _warm_up(served: ServedModel) -> None:
    answer = served.invoke(WARM_UP_ROW, "text/csv", "text/csv").body.decode()
    if not math.isfinite(float(answer)):
        raise EndpointError(f"the warm-up prediction is {answer.strip()}; train the model again")


def _first_line(error: Exception) -> str:
    """An error's message without the debugging output that some libraries append."""
    return str(error).partition("\n")[0] or type(error).__name__
