"""A copy of a home: lake, registry, surveys, Dagster's records, and what the endpoint captured.

A copy is a home, too: what it holds lies where a home has it. So to restore is to copy it back.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from abalone_assets import __version__
from abalone_assets.backup.stable_copy import Copy, make_private_folder
from abalone_assets.backup.sums import SUMS, read_sums, sha256_of, sums_file
from abalone_assets.errors import SettingsError, StorageError
from abalone_assets.local.driver import RECORD_NAME
from abalone_assets.local.driver_lock import LOCK_NAME
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets.settings.platform import Settings

ABOUT: Final = "backup.json"
FORMAT: Final = 1
PARTIAL: Final = ".partial"
LOCK: Final = ".backup.lock"
SQLITE_SUFFIXES: Final = (".db", ".db-wal", ".db-shm", ".db-journal")
"""A database, and what SQLite needs beside it while it is open."""

NOT_COPIED: Final = frozenset({LOCK_NAME, RECORD_NAME, "dev.log", "dev.log.1"})
"""Of Dagster's folder: who drives the home now, and what its processes said."""


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
        format: Of the copy.
        version: Of the platform that made it.
    """

    folder: str
    made_at: str
    files: int
    size: int
    parts: dict[str, int]
    earlier: str | None
    format: int = FORMAT
    version: str = __version__


def back_up(settings: Settings, target: Path, *, with_surveys: bool = True) -> Backup:
    """Copy a home into a new folder of the target, named by the time; safe while runs write.

    Lake and registry are of one moment. Surveys are copied after them, so that the copy lacks none
    that its lake knows, unless a crew deleted it.

    Args:
        settings: Of the home.
        target: A folder; copies that it holds already share their equal files with the new one.
        with_surveys: Copy the landing zone, too.

    Raises:
        SettingsError: Something lies on S3, or the target is in what is copied.
        StorageError: The landing zone is not there, the target cannot be written or is full, or
            runs write faster than that.
    """
    from filelock import FileLock, Timeout

    sources = _sources(settings, target)
    if with_surveys and not sources["landing_zone"].is_dir():
        raise StorageError(
            f"{sources['landing_zone']}: there is no landing zone to copy: mount it, or leave it "
            "out with --without-surveys"
        )
    try:
        make_private_folder(target)
        with FileLock(target / LOCK, timeout=0):
            return _copied(settings, target, sources, with_surveys=with_surveys)
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


def _copied(
    settings: Settings, target: Path, sources: dict[str, Path], *, with_surveys: bool
) -> Backup:
    partial, now = target / PARTIAL, datetime.now(UTC)
    shutil.rmtree(partial, ignore_errors=True)  # of one that was killed: the lock is ours
    earlier = next(reversed(backups(target)), None)
    folder = target / f"{now:%Y-%m-%dT%H%M%SZ}"
    if folder.exists():
        raise StorageError(f"{folder} is there already; try again in a second")
    try:
        partial.mkdir(mode=0o700)
        copy = Copy(partial, earlier, {} if earlier is None else read_sums(earlier))
        surveys = sources.pop("landing_zone")
        for name, source in _databases(settings.dagster_home):
            _copy_database(copy, f"dagster/{name}", source)
        _copy_records(copy, settings)
        copy.add_folders(sources)
        if with_surveys:
            copy.add_folders({"landing_zone": surveys}, all_files=True)
        made = Backup(
            str(folder),
            now.isoformat(timespec="seconds"),
            len(copy.digests),
            sum(copy.sizes.values()),
            _counts(copy),
            None if earlier is None else str(earlier),
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


def _databases(folder: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(folder.rglob(f"*{SQLITE_SUFFIXES[0]}")):
        yield path.relative_to(folder).as_posix(), path


def _copy_database(copy: Copy, name: str, source: Path) -> None:
    """Copy a database as SQLite does: whole, while others write in it; not one that is gone."""
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
    except sqlite3.OperationalError:
        temporary.unlink(missing_ok=True)
        if source.exists():
            raise
        return  # that of a run which was removed meanwhile
    temporary.chmod(0o600)
    copy.take(name, temporary)


def _copy_records(copy: Copy, settings: Settings) -> None:
    """What else the home has to itself: each file whole, and needed by nothing else."""
    root = settings.dagster_home
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root)
        is_database = path.name.endswith(SQLITE_SUFFIXES)
        if path.is_file() and not is_database and not NOT_COPIED.intersection(name.parts):
            copy.add_file(f"dagster/{name.as_posix()}", path, follows=True)
    captured = settings.capture_folder
    for path in sorted(captured.rglob("*")):
        if path.is_file():
            within = path.relative_to(captured).as_posix()
            copy.add_file(f"{captured.name}/{within}", path, follows=True)


def _counts(copy: Copy) -> dict[str, int]:
    parts = [name.partition("/")[0] for name in copy.digests]
    return {part: parts.count(part) for part in sorted(set(parts))}


def _write(path: Path, data: bytes) -> None:
    path.write_bytes(data)
    path.chmod(0o600)
