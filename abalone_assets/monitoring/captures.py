"""Captured requests, read back: the JSON Lines that SageMaker writes.

The layout is that of the SageMaker developer guide, "Capture data from real-time endpoint":
``<endpoint>/<variant>/yyyy/mm/dd/hh/<file>.jsonl``, one ``captureData`` document a line. The
endpoint server of this project writes the same, and a line for each request that it refused.
"""

from __future__ import annotations

import re
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Final

from abalone_assets.ingest.frames import schema_of
from abalone_assets.lake.names import CAPTURED_REQUESTS
from abalone_assets.monitoring.capture_lines import rows_of
from abalone_assets.serving.protocol import VARIANT

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

    from abalone_assets.storage.object_store import ObjectStore

PARALLEL_READS: Final = 8
"""Capture files that are read at once: an endpoint that is asked all the time has many."""

_HOUR: Final = re.compile(r"\d{4}/\d{2}/\d{2}/\d{2}", re.ASCII)


@dataclass(frozen=True)
class Captures:
    """What an endpoint's capture has written.

    Attributes:
        store: The folder or prefix that all endpoints' captures are in.
        endpoint: The endpoint's name.
    """

    store: ObjectStore
    endpoint: str

    def files_by_day(self) -> dict[date, int]:
        """How many capture files there are of each day, UTC.

        Raises:
            StorageError: They cannot be listed.
        """
        days = (_day_of(stored.key) for stored in self.store.list(self._prefix))
        return dict(sorted(Counter(day for day in days if day is not None).items()))

    def bytes_by_day(self) -> dict[date, int]:
        """How much the capture files of each day hold, UTC.

        Raises:
            StorageError: They cannot be listed.
        """
        sizes: Counter[date] = Counter()
        for stored in self.store.list(self._prefix):
            if (day := _day_of(stored.key)) is not None:
                sizes[day] += stored.size
        return dict(sorted(sizes.items()))

    def files_of(self, day: date) -> list[str]:
        """The keys of a day's capture files, in order.

        Raises:
            StorageError: They cannot be listed.
        """
        listed = self.store.list(f"{self._prefix}{day:%Y/%m/%d}/")
        return sorted(stored.key for stored in listed if _day_of(stored.key) == day)

    def read(self, keys: list[str]) -> pl.DataFrame:
        """The animals of these capture files, a row each: the columns of `TABLES`.

        A line that cannot be read is a row too, with its ``problem``: nothing is dropped unseen.

        Raises:
            StorageError: A file cannot be read.
        """
        import polars as pl

        with ThreadPoolExecutor(PARALLEL_READS) as pool:
            files = pool.map(self.store.read, keys)
            rows = [
                row for key, data in zip(keys, files, strict=True) for row in rows_of(key, data)
            ]
        return pl.DataFrame(rows, schema=schema_of(CAPTURED_REQUESTS), orient="row")

    def delete(self, keys: Iterable[str]) -> None:
        """Remove capture files.

        Raises:
            StorageError: One cannot be deleted.
        """
        for key in keys:
            self.store.delete(key)

    @property
    def _prefix(self) -> str:
        return f"{self.endpoint}/{VARIANT}/"


def _day_of(key: str) -> date | None:
    """The day of a capture file, or None for any other object."""
    folders, _, name = key.rpartition("/")
    hour = "/".join(folders.split("/")[-4:])
    if not name.endswith(".jsonl") or _HOUR.fullmatch(hour) is None:
        return None
    with suppress(ValueError):
        return datetime.strptime(hour[:10], "%Y/%m/%d").replace(tzinfo=UTC).date()
    return None
