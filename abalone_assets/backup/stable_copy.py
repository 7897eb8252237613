"""Copies of folders in which others write: what a copy holds was there at one moment."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import StorageError
from abalone_assets.lake.leftovers import STAGED_FILE, STAGED_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

PASSES: Final = 20
"""How often what changed meanwhile is copied again: each pass has less to do than the last."""

Token = tuple[int, int, int, int]


@dataclass
class Copy:
    """A folder that others are copied into.

    Attributes:
        folder: Where the copy is made.
        earlier: An earlier copy, of which files with the same bytes are shared by hard links.
        earlier_digests: The SHA-256 of its files, by path below it.
        digests: Those of the files that were copied, by path below ``folder``.
        sizes: Their bytes.
    """

    folder: Path
    earlier: Path | None = None
    earlier_digests: Mapping[str, str] = field(default_factory=dict)
    digests: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)

    def add_folders(self, sources: Mapping[str, Path], *, all_files: bool = False) -> None:
        """Copy folders as all of them were at one moment.

        All files are listed, what is new is copied, and they are listed again: where nothing
        changed between two listings, everything that was copied stood there together.

        Args:
            sources: The folders, by their names in the copy.
            all_files: Also those that look as if a store were still writing them.

        Raises:
            StorageError: They are written to faster than they can be copied.
        """
        known: dict[str, Token] = {}
        listed = _listing(sources, all_files=all_files)
        for _ in range(PASSES):
            for name in known.keys() - listed.keys():
                self._forget(name)
            for name, (path, token) in listed.items():
                if known.get(name) != token:
                    self.add_file(name, path)
            known = {name: token for name, (_, token) in listed.items()}
            listed = _listing(sources, all_files=all_files)
            if known == {name: token for name, (_, token) in listed.items()}:
                return
        raise StorageError(
            f"{', '.join(map(str, sources.values()))}: written to faster than it can be copied; "
            "try again when `abalone status` shows no run in flight"
        )

    def add_file(self, name: str, path: Path, *, follows: bool = False) -> None:
        """Copy one file; nothing happens when it is gone.

        Args:
            name: Its path in the copy.
            path: Where it is.
            follows: Of a link, copy what it leads to; else one is as good as gone.
        """
        target = self.folder / name
        make_private_folder(target.parent)
        temporary = target.with_name(f".{target.name}.copied")
        try:
            shutil.copyfile(path, temporary, follow_symlinks=follows)
            shutil.copystat(path, temporary, follow_symlinks=follows)
        except FileNotFoundError:
            temporary.unlink(missing_ok=True)
            return
        if temporary.is_symlink():  # what is done to it from here on would be done to its target
            temporary.unlink()
            return
        temporary.chmod(0o600)
        self.take(name, temporary)

    def take(self, name: str, temporary: Path) -> None:
        """Make a file of the copy's own folder a part of the copy, or of the earlier one's."""
        target = self.folder / name
        with temporary.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        self.sizes[name] = temporary.stat().st_size
        self.digests[name] = digest
        shared = None if self.earlier is None else self.earlier / name
        if shared is not None and self.earlier_digests.get(name) == digest and shared.is_file():
            target.unlink(missing_ok=True)
            with suppress(OSError):  # not every file system has hard links: then it is a copy
                target.hardlink_to(shared)
                temporary.unlink()
                return
        temporary.replace(target)

    def _forget(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)
        self.digests.pop(name, None)
        self.sizes.pop(name, None)


def make_private_folder(folder: Path) -> None:
    """Make a folder, and those above that are missing, for this user alone, whatever the umask."""
    if not folder.is_dir():
        make_private_folder(folder.parent)
        folder.mkdir(mode=0o700, exist_ok=True)


def _listing(sources: Mapping[str, Path], *, all_files: bool) -> dict[str, tuple[Path, Token]]:
    """The files of folders by their names in a copy, and what changes when one is written."""
    return {
        f"{name}/{path.relative_to(root).as_posix()}": (path, token)
        for name, root in sources.items()
        for path, token in _files(root, all_files=all_files)
    }


def _files(root: Path, *, all_files: bool) -> Iterator[tuple[Path, Token]]:
    """The regular files below a folder, without those that a store has not finished."""
    for folder, folders, files in os.walk(root):
        if STAGED_FOLDER in folders and not all_files:
            folders.remove(STAGED_FOLDER)
        for name in files:
            path = Path(folder, name)
            try:
                found = path.lstat()
            except FileNotFoundError:
                continue
            whole = all_files or not STAGED_FILE.fullmatch(name)
            if whole and stat.S_ISREG(found.st_mode):
                yield path, (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
