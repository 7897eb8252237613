"""The reports on evaluations in the lake, one HTML file a model; `retention` says which stay."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import StorageError

if TYPE_CHECKING:
    from datetime import datetime

    from abalone_assets.storage.object_store import ObjectStore

FOLDER: Final = "evaluation/_reports"
"""Of the lake; SQL engines skip such names."""

PAGE_PATH: Final = "/reports"
"""Where an endpoint server shows them: ``/reports/<model_sha256>``."""

_DIGEST: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class KeptReport:
    """A report in the lake: the digest of its model, and when it was written, UTC."""

    model_sha256: str
    written_at: datetime


@dataclass(frozen=True)
class Reports:
    """The reports of a lake."""

    lake: ObjectStore

    def keep(self, model_sha256: str, page: bytes) -> str:
        """Write a report, over an earlier one of the same model; gives its path or ``s3://`` URI.

        Raises:
            StorageError: The digest is none, or the lake refuses.
        """
        key = report_key(model_sha256)
        self.lake.write(key, page)
        return self.lake.uri_of(key)

    def read(self, model_sha256: str) -> bytes | None:
        """The HTML file, or None when there is none, or the text is no digest at all."""
        if _DIGEST.fullmatch(model_sha256) is None:
            return None
        key = report_key(model_sha256)
        return None if self.lake.find(key) is None else self.lake.read(key)

    def has(self, model_sha256: str) -> bool:
        """Whether there is one of this model."""
        known = _DIGEST.fullmatch(model_sha256) is not None
        return known and self.lake.find(report_key(model_sha256)) is not None

    def newest_first(self) -> list[KeptReport]:
        """Every report."""
        found = [
            KeptReport(name, stored.last_modified)
            for stored in self.lake.list(f"{FOLDER}/")
            if _DIGEST.fullmatch(name := stored.key.rpartition("/")[2].removesuffix(".html"))
        ]
        return sorted(found, key=lambda report: report.written_at, reverse=True)


def report_key(model_sha256: str) -> str:
    """The key in the lake of the report on a model.

    Raises:
        StorageError: The digest is none: it would name another place.
    """
    if _DIGEST.fullmatch(model_sha256) is None:
        raise StorageError(f"{model_sha256!r} is no SHA-256 of a model: 64 digits of 0-9 and a-f")
    return f"{FOLDER}/{model_sha256}.html"
