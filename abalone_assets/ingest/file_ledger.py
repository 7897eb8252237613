"""A ledger of files in the lake: each is known by the SHA-256 of its bytes, under whatever name."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from abalone_assets.storage.object_store import ObjectStore

_Entry = TypeVar("_Entry")

FORMAT: Final = 1


@dataclass(frozen=True)
class LedgerDocument(Generic[_Entry]):
    """A ledger as it is stored: the entry of each file, by the SHA-256 of its bytes."""

    format: int
    files: dict[str, _Entry]


@dataclass(frozen=True)
class FileLedger(Generic[_Entry]):
    """A ledger of files.

    Attributes:
        key: Of the lake's document.
        document: The document with entries of its kind.
        loss: What would happen without it, for messages.
    """

    key: str
    document: type[LedgerDocument[_Entry]]
    loss: str

    def files(self, store: ObjectStore) -> dict[str, _Entry]:
        """The entry of each file, by the SHA-256 of its bytes.

        Raises:
            StorageError: The ledger is damaged, or the store refuses.
        """
        return self._files_of(store.read_json(self.key), store)

    def record(self, store: ObjectStore, sha256: str, entry: _Entry) -> None:
        """Record the file with these bytes; recorded again, it keeps its first entry.

        Raises:
            StorageError: The ledger is damaged, or the store refuses.
        """

        def change(document: object) -> dict[str, Any]:
            files = {sha256: entry, **self._files_of(document, store)}
            return asdict(LedgerDocument(FORMAT, files))

        store.update_json(self.key, change)

    def _files_of(self, document: object, store: ObjectStore) -> dict[str, _Entry]:
        if document is None:
            return {}
        remedy = f"restore this ledger from a copy: without it, {self.loss}"
        place = store.uri_of(self.key)
        return record_of(self.document, document, place, remedy=remedy, version=FORMAT).files


def now() -> str:
    """The time to note in an entry: ISO, UTC, in seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")
