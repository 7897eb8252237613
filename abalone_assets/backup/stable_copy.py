"""Copies of folders in which others write: what a copy holds was there at one moment."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from abalone_assets.backup.sums import sha256_of
from abalone_assets.errors import StorageError
from abalone_assets.lake.leftovers import STAGED_FILE, STAGED_FOLDER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from io import FileIO

PASSES: Final = 20
"""How often what changed meanwhile is copied again: each pass has less to do than the last."""

CHUNK: Final = 1 << 20

Token = tuple[int, int, int, int]


class UnreadableError(StorageError):
    """What is to be copied is there and cannot be read.

    Attributes:
        reason: What the system says.
    """

    def __init__(self, path: Path, error: OSError) -> None:
        self.reason = error.strerror or str(error)
        super().__init__(
            f"{path}: cannot be read ({self.reason}), so no backup was made: let this user read "
            "it, or mend its disk or mount"
        )


def _untold(_: int) -> None:
    """Tell nobody how many files there are."""


@dataclass
class Copy:
    """A folder that others are copied into.

    Attributes:
        folder: Where the copy is made.
        earlier: An earlier copy, of which files with the same bytes are shared by hard links.
        earlier_digests: The SHA-256 of its files, by path below it.
        digests: Those of the files that were copied, by path below ``folder``.
        sizes: Their bytes.
        missing: Why others could not be read, by the path that they would have.
        tell: Told how many files it has, after each.
    """

    folder: Path
    earlier: Path | None = None
    earlier_digests: Mapping[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    tell: Callable[[int], None] = _untold

    def add_folders(
        self, sources: Mapping[str, Path], *, all_files: bool = False, partly: bool = False
    ) -> None:
        """Copy folders as all of them were at one moment.

        All files are listed, what is new is copied, and they are listed again: where nothing
        changed between two listings, everything that was copied stood there together.

        Args:
            sources: The folders, by their names in the copy; one that is not there yet is empty.
            all_files: Also those that look as if a store were still writing them.
            partly: Leave out what cannot be read in them, and name it as missing.

        Raises:
            UnreadableError: A folder, or without ``partly`` anything in it, cannot be read.
            StorageError: They are written to faster than they can be copied.
        """
        known: dict[str, Token] = {}
        absent = {name for name, root in sources.items() if not root.exists()}
        for _ in range(PASSES):
            there = {
                name: root for name, root in sources.items() if name not in absent or root.exists()
            }
            listed, unlisted = _listing(there, all_files=all_files)
            if unlisted and not partly:
                raise next(iter(unlisted.values()))
            tokens = {name: token for name, (_, token) in listed.items()}
            if known == tokens:
                self.missing |= {name: error.reason for name, error in unlisted.items()}
                return
            for name in known.keys() - listed.keys():
                self._forget(name)
            for name, (path, token) in listed.items():
                if known.get(name) != token:
                    self.add_file(name, path, partly=partly)
            known = tokens
        raise StorageError(
            f"{', '.join(map(str, sources.values()))}: written to faster than it can be copied; "
            "try again when `abalone status` shows no run in flight"
        )

    def add_file(
        self, name: str, path: Path, *, follows: bool = False, partly: bool = False
    ) -> None:
        """Copy one file; nothing happens when it is gone.

        Args:
            name: Its path in the copy.
            path: Where it is.
            follows: Of a link, copy what it leads to; else one is as good as gone.
            partly: Name it as missing when it cannot be read.

        Raises:
            UnreadableError: It cannot be read, without ``partly``.
            OSError: The copy cannot be written.
        """
        target = self.folder / name
        make_private_folder(target.parent)
        temporary = target.with_name(f".{target.name}.copied")
        try:
            is_there = _copied(path, temporary, follows=follows)
        except UnreadableError as error:
            temporary.unlink(missing_ok=True)
            if not partly:
                raise
            self.leave_out(name, error.reason)
            return
        if is_there:
            self.take(name, temporary)
        else:
            temporary.unlink(missing_ok=True)

    def leave_out(self, name: str, reason: str) -> None:
        """Name a file that cannot be read as missing; what was copied of it before goes, too."""
        self._forget(name)
        self.missing[name] = reason

    def files_of(self, name: str, root: Path) -> Iterator[tuple[str, Path]]:
        """The files and links of a folder by their paths in the copy; none where there is none.

        A folder in it that cannot be listed is named as missing.

        Raises:
            UnreadableError: The folder itself cannot be listed.
        """
        if not root.exists():
            return
        unlisted: dict[Path, UnreadableError] = {}
        for path in files_below(root, unlisted):
            yield _name(name, root, path), path
        self.missing |= {_name(name, root, path): each.reason for path, each in unlisted.items()}

    def take(self, name: str, temporary: Path) -> None:
        """Make a file of the copy's own folder a part of the copy, or of the earlier one's."""
        target = self.folder / name
        with temporary.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        self.sizes[name] = temporary.stat().st_size
        self.digests[name] = digest
        self.missing.pop(name, None)
        self.tell(len(self.digests))
        shared = None if self.earlier is None else self.earlier / name
        is_same = self.earlier_digests.get(name) == digest
        if shared is not None and is_same and _is_still(shared, digest):
            target.unlink(missing_ok=True)
            with suppress(OSError):  # not every file system has hard links: then it is a copy
                target.hardlink_to(shared)
                temporary.unlink()
                return
        temporary.replace(target)

    def _forget(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)
        for told in (self.digests, self.sizes, self.missing):
            told.pop(name, None)


def make_private_folder(folder: Path) -> None:
    """Make a folder, and those above that are missing, for this user alone, whatever the umask."""
    if not folder.is_dir():
        make_private_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def count_files(*roots: Path) -> int:
    """How many files folders have, as far as they can be listed."""
    return sum(len(files) for root in roots for _, _, files in os.walk(root))


def _copied(path: Path, target: Path, *, follows: bool) -> bool:
    """Copy a file's bytes and times for this user alone; whether it was there.

    Raises:
        UnreadableError: It cannot be read.
        OSError: The target cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | (0 if follows else os.O_NOFOLLOW))
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno == errno.ELOOP and not follows:
            return False  # a link has taken its place
        raise UnreadableError(path, error) from error
    with os.fdopen(descriptor, "rb", buffering=0) as content, target.open("wb") as written:
        target.chmod(0o600)
        while data := _read(content, path):
            written.write(data)
    with suppress(FileNotFoundError):
        shutil.copystat(path, target, follow_symlinks=follows)
    target.chmod(0o600)
    return True


def _read(content: FileIO, path: Path) -> bytes:
    try:
        return content.read(CHUNK)
    except OSError as error:
        raise UnreadableError(path, error) from error


def _is_still(shared: Path, digest: str) -> bool:
    """Whether a file of an earlier copy has the bytes that it was copied with.

    It is read: a link to one that has rotted would have every later copy rotten, too.
    """
    try:
        return sha256_of(shared) == digest
    except OSError:
        return False


def _name(name: str, root: Path, path: Path) -> str:
    return f"{name}/{path.relative_to(root).as_posix()}"


def _listing(
    sources: Mapping[str, Path], *, all_files: bool
) -> tuple[dict[str, tuple[Path, Token]], dict[str, UnreadableError]]:
    """The regular files of folders by their names in a copy, with what changes on a write.

    Without those that a store has not finished, unless all are asked for; beside them what cannot
    be listed.

    Raises:
        UnreadableError: One of the folders themselves cannot be listed.
    """
    listed: dict[str, tuple[Path, Token]] = {}
    unlisted: dict[str, UnreadableError] = {}
    for name, root in sources.items():
        failed: dict[Path, UnreadableError] = {}
        for path in files_below(root, failed, left_out=None if all_files else STAGED_FOLDER):
            if not all_files and STAGED_FILE.fullmatch(path.name):
                continue
            try:
                found = path.lstat()
            except FileNotFoundError:
                continue
            except OSError as error:
                failed[path] = UnreadableError(path, error)
                continue
            if stat.S_ISREG(found.st_mode):
                token = found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
                listed[_name(name, root, path)] = path, token
        unlisted |= {_name(name, root, path): error for path, error in failed.items()}
    return listed, unlisted


def files_below(
    root: Path, unlisted: dict[Path, UnreadableError], *, left_out: str | None = None
) -> Iterator[Path]:
    """All that is no folder below one, links too; notes which folders cannot be listed.

    `os.walk` by itself takes a folder that cannot be listed for an empty one.

    Raises:
        UnreadableError: The folder itself is not there or cannot be listed.
    """

    def failed(error: OSError) -> None:
        path = Path(error.filename or root)
        if path == root:
            raise UnreadableError(path, error) from error
        if not isinstance(error, FileNotFoundError):  # else it was removed meanwhile
            unlisted[path] = UnreadableError(path, error)

    for folder, folders, files in os.walk(root, onerror=failed):
        if left_out in folders:
            folders.remove(left_out)
        yield from (Path(folder, name) for name in files)
