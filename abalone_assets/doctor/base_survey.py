"""Whether the base survey can be reached, from wherever it is fetched."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlsplit

from abalone_assets.doctor.finding import guarded, ok
from abalone_assets.errors import StorageError
from abalone_assets.ingest.base_survey import public_uri
from abalone_assets.storage.object_store import locate

if TYPE_CHECKING:
    from abalone_assets.doctor.finding import Finding
    from abalone_assets.settings.platform import Settings

REACH_SECONDS: Final = 10


def base_survey(settings: Settings) -> Finding:
    """Whether the base survey can be reached; downloads nothing.

    Args:
        settings: Say where it is, and whether the bundled one may stand in for it.
    """
    shown = public_uri(settings.raw_uri)
    remedy = "set ABALONE_RAW_URI to a copy of the UCI survey"
    if settings.raw_fallback:
        remedy += ", or go on with the bundled simulated survey"
    return guarded(
        "base survey",
        lambda: ok("base survey", f"{shown}{_reach(settings.raw_uri)}"),
        remedy=remedy,
        otherwise="warning" if settings.raw_fallback else "failed",
    )


def _reach(uri: str) -> str:
    """Make sure that there is something at the URI; returns what is known of it."""
    parts = urlsplit(uri)
    if parts.scheme in {"http", "https"}:
        return _reach_by_http(uri)
    if parts.scheme == "s3":
        store, key = locate(uri)
        found = store.find(key)
        if found is None:
            raise StorageError(f"{uri}: no such object")
        return f" ({found.size} bytes)"
    path = Path(unquote(parts.path)) if parts.scheme == "file" else Path(uri).expanduser()
    if not os.access(path, os.R_OK):
        raise StorageError(f"{path}: no such file, or not readable")
    return f" ({path.stat().st_size} bytes)"


def _reach_by_http(uri: str) -> str:
    import requests

    try:
        with requests.get(uri, timeout=REACH_SECONDS, stream=True) as answer:
            answer.raise_for_status()
    except requests.RequestException as error:
        raise StorageError(
            f"{public_uri(uri)}: the network refused ({type(error).__name__})"
        ) from error
    return " answers"
