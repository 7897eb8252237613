"""One object store for folders and S3 prefixes: atomic puts, listings, compare-and-swap.

A thin layer over `obstore <https://developmentseed.org/obstore/>`_, which writes local files to a
temporary name and renames them, and S3 objects in one request: a reader sees the old or the new
object, never a part of one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import unquote, urlsplit

from abalone_assets.errors import DamagedError, StorageError
from abalone_assets.storage.s3 import explain_obstore, open_s3_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from obstore.store import ObjectStore as ObstoreStore

MAX_SWAP_ATTEMPTS: Final = 50

Document = TypeVar("Document")


@dataclass(frozen=True)
class StoredObject:
    """What a listing says of one object.

    Attributes:
        key: Path below the store's root, with ``/`` between its parts.
        size: Bytes.
        e_tag: A token that changes whenever the object is written again.
        last_modified: Time of the last write, UTC.
    """

    key: str
    size: int
    e_tag: str
    last_modified: datetime


class ObjectStore:
    """The objects below a folder or an ``s3://bucket/prefix``.

    Args:
        uri: A folder's path, a ``file://`` URI, an ``s3://`` URI, or an ``ssm:/path/name`` that
            holds an ``s3://`` URI. A missing folder is made by the first write.

    Raises:
        StorageError: The URI is none of these.
        SettingsError: The SSM parameter is missing or cannot be read.
    """

    def __init__(self, uri: str | os.PathLike[str]) -> None:
        text = _looked_up(os.fspath(uri))
        scheme = urlsplit(text).scheme
        self.root: Path | None = None
        if scheme == "s3":
            self.uri = text.rstrip("/")
        elif scheme in {"", "file"}:
            path = unquote(urlsplit(text).path) if scheme else text
            if "\0" in path:
                raise StorageError(f"{text}: no folder's name has a NUL character")
            self.root = Path(path).resolve()
            self.uri = str(self.root)
        else:
            raise StorageError(f"{text}: not a folder, file:// or s3:// URI")
        if scheme == "s3" and not urlsplit(text).netloc:
            raise StorageError(f"{text}: names no bucket; expected s3://bucket/prefix")

    def __repr__(self) -> str:
        return f"ObjectStore({self.uri!r})"

    @cached_property
    def _store(self) -> ObstoreStore:
        if self.root is None:
            with _translate_errors(self.uri):
                return open_s3_store(self.uri)
        from obstore.store import LocalStore

        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"{self.root}: cannot make this folder: {error}") from error
        return LocalStore(self.root)

    @property
    def _is_missing(self) -> bool:
        """Whether this is a folder that nothing was written to yet.

        Raises:
            StorageError: Nobody can tell: it may not be entered, or its share went away.
        """
        try:
            return self.root is not None and not self.root.exists()
        except OSError as error:
            raise StorageError(
                f"{self.root}: cannot look into this folder: {error.strerror}; make sure that it "
                "is mounted, and that the platform may enter it"
            ) from error

    def uri_of(self, key: str) -> str:
        """The absolute path or ``s3://`` URI of an object, as other tools would open it."""
        return f"{self.uri}/{key}"

    def read(self, key: str) -> bytes:
        """The whole object.

        Raises:
            StorageError: There is no such object, or the store refuses.
        """
        _, data = self.read_changed(key, None)
        if data is None:
            raise StorageError(f"{self.uri_of(key)}: no such object")
        return data

    def read_changed(self, key: str, e_tag: str | None) -> tuple[str | None, bytes | None]:
        """The token and bytes of an object, in one request, unless it still has this token.

        Returns:
            The token alone when nothing changed; two None when there is no such object.

        Raises:
            StorageError: The store refuses.
        """
        if self._is_missing:
            return None, None
        from obstore.exceptions import NotModifiedError

        with _translate_errors(self.uri_of(key)):
            try:
                found = self._store.get(key, options={"if_none_match": e_tag} if e_tag else None)
                return found.meta["e_tag"], bytes(found.bytes())
            except NotModifiedError:
                return e_tag, None
            except FileNotFoundError as error:
                if "<Code>NoSuchBucket</Code>" in str(error):  # not the object alone is missing
                    raise
                return None, None

    def write(self, key: str, data: bytes, *, create_only: bool = False) -> None:
        """Write the object atomically.

        Raises:
            StorageError: ``create_only`` is set and the object exists, or the store refuses.
        """
        from obstore.exceptions import AlreadyExistsError

        with _translate_errors(self.uri_of(key)):
            try:
                self._store.put(key, data, mode="create" if create_only else "overwrite")
            except AlreadyExistsError as error:
                raise StorageError(f"{self.uri_of(key)}: exists already") from error

    def lines(self, key: str) -> Iterator[bytes]:
        """The object's lines with their ends, of which few are in memory at a time.

        Raises:
            StorageError: There is no such object, or the store refuses.
        """
        if self._is_missing:
            raise StorageError(f"{self.uri_of(key)}: no such object")
        rest = b""
        with _translate_errors(self.uri_of(key)):
            for chunk in self._store.get(key).stream():
                *whole, rest = (rest + bytes(chunk)).split(b"\n")
                for line in whole:
                    yield line + b"\n"
        if rest:
            yield rest

    def sha256(self, key: str) -> str:
        """SHA-256 of the object's content, of which little is in memory at a time.

        Raises:
            StorageError: There is no such object, or the store refuses.
        """
        if self._is_missing:
            raise StorageError(f"{self.uri_of(key)}: no such object")
        digest = hashlib.sha256()
        with _translate_errors(self.uri_of(key)):
            for chunk in self._store.get(key).stream():
                digest.update(chunk)
        return digest.hexdigest()

    def download(self, key: str, path: Path) -> None:
        """Write the object's content to a file, of which little is in memory at a time.

        Raises:
            StorageError: There is no such object, or the store refuses.
        """
        if self._is_missing:
            raise StorageError(f"{self.uri_of(key)}: no such object")
        with _translate_errors(self.uri_of(key)), path.open("wb") as file:
            for chunk in self._store.get(key).stream():
                file.write(bytes(chunk))

    def upload(self, key: str, path: Path) -> None:
        """Write a file's content atomically, in parts where it is large.

        Raises:
            StorageError: The store refuses.
        """
        with _translate_errors(self.uri_of(key)):
            self._store.put(key, path)

    def find(self, key: str) -> StoredObject | None:
        """What is known of the object, or None when there is none.

        S3 gives no reason when it has none, so a missing bucket is one too: see `require_bucket`.
        """
        if self._is_missing:
            return None
        with _translate_errors(self.uri_of(key)):
            try:
                return _stored(self._store.head(key))
            except FileNotFoundError:
                return None

    def require_bucket(self) -> None:
        """Make sure that what is missing is an object and not its whole bucket.

        Raises:
            StorageError: There is no such bucket, or it may not be listed.
        """
        next(self.list(), None)

    def list(self, prefix: str = "", *, after: str | None = None) -> Iterator[StoredObject]:
        """The objects below a prefix that ends at a ``/``, those past the key ``after`` only."""
        if self._is_missing:
            return
        with _translate_errors(self.uri_of(prefix)):
            for chunk in self._store.list(prefix or None, offset=after):
                yield from (_stored(meta) for meta in chunk if not _is_lock(meta["path"]))

    def delete(self, key: str) -> None:
        """Remove the object; one that does not exist is no error."""
        if self.find(key) is not None:
            with _translate_errors(self.uri_of(key)), suppress(FileNotFoundError):
                self._store.delete(key)

    def delete_folder(self, folder: str) -> None:
        """Remove all objects below a prefix, which ends before a ``/``; none is no error.

        Raises:
            StorageError: The folder is the whole store, or the store refuses.
        """
        if not folder.strip("/."):
            raise StorageError(f"{self.uri}: not deleted as a whole")
        for stored in list(self.list(f"{folder}/")):
            self.delete(stored.key)
        if self.root is not None:
            shutil.rmtree(self.root / folder, ignore_errors=True)  # its folders, empty now

    def read_json(self, key: str) -> Any | None:  # noqa: ANN401 - a JSON document of any shape
        """The JSON document, or None when there is none.

        Raises:
            DamagedError: The object is not JSON.
            StorageError: The store refuses.
        """
        _, data = self.read_changed(key, None)
        try:
            return None if data is None else json.loads(data)
        except (ValueError, RecursionError) as error:
            raise DamagedError(f"{self.uri_of(key)}: not a JSON document: {error}") from error

    def write_json(self, key: str, document: object, *, create_only: bool = False) -> None:
        """Write a JSON document atomically, its keys in their given order."""
        self.write(key, _json_bytes(document), create_only=create_only)

    def update_json(
        self,
        key: str,
        change: Callable[[Any | None], Document],
        *,
        encode: Callable[[Document], bytes] | None = None,
    ) -> Document:
        """Replace a JSON document by ``change(document)``, with no other writer's change lost.

        A folder takes a lock file; S3 a conditional write, tried again when another writer won.

        Args:
            key: That of the document.
            change: Makes the new document of the one that is there, None when there is none.
            encode: Makes the JSON of it; the default is for documents that people read.

        Returns:
            What was written.

        Raises:
            StorageError: Other writers won every one of the attempts, or the store refuses.
        """
        encode = encode or _json_bytes
        if self.root is not None:
            from filelock import FileLock

            lock = FileLock(self.root / f".{key.replace('/', '.')}.lock")
            with _translate_errors(self.uri_of(key)):
                self.root.mkdir(parents=True, exist_ok=True)
                lock.acquire()
            try:
                written = change(self.read_json(key))
                self.write(key, encode(written))
            finally:
                lock.release()
            return written
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        for _ in range(MAX_SWAP_ATTEMPTS):
            found = self.find(key)
            written = change(self.read_json(key) if found else None)
            data = encode(written)
            mode = {"e_tag": found.e_tag} if found else "create"
            with (
                _translate_errors(self.uri_of(key)),
                suppress(AlreadyExistsError, PreconditionError),
            ):
                self._store.put(key, data, mode=cast("Any", mode))
                return written
        raise StorageError(f"{self.uri_of(key)}: lost {MAX_SWAP_ATTEMPTS} races to write it")


@contextmanager
def _translate_errors(uri: str) -> Iterator[None]:
    from obstore.exceptions import BaseError

    try:
        yield
    except (BaseError, OSError, ValueError) as error:
        raise StorageError(f"{uri}: {explain_obstore(error)}") from error


def _looked_up(uri: str) -> str:
    """The URI itself, or the one that an SSM parameter holds."""
    if not uri.startswith("ssm:"):
        return uri
    from abalone_assets.aws.parameters import resolve

    found = resolve(uri)
    if not found.startswith("s3://"):
        raise StorageError(f"{uri} holds {found!r}; expected an s3:// URI")
    return found


def _json_bytes(document: object) -> bytes:
    return json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).encode()


def _is_lock(key: str) -> bool:
    return key.startswith(".") and key.endswith(".lock") and "/" not in key


def _stored(meta: Any) -> StoredObject:  # noqa: ANN401 - obstore's ObjectMeta is a TypedDict
    return StoredObject(meta["path"], meta["size"], meta["e_tag"] or "", meta["last_modified"])


def locate(uri: str) -> tuple[ObjectStore, str]:
    """The store and the key of one object, from its path or ``s3://`` URI."""
    parent, _, key = uri.rpartition("/")
    return ObjectStore(parent), key
