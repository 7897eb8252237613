"""The catalog file: the lake's tables in one DuckDB file that anybody may open, move and copy.

The file holds the rows themselves, in the schema ``abalone_lake``, and a view of each table by the
asset's name. So it names no path: it answers wherever it lies, and no file that is rewritten, and
no folder's name, can disturb a query. A refresh prepares a copy and renames it over the file: who
has it open goes on reading what he opened. What others created in the file is copied along, and
nobody can write to it meanwhile. It is written for DuckDB 1.0 and every later one.
"""

from __future__ import annotations

import re
import shutil
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final
from uuid import uuid4

from abalone_assets.errors import StorageError
from abalone_assets.lake.catalog_sql import quoted_name
from abalone_assets.lake.catalog_tables import known_objects, update_tables
from abalone_assets.lake.names import CATALOG_SCHEMA
from abalone_assets.lake.tables import data_objects

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

    from abalone_assets.lake.lake import Lake

STORAGE_VERSION: Final = "v1.0.0"
"""Of DuckDB's file format: the oldest that DuckDB 1.0 and everything since reads."""

_LEFT: Final = re.compile(r"\.[0-9a-f]{32}(\.wal.*)?")
_HELD: Final = "Could not set lock"
_OPEN_HERE: Final = "Unique file handle conflict"
"""DuckDB's words for a file that another process, and another connection of this one, has open."""


class CatalogBusyError(StorageError):
    """Somebody has the catalog file open for writing."""


@dataclass(frozen=True)
class Refreshed:
    """What a refresh did.

    Attributes:
        tables: Names of the tables.
        notes: What somebody should know, such as where an unreadable file was put.
    """

    tables: list[str]
    notes: list[str] = field(default_factory=list)


class CatalogFile:
    """The catalog of a lake that is a folder."""

    def __init__(self, file: Path, lake: Lake) -> None:
        self.file = file
        self.lake = lake

    def refresh(self, *, anew: bool = False) -> Refreshed:
        """Make the tables agree with what lies in the lake; mend a file that cannot be opened.

        Args:
            anew: Read every object again, also those that were not written since.

        Raises:
            CatalogBusyError: Somebody has the file open for writing.
            StorageError: The file cannot be written, or an object cannot be read.
        """
        import duckdb
        from filelock import FileLock

        root = self.lake.store.root
        assert root is not None  # noqa: S101 - who opens it asks first
        beside = self.file.with_name(f".{self.file.name}.{uuid4().hex}")
        notes: list[str] = []
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            root.mkdir(parents=True, exist_ok=True)
            with (
                FileLock(root / f".{self.file.name}.lock"),
                # Not beside the file: DuckDB cannot write below a folder with a ? in its name.
                TemporaryDirectory(prefix="abalone-catalog-") as folder,
                self._unchanging() as shared,
            ):
                self._sweep(beside)
                if shared is not None:
                    return Refreshed(update_tables(shared, self.lake, anew=anew))
                staged = Path(folder, self.file.name)
                with self._copied(staged, notes) as connection:
                    tables = update_tables(connection, self.lake, anew=anew)
                shutil.copyfile(staged, beside)
                for log in _logs_of(self.file):  # what is in them is in the copy
                    log.replace(_like(log, self.file, beside))
                beside.replace(self.file)
        except CatalogBusyError:
            raise
        except (OSError, duckdb.Error, StorageError) as error:
            raise StorageError(f"{self.file}: the views cannot be written: {error}") from error
        finally:
            with suppress(OSError):
                for path in (beside, *_logs_of(beside)):
                    path.unlink(missing_ok=True)
        return Refreshed(tables, notes)

    def _sweep(self, own: Path) -> None:
        """Remove what refreshes that were killed have left beside the file; nobody else is at work.

        One that was killed when it had moved the logs away had whole what it was to put in place.
        """
        for path in self.file.parent.glob(f".{self.file.name}.*"):
            if path != own and _LEFT.fullmatch(path.name.removeprefix(f".{self.file.name}")):
                is_whole = self.file.exists() and bool(_logs_of(path)) and not _logs_of(self.file)
                if is_whole and path.stat().st_mtime >= self.file.stat().st_mtime:
                    path.replace(self.file)
                for left in (path, *_logs_of(path)):
                    left.unlink(missing_ok=True)

    def outdated(self) -> str | None:
        """Why a refresh is needed, or None when the catalog answers with what the lake holds."""
        import duckdb

        objects = {
            asset: {key: found.e_tag for key, found in keys.items()}
            for asset, keys in data_objects(self.lake).items()
        }
        if not self.file.exists():
            return f"{self.file}: not there yet" if objects else None
        try:
            with duckdb.connect(str(self.file), read_only=True) as connection:
                known = known_objects(connection)
                views = "select view_name from duckdb_views() where schema_name = 'main'"
                missing = objects.keys() - {
                    name for (name,) in connection.execute(views).fetchall()
                }
        except duckdb.Error as error:
            reason = str(error).partition("\n")[0]
            if _HELD in reason:
                return f"{self.file}: somebody has it open for writing, so nobody else can read it"
            return f"{self.file}: cannot be opened: {reason}"
        if known is None:
            return f"{self.file}: of an older release; it names files by their absolute paths"
        changed = sorted(
            asset for asset in objects | known if objects.get(asset) != known.get(asset)
        )
        if changed or missing:
            return f"{self.file}: outdated: {', '.join(sorted({*changed, *missing}))}"
        return None

    @contextmanager
    def _unchanging(self) -> Iterator[duckdb.DuckDBPyConnection | None]:
        """Keep others from writing to the file; readers are welcome.

        Yields:
            None; or this process's own connection, if one has the file open for writing: then the
            tables are changed in place, as one transaction.

        Raises:
            CatalogBusyError: Another process has it open for writing.
        """
        import duckdb

        with duckdb.connect() as holder:
            try:
                if self.file.exists():
                    holder.execute(f"attach {_quoted(self.file)} as held (read_only)")
            except duckdb.Error as error:
                if _HELD in str(error):
                    raise CatalogBusyError(
                        f"{self.file}: another program has it open for writing; its tables stay as "
                        "they are until that program ends or opens it with read_only=True, and the "
                        "next run or `abalone doctor --repair` brings them up to date"
                    ) from error
                if _OPEN_HERE in str(error) and (shared := self._shared()) is not None:
                    with shared:
                        yield shared
                    return
            yield None

    def _shared(self) -> duckdb.DuckDBPyConnection | None:
        import duckdb

        try:
            return duckdb.connect(str(self.file))
        except duckdb.Error:  # it is open for reading only
            return None

    @contextmanager
    def _copied(self, staged: Path, notes: list[str]) -> Iterator[duckdb.DuckDBPyConnection]:
        """A copy of the file to change, in the format that all clients read; what is in it stays.

        Leaving the context brings the copy to the disk.
        """
        import duckdb

        with duckdb.connect() as connection:
            if (
                self.file.exists()
                and self._is_usable(staged, notes)
                and not _is_ours(connection, staged)
            ):
                self._convert(connection, staged, notes)
            connection.execute(_attach(staged))
            connection.execute("use catalog")
            yield connection
            connection.execute("use memory")
            connection.execute("detach catalog")

    def _is_usable(self, staged: Path, notes: list[str]) -> bool:
        """Copy the file; what cannot be opened is put aside first, so that nothing is lost."""
        import duckdb

        while True:
            shutil.copyfile(self.file, staged)
            logs = _logs_of(self.file)
            for log in logs:
                shutil.copyfile(log, _like(log, self.file, staged))
            try:
                with duckdb.connect(str(staged)) as connection:
                    connection.execute("checkpoint")
            except duckdb.Error as error:
                reason = str(error).partition("\n")[0]
            else:
                return True
            for path in (staged, *_logs_of(staged)):
                path.unlink(missing_ok=True)
            aside = self._put_aside()
            if not logs:
                notes.append(f"{self.file}: cannot be opened ({reason}); put aside as {aside}")
                return False
            names = ", ".join(map(str, logs))
            notes.append(f"{names}: belongs to another file; put aside as {aside}")

    def _put_aside(self) -> Path:
        """Keep a copy of the file under a name of its own, with its write-ahead log."""
        stamp = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}"
        aside = self.file.with_name(f"{self.file.stem}.kept-{stamp}{self.file.suffix}")
        shutil.copyfile(self.file, aside)
        for log in _logs_of(self.file):
            log.replace(_like(log, self.file, aside))
        return aside

    def _convert(
        self, connection: duckdb.DuckDBPyConnection, staged: Path, notes: list[str]
    ) -> None:
        """Begin the copy anew with what others created in it.

        It is of an older release's layout, or of a format that not all clients read.
        """
        import duckdb

        older = staged.with_name(f"{staged.name}.older")
        staged.replace(older)
        try:
            connection.execute(f"attach {_quoted(older)} as older (read_only)")
            connection.execute(_attach(staged))
            if _others_objects(connection):
                connection.execute("copy from database older to catalog")
                _drop_older_views(connection)
            connection.execute("detach catalog")
        except duckdb.Error as error:
            connection.execute("detach database if exists catalog")
            staged.unlink(missing_ok=True)
            reason = str(error).partition("\n")[0]
            notes.append(
                f"{self.file}: what others created in it cannot be copied ({reason}); "
                f"put aside as {self._put_aside()}"
            )
        finally:
            connection.execute("detach database if exists older")
            older.unlink(missing_ok=True)


_OLDER_VIEW: Final = "sql ilike '%read_parquet(%' and sql ilike '%hive_partitioning%'"
"""The views of releases that wrote paths into them."""


def _others_objects(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the older file holds anything but the views of an older release."""
    found = connection.execute(
        f"""
        select count(*) from (
            select 1 from duckdb_tables() where database_name = 'older' and not internal
            union all select 1 from duckdb_views()
            where database_name = 'older' and not internal and not ({_OLDER_VIEW})
            union all select 1 from duckdb_functions()
            where database_name = 'older' and not internal
            union all select 1 from duckdb_sequences() where database_name = 'older'
            union all select 1 from duckdb_types() where database_name = 'older' and not internal
        )
        """
    ).fetchone()
    return bool(found and found[0])


def _drop_older_views(connection: duckdb.DuckDBPyConnection) -> None:
    query = (
        "select view_name from duckdb_views() where database_name = 'catalog' "
        f"and schema_name = 'main' and ({_OLDER_VIEW})"
    )
    for (view,) in connection.execute(query).fetchall():
        connection.execute(f"drop view catalog.main.{quoted_name(view)}")


def _is_ours(connection: duckdb.DuckDBPyConnection, file: Path) -> bool:
    """Whether a file is a catalog of this layout, in the format that all clients read."""
    query = (
        "select tags['storage_version'], exists(select 1 from duckdb_schemas() where "
        f"database_name = 'found' and schema_name = '{CATALOG_SCHEMA}') "
        "from duckdb_databases() where database_name = 'found'"
    )
    connection.execute(f"attach {_quoted(file)} as found (read_only)")
    version, has_schema = connection.execute(query).fetchone() or ("", False)
    connection.execute("detach found")
    return bool(has_schema) and str(version).startswith(STORAGE_VERSION)


def _logs_of(file: Path) -> list[Path]:
    """Where DuckDB keeps what was written and is not in the file yet: its write-ahead logs."""
    if not file.parent.is_dir():
        return []
    return [each for each in file.parent.iterdir() if each.name.startswith(f"{file.name}.wal")]


def _like(log: Path, file: Path, other: Path) -> Path:
    """What a file's log would be called if it were the other's."""
    return other.with_name(other.name + log.name.removeprefix(file.name))


def _attach(file: Path) -> str:
    return f"attach {_quoted(file)} as catalog (storage_version '{STORAGE_VERSION}')"


def _quoted(path: Path) -> str:
    return "'" + str(path).replace("'", "''") + "'"
