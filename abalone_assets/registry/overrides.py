"""What people decide on a model version, and the document that keeps it: appended to, never cut."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING

from abalone_assets.errors import StorageError

if TYPE_CHECKING:
    from abalone_assets.storage.object_store import ObjectStore


@dataclass(frozen=True)
class Override:
    """What a person decided on a version, whatever the gate had said.

    Attributes:
        approved: Whether it may answer requests.
        because: The person's reason.
        by: Who.
        at: When, ISO 8601 in UTC.
    """

    approved: bool
    because: str
    by: str
    at: str

    def __str__(self) -> str:
        """The decision in one sentence."""
        verb = "Approved" if self.approved else "Rejected"
        return f"{verb} by {self.by} on {self.at[:10]}: {self.because.rstrip('.')}."


def read_overrides(store: ObjectStore, key: str) -> tuple[Override, ...]:
    """The decisions that a document lists, oldest first; none when there is no such document.

    Raises:
        StorageError: It is damaged, or the store refuses.
    """
    return _parsed(store.read_json(key), store.uri_of(key))


def append_override(store: ObjectStore, key: str, override: Override) -> None:
    """Add a decision to the document, with nobody else's lost.

    Raises:
        StorageError: The document is damaged, or the store refuses.
    """

    def change(document: object) -> object:
        return [asdict(each) for each in (*_parsed(document, store.uri_of(key)), override)]

    store.update_json(key, change)


def _parsed(document: object, uri: str) -> tuple[Override, ...]:
    entries = [] if document is None else document
    names = {field.name for field in fields(Override)}
    if not isinstance(entries, list) or not all(
        isinstance(each, dict) and set(each) == names for each in entries
    ):
        raise StorageError(
            f"{uri}: not a list of people's decisions; restore it, or delete it and decide again"
        )
    return tuple(Override(**each) for each in entries)
