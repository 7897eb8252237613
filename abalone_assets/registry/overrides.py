"""What people decide on a model version, and the document that keeps it: appended to, never cut."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from abalone_assets.storage.object_store import ObjectStore


@dataclass(frozen=True)
class Override:
    """What a person decided on a version, whatever the gate had said.

    Attributes:
        approved: Whether it may answer requests.
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
    if document is None:
        return ()
    remedy = "restore these decisions of people, or delete them and decide again"
    return record_of(tuple[Override, ...], document, uri, remedy=remedy)
