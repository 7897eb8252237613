"""A copy of a home: lake, registry, surveys, Dagster's records, and what the endpoint captured.

A copy is a home, too: what it holds lies where a home has it. So to restore is to copy it back.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from abalone_assets import __version__
from abalone_assets.backup.stable_copy import Copy, count_files, files_below, make_private_folder
from abalone_assets.backup.sums import SUMS, read_sums, sha256_of, sums_file
from abalone_assets.errors import SettingsError, StorageError
from abalone_assets.lake.lake import Lake
from abalone_assets.local.driver import RECORD_NAME
from abalone_assets.local.driver_lock import LOCK_NAME
from abalone_assets.settings.environment import variable
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Callable

    from abalone_assets.settings.platform import Settings

ABOUT: Final = "backup.json"
FORMAT: Final = 1
PARTIAL: Final = ".partial"
INCOMPLETE: Final = "-incomplete"
"""Ends the name of a copy that lacks what could not be read."""

LOCK: Final = ".backup.lock"
SQLITE_SUFFIXES: Final = (".db", ".db-wal", ".db-shm", ".db-journal")
"""A database, and what SQLite needs beside it while it is open."""

NOT_COPIED: Final = frozenset({LOCK_NAME, RECORD_NAME, "dev.log", "dev.log.1"})
"""Of Dagster's folder: who drives the home now, and what its processes said."""

_PRIMARY: Final = 0xFF
_OF_EITHER: Final = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
}
"""SQLite's errors that may be the copy's, not the database's."""


@dataclass(frozen=True)
class Backup:
    """A copy that was made.

    Attributes:
        folder: Where it is.
        made_at: When it was begun, ISO time, UTC.
        files: How many it has.
        size: Their bytes.
        parts: The files of each part.
        earlier: The copy whose equal files it shares, if there was one.
        missing: Why files that are there could not be read, by the path that they would have in the
            copy: it is whole without them, and says so.
        format: Of the copy.
        version: Of the platform that made it.
    """

    folder: str
    made_at: str
    files: int
    size: int
    parts: dict[str, int]
    earlier: str | None
    missing: dict[str, str] = field(default_factory=dict)
    format: int = FORMAT
    version: str = __version__


def back_up(
    settings: Settings,
    target: Path,
    *,
    with_surveys: bool = True,
    show: Callable[[int, int], None] | None = None,
) -> Backup:
    """Copy a home into a new folder of the target, named by the time; safe while runs write.

    Lake and registry are of one moment. Surveys are copied after them, so that the copy lacks none
    that its lake knows, unless a crew deleted it.

    What cannot be read of lake or registry ends it: nothing works without any of their objects.
    What cannot be read of surveys, captured requests and Dagster's folder is left out and named.

    Args:
        settings: Of the home.
        target: A folder; copies that it holds already share their equal files with the new one.
        with_surveys: Copy the landing zone, too.
        show: Told how many files are copied, and how many there are.

    Raises:
        SettingsError: Something lies on S3, or the target is in what is copied.
        StorageError: Lake, registry or landing zone is not there or cannot be read, the target
            cannot be written or is full, or runs write faster than that.
    """
    from filelock import FileLock, Timeout

    sources = _sources(settings, target)
    if with_surveys and not sources["landing_zone"].is_dir():
        raise StorageError(
            f"{sources['landing_zone']}: there is no landing zone to copy: mount it, or leave it "
            "out with --without-surveys"
        )
    _require_records(settings, sources)
    try:
        make_private_folder(target)
        with FileLock(target / LOCK, timeout=0):
            return _copied(settings, target, sources, with_surveys=with_surveys, show=show)
    except Timeout as error:
        raise StorageError(f"{target}: another backup is being made there") from error
    except (OSError, sqlite3.Error) as error:
        raise StorageError(
            f"{target}: no backup was made ({error}); choose a folder with enough room that you may"
            " write to"
        ) from error


def backups(target: Path) -> list[Path]:
    """The whole copies in a folder, the oldest first."""
    return sorted(path.parent for path in target.glob(f"*/{ABOUT}") if path.parent.name[0] != ".")


def altered(copy: Path) -> list[str]:
    """The files of a copy that are gone or have other bytes than were copied.

    Raises:
        StorageError: It is no copy of a home.
    """
    try:
        return [
            name for name, digest in read_sums(copy).items() if sha256_of(copy / name) != digest
        ]
    except OSError as error:
        raise StorageError(
            f"{copy}: no whole copy of a home ({error.strerror}: {error.filename}); name the "
            "folder of one copy, such as 2026-01-31T034000Z, in the folder that was backed up to"
        ) from error


def lacking(copy: Path) -> dict[str, str]:
    """What a copy lacks as it could not be read, as `Backup.missing`.

    Raises:
        StorageError: It is no copy of a home.
    """
    try:
        document = json.loads((copy / ABOUT).read_bytes())
        return {str(name): str(reason) for name, reason in document.get("missing", {}).items()}
    except (OSError, ValueError, AttributeError) as error:
        raise StorageError(
            f"{copy / ABOUT}: does not say what is in this copy ({error}); check another one"
        ) from error


def _copied(
    settings: Settings,
    target: Path,
    sources: dict[str, Path],
    *,
    with_surveys: bool,
    show: Callable[[int, int], None] | None,
) -> Backup:
    partial, now = target / PARTIAL, datetime.now(UTC)
    shutil.rmtree(partial, ignore_errors=True)  # of one that was killed: the lock is ours
    earlier, digests = _earlier(target)
    folder = target / f"{now:%Y-%m-%dT%H%M%SZ}"
    if folder.exists():
        raise StorageError(f"{folder} is there already; try again in a second")
    try:
        partial.mkdir(mode=0o700)
        copy = Copy(partial, earlier, digests)
        surveys = sources.pop("landing_zone")
        if show is not None:
            expected = count_files(
                settings.dagster_home,
                settings.capture_folder,
                *sources.values(),
                *([surveys] if with_surveys else []),
            )
            copy.tell = lambda done: show(done, max(done, expected))
        _copy_databases(copy, settings.dagster_home)
        _copy_records(copy, settings)
        copy.add_folders(sources)
        if with_surveys:
            copy.add_folders({"landing_zone": surveys}, all_files=True, partly=True)
        if copy.missing:
            folder = folder.with_name(f"{folder.name}{INCOMPLETE}")
        made = Backup(
            str(folder),
            now.isoformat(timespec="seconds"),
            len(copy.digests),
            sum(copy.sizes.values()),
            _counts(copy),
            None if earlier is None else str(earlier),
            dict(sorted(copy.missing.items())),
        )
        _write(partial / SUMS, sums_file(copy.digests))
        _write(partial / ABOUT, json.dumps(asdict(made), indent=2).encode() + b"\n")
        os.sync()  # or a power cut leaves the name of what was never written
        partial.rename(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return made


def _sources(settings: Settings, target: Path) -> dict[str, Path]:
    """The folders of lake, registry and surveys."""
    uris = {
        "lake": settings.lake_uri,
        "registry": settings.registry_uri,
        "landing_zone": settings.landing_zone_uri,
    }
    sources = {}
    for name, uri in uris.items():
        root = ObjectStore(uri).root
        if root is None:
            raise SettingsError(
                f"{uri}: a backup is of folders; on S3, the buckets' versions keep what was, and "
                "replication or AWS Backup a copy elsewhere"
            )
        sources[name] = root.resolve()
    inside = target.resolve()
    for root in (
        *sources.values(),
        settings.dagster_home.resolve(),
        settings.capture_folder.resolve(),
    ):
        if inside == root or inside.is_relative_to(root):
            raise SettingsError(f"{target} lies in {root}, which is to be copied: choose another")
    return sources


def _require_records(settings: Settings, sources: dict[str, Path]) -> None:
    """Make sure that lake and registry are there; those of a new home need not be yet.

    Raises:
        StorageError: One is not there, or is empty as an unmounted disk's folder is.
    """
    home = settings.home.resolve()
    for name, root in sources.items():
        if name == "landing_zone" or _has_files(root):
            continue
        if not root.is_dir() and not root.is_relative_to(home):
            why = "there is no such folder"
        elif name == "lake" and _has_files(sources["registry"]):
            why = f"it is empty, though {sources['registry']} has model versions"
        elif name == "registry" and _has_released(settings):
            why = f"it is empty, though {sources['lake']} tells of a release"
        else:
            continue
        raise StorageError(
            f"{root}: no {name} to copy, {why}: mount it, or correct "
            f"{variable(f'{name}_uri')}, which names it"
        )


def _has_files(root: Path) -> bool:
    return root.exists() and next(files_below(root, {}), None) is not None


def _has_released(settings: Settings) -> bool:
    """Whether the lake tells of a release that registered a version."""
    with suppress(StorageError):  # what is damaged is to be copied, too
        release = Lake(settings.lake_uri).release()
        return release is not None and release.version is not None
    return False


def _earlier(target: Path) -> tuple[Path | None, dict[str, str]]:
    """The last copy whose digests can be read, with them; one without them shares nothing."""
    for copy in reversed(backups(target)):
        with suppress(OSError):
            return copy, read_sums(copy)
    return None, {}


def _copy_databases(copy: Copy, folder: Path) -> None:
    for name, path in sorted(copy.files_of("dagster", folder)):
        if path.name.endswith(SQLITE_SUFFIXES[0]):
            _copy_database(copy, name, path)


def _copy_database(copy: Copy, name: str, source: Path) -> None:
    """Copy a database as SQLite does: whole, while others write in it; not one that is gone.

    One that is damaged is named as missing: what it tells is made again from the records.

    Raises:
        sqlite3.Error: The copy cannot be written.
    """
    target = copy.folder / name
    make_private_folder(target.parent)
    temporary = target.with_name(f".{target.name}.copied")
    uri = f"{source.as_uri()}?mode=ro"
    try:
        with (
            closing(sqlite3.connect(uri, uri=True, timeout=60)) as read,
            closing(sqlite3.connect(temporary)) as written,
        ):
            read.backup(written)
    except sqlite3.Error as error:
        temporary.unlink(missing_ok=True)
        if not source.exists():
            return  # that of a run which was removed meanwhile
        reason = _why_unread(source, error)
        if not reason:
            raise
        copy.leave_out(name, reason)
        return
    temporary.chmod(0o600)
    copy.take(name, temporary)


def _why_unread(source: Path, error: sqlite3.Error) -> str:
    """Why a database cannot be read; empty when its copy could not be written."""
    if error.sqlite_errorcode & _PRIMARY not in _OF_EITHER:
        return str(error)
    try:
        sha256_of(source)
        return "" if source.is_file() else "no file"
    except OSError as unread:
        return unread.strerror or str(unread)


def _copy_records(copy: Copy, settings: Settings) -> None:
    """What else the home has to itself: each file whole, and needed by nothing else."""
    captured = settings.capture_folder
    for part, root in (("dagster", settings.dagster_home), (captured.name, captured)):
        for name, path in sorted(copy.files_of(part, root)):
            is_left_out = part == "dagster" and (
                path.name.endswith(SQLITE_SUFFIXES)
                or NOT_COPIED.intersection(path.relative_to(root).parts)
            )
            if not is_left_out and _may_be_file(path):
                copy.add_file(name, path, follows=True, partly=True)


def _may_be_file(path: Path) -> bool:
    """Whether this, or what it leads to, is a file; also where only copying it tells why not."""
    try:
        return path.is_file()
    except OSError:
        return True


def _counts(copy: Copy) -> dict[str, int]:
    parts = [name.partition("/")[0] for name in copy.digests]
    return {part: parts.count(part) for part in sorted(set(parts))}


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)
