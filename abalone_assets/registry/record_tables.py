"""The records of versions, decisions and released files as tables of the lake, for SQL.

Each is one Parquet object, ``model_versions/data.parquet`` and so on, so that the catalog of either
profile takes it in as it does an asset's. It follows from the records and can be made again from
them. In its footer it says from which write of which record its rows are: a refresh reads only what
was written since, and whatever an earlier one missed. Of two refreshes at once the last one to
write is believed, until the next.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.lake.released_files import files_of_month, released_months
from abalone_assets.lake.tables import (
    MODEL_DECISIONS,
    MODEL_METRICS,
    MODEL_VERSIONS,
    RELEASED_FILES,
)
from abalone_assets.registry.record_rows import decision_rows, metric_rows, version_row

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    import polars as pl

    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.released_files import FirstRelease
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion

FORMAT: Final = 1
"""Of the rows: another one makes every table anew."""

_FOOTER: Final = "abalone_records"
_ROWS_OF_VERSION: Final[dict[str, Callable[[ModelVersion], list[dict[str, Any]]]]] = {
    MODEL_VERSIONS: lambda version: [version_row(version)],
    MODEL_METRICS: metric_rows,
    MODEL_DECISIONS: decision_rows,
}
RECORD_TABLES: Final = (*_ROWS_OF_VERSION, RELEASED_FILES)


@dataclass(frozen=True)
class _Table:
    """A table as it lies in the lake.

    Attributes:
        name: Its name, and the folder's.
        rows: Of a table that is not there yet, or is damaged, none.
        tokens: By record, the write that its rows are from.
        is_stored: Whether it is in the lake, in this format.
    """

    name: str
    rows: pl.DataFrame
    tokens: Mapping[str, str]
    is_stored: bool

    def stale(self, tokens: Mapping[str, str]) -> set[str]:
        """The records to read: those written since, and those whose token tells nothing."""
        known = self.tokens
        return {name for name, token in tokens.items() if not token or known.get(name) != token}

    def with_rows(self, gone: pl.Expr, rows: Collection[Mapping[str, Any]]) -> pl.DataFrame:
        """The rows without some, and with others; in the order of their first columns."""
        import polars as pl

        added = pl.DataFrame(list(rows), schema=self.rows.schema)
        first = ["source_file"] if self.name == RELEASED_FILES else ["version"]
        kept = self.rows.filter(~gone)
        return pl.concat([kept, added]).sort(first, maintain_order=True)

    def store(self, lake: Lake, rows: pl.DataFrame, tokens: Mapping[str, str]) -> None:
        """Write the table, unless it is there as it is."""
        if self.is_stored and rows.equals(self.rows) and tokens == self.tokens:
            return
        footer = json.dumps({"format": FORMAT, "tokens": dict(tokens)})
        buffer = BytesIO()
        rows.write_parquet(buffer, metadata={_FOOTER: footer})
        lake.store.write(lake.key(self.name), buffer.getvalue())


def refresh_record_tables(lake: Lake, registry: ModelRegistry) -> None:
    """Bring the tables up to date with the records, whatever happened to them since.

    A lake without versions and released files gets no table.

    Raises:
        StorageError: A record is damaged, or lake or registry refuse.
    """
    versions = _refresh_versions(lake, registry)
    _refresh_files(lake, versions)


def outdated_record_tables(lake: Lake, registry: ModelRegistry) -> list[str]:
    """The tables that a refresh would write, as far as tokens tell.

    Raises:
        StorageError: Lake or registry refuse.
    """
    tokens = {
        **dict.fromkeys(_ROWS_OF_VERSION, _version_tokens(registry)),
        RELEASED_FILES: released_months(lake.store),
    }
    return [
        name
        for name, known in tokens.items()
        if (table := _read(lake, name)).tokens != known and (known or table.is_stored)
    ]


def _version_tokens(registry: ModelRegistry) -> dict[str, str]:
    return {str(number): token for number, token in registry.tokens().items()}


def _refresh_versions(lake: Lake, registry: ModelRegistry) -> pl.DataFrame:
    """Bring the tables of versions up to date; returns ``model_versions``."""
    import polars as pl

    tokens = _version_tokens(registry)
    tables = {name: _read(lake, name) for name in _ROWS_OF_VERSION}
    # One walk through the records for all of them: they are nearly always equally old.
    stale = set[str]().union(*(table.stale(tokens) for table in tables.values()))
    found = list(registry.several([int(number) for number in stale])) if stale else []
    kept = [int(number) for number in tokens.keys() - stale]
    gone = ~pl.col("version").is_in(kept)
    for name, table in tables.items():
        if not tokens and not table.is_stored:
            continue
        rows = [row for version in found for row in _ROWS_OF_VERSION[name](version)]
        changed = table.with_rows(gone, rows)
        table.store(lake, changed, tokens)
        if name == MODEL_VERSIONS:
            versions = changed
    return versions if tokens else tables[MODEL_VERSIONS].rows.clear()


def _refresh_files(lake: Lake, versions: pl.DataFrame) -> None:
    """Bring ``released_files`` up to date: months that changed, or wait for a version."""
    import polars as pl

    tokens, table = released_months(lake.store), _read(lake, RELEASED_FILES)
    if not tokens and not table.is_stored:
        return
    waits = pl.col("version").is_null() & pl.col("release_digest").is_not_null()
    waiting = table.rows.filter(waits)["survey_day"]
    months = waiting.dt.strftime("%Y-%m").unique().to_list()
    stale = (table.stale(tokens) | {*months}) & tokens.keys()
    first_of = _first_versions(versions)
    rows = [
        _file_row(name, first, first_of(first))
        for month in sorted(stale)
        for name, first in files_of_month(lake.store, month).items()
    ]
    kept = [*(tokens.keys() - stale)]
    gone = ~pl.col("survey_day").dt.strftime("%Y-%m").is_in(kept)
    table.store(lake, table.with_rows(gone, rows), tokens)


def _file_row(name: str, first: FirstRelease, version: int | None) -> dict[str, Any]:
    from datetime import datetime

    from abalone_assets.survey import survey_day

    return {
        "source_file": name,
        "survey_day": survey_day(name),
        "sha256": first.sha256,
        "first_released_at": datetime.fromisoformat(first.at),
        "version": version,
        "release_digest": first.digest or None,
    }


def _first_versions(versions: pl.DataFrame) -> Callable[[FirstRelease], int | None]:
    """Finds the first version made from the data of a release, not one of before that."""
    from datetime import datetime

    by_digest: dict[str, list[tuple[int, datetime]]] = {}
    columns = versions.select("version", "registered_at", "release_digest")
    for version, registered_at, digest in columns.iter_rows():
        by_digest.setdefault(digest, []).append((version, registered_at))

    def first_version(first: FirstRelease) -> int | None:
        since = datetime.fromisoformat(first.at)
        made = (each for digest in first.digests for each in by_digest.get(digest, ()))
        return min((version for version, at in made if at >= since), default=None)

    return first_version


def _read(lake: Lake, name: str) -> _Table:
    """The table; one that is damaged, or of another format, is made anew."""
    import polars as pl

    from abalone_assets.ingest.frames import schema_of

    schema = schema_of(name)
    nothing = _Table(name, pl.DataFrame(schema=schema), {}, is_stored=False)
    _, data = lake.store.read_changed(lake.key(name), None)
    if data is None:
        return nothing
    try:
        footer = json.loads(pl.read_parquet_metadata(BytesIO(data)).get(_FOOTER, "{}"))
        rows = pl.read_parquet(BytesIO(data))
    except (OSError, ValueError, pl.exceptions.PolarsError):
        return nothing
    if footer.get("format") != FORMAT or rows.schema != schema:
        return nothing
    return _Table(name, rows, footer["tokens"], is_stored=True)
