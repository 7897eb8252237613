"""An endpoint's pointer: the object that names the model version which it should serve.

The pointer is what *should be*; the server compares it with what *is* and swaps models until both
agree. So a deployment survives a restart of the server, and of whoever deployed.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.errors import EndpointError
from abalone_assets.settings.platform import ENDPOINT_NAME_PATTERN
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from abalone_assets.storage.object_store import ObjectStore

_REMEDY: Final = "delete it and deploy again: launch the job `deploy` in Dagster's UI"


@dataclass(frozen=True)
class EndpointPointer:
    """Which model version an endpoint should serve.

    Attributes:
        version: The model version to serve.
        previous: The version to return to when this one fails, if there is one.
        requested_at: When this was asked for, ISO 8601 in UTC; tells two requests apart.
    """

    endpoint: str
    version: int
    previous: int | None
    requested_at: str


def check_endpoint_name(name: str) -> str:
    """The name itself, when SageMaker would accept it.

    Raises:
        EndpointError: It would not.
    """
    if not re.fullmatch(ENDPOINT_NAME_PATTERN, name):
        raise EndpointError(
            f"{name!r} is no endpoint name: use up to 63 letters, digits and inner hyphens"
        )
    return name


def pointer_key(endpoint: str) -> str:
    """The key of the endpoint's pointer in the registry's store."""
    return f"endpoints/{check_endpoint_name(endpoint)}.json"


def read_pointer(store: ObjectStore, endpoint: str) -> EndpointPointer | None:
    """What the endpoint should serve, or None when nothing is deployed to it.

    Raises:
        StorageError: The pointer is damaged.
    """
    key = pointer_key(endpoint)
    return _parsed(store.read_json(key), store.uri_of(key))


def named_by_pointers(store: ObjectStore) -> set[int]:
    """The versions that endpoints of this registry should serve, or would return to.

    Raises:
        StorageError: A pointer is damaged.
    """
    keys = [stored.key for stored in store.list("endpoints/") if stored.key.endswith(".json")]
    pointers = [_parsed(store.read_json(key), store.uri_of(key)) for key in keys]
    named = [(pointer.version, pointer.previous) for pointer in pointers if pointer]
    return {version for pair in named for version in pair if version is not None}


def publish_pointer(store: ObjectStore, endpoint: str, version: int) -> EndpointPointer:
    """Ask the endpoint to serve a version, atomically; the version before becomes ``previous``.

    Publishing the version that is already asked for makes a server try it once more.

    Raises:
        StorageError: The present pointer is damaged.
    """
    key = pointer_key(endpoint)

    def change(document: object) -> dict[str, Any]:
        before = _parsed(document, store.uri_of(key))
        return asdict(EndpointPointer(endpoint, version, _before(version, before), _now()))

    return EndpointPointer(**store.update_json(key, change))


def roll_back_pointer(
    store: ObjectStore, failed: EndpointPointer, fallback: int | None
) -> EndpointPointer | None:
    """Take a failed request back: ask for the ``fallback`` version, or for none at all.

    A pointer that holds another request, be it for the same version, is someone else's and stays.
    Asking for none writes a pointer whose version is null, because a store cannot delete an object
    on the condition that nobody has written it since.

    Returns:
        The pointer that now holds; None when there is none.

    Raises:
        StorageError: The present pointer is damaged.
    """
    key = pointer_key(failed.endpoint)

    def change(document: object) -> object:
        if _parsed(document, store.uri_of(key)) != failed:
            return document
        taken_back = {"version": fallback, "previous": None, "requested_at": _now()}
        return asdict(failed) | taken_back

    return _parsed(store.update_json(key, change), store.uri_of(key))


def forget_previous(store: ObjectStore, pointer: EndpointPointer) -> None:
    """Let a request name no version to return to; one that another has replaced is left alone.

    Raises:
        StorageError: The present pointer is damaged.
    """
    key = pointer_key(pointer.endpoint)

    def change(document: object) -> object:
        is_present = _parsed(document, store.uri_of(key)) == pointer
        return asdict(replace(pointer, previous=None)) if is_present else document

    store.update_json(key, change)


def _before(version: int, pointer: EndpointPointer | None) -> int | None:
    """The version to return to once the pointer names another ``version``."""
    if pointer is None:
        return None
    return pointer.previous if pointer.version == version else pointer.version


def _parsed(document: object, uri: str) -> EndpointPointer | None:
    is_none = isinstance(document, dict) and document.get("version", 0) is None
    if document is None or is_none:
        return None
    return record_of(EndpointPointer, document, uri, remedy=_REMEDY)


def _now() -> str:
    return datetime.now(UTC).isoformat()
