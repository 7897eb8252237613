"""Files that only the profile local keeps: captures that were read, and what was never ended."""

from __future__ import annotations

import shutil
from contextlib import suppress
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from abalone_assets.errors import DamagedError
from abalone_assets.ingest.landing_zone import AGED
from abalone_assets.lake.leftovers import leftovers, own_leftovers
from abalone_assets.retention.kind import Kind, Thing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from abalone_assets.lake.lake import Lake
    from abalone_assets.monitoring.captures import Captures
    from abalone_assets.pages.surveys.staged_uploads import StagedUploads
    from abalone_assets.storage.object_store import ObjectStore


def capture_files(
    captures: Captures, lake: Lake, keep_days: int, now: datetime, *, keep_request_days: int = 0
) -> Kind:
    """What the endpoint server has captured, day by day; 0 days keep it all.

    Args:
        captures: The files.
        lake: Where `captured_requests` are.
        keep_days: How long the files are kept once they were read.
        now: The time.
        keep_request_days: How long their rows are kept, after which none tell what was read.
    """
    from abalone_assets.monitoring.days import read_files

    first = (now - timedelta(days=keep_days)).date()
    rows_from = (now - timedelta(days=keep_request_days)).date() if keep_request_days else date.min

    def thing(day: date, size: int) -> Thing:
        name = day.isoformat()
        if not keep_days:
            return Thing(name, size, "kept for ever")
        if day >= first:
            return Thing(name, size, f"younger than {keep_days} days")
        try:
            read = read_files(captures, lake, day, rows_from)
        except DamagedError as error:  # of one day: the others, and all other kinds, go on
            return Thing(name, size, str(error), is_unsure=True)
        return Thing(name, size, "" if read else "not read yet")

    def remove(thing: Thing) -> bool:
        try:
            read = read_files(captures, lake, date.fromisoformat(thing.name), rows_from)
        except DamagedError:
            return False
        captures.delete(read)
        return bool(read)

    things = [thing(day, size) for day, size in captures.bytes_by_day().items()]
    return Kind("days of capture files", things, remove)


def staged_files(
    stores: Iterable[ObjectStore], landing_zone: ObjectStore, uploads: StagedUploads
) -> Kind:
    """What was begun and never ended.

    Args:
        stores: Of lake and registry, where killed processes left objects that they were writing.
        landing_zone: Where they left files for crews.
        uploads: Of the server's page, where people left files that they did not confirm.
    """
    roots = dict.fromkeys(store.root for store in stores if store.root is not None)
    found = [path for root in roots for path in leftovers(root)]
    if landing_zone.root is not None:
        for folder in (landing_zone.root, landing_zone.root / AGED):
            found += own_leftovers(folder)
    found += uploads.overdue()
    things = [Thing(str(path), size_of(path)) for path in found]
    return Kind("staged leftovers", things, remove_path)


def remove_path(thing: Thing) -> bool:
    """Remove the file or folder that a thing is named by; whether it is gone.

    What is another user's, or in a place that is only read, stays and holds up nothing.
    """
    path = Path(thing.name)
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink(missing_ok=True)
    return not path.exists()


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())
