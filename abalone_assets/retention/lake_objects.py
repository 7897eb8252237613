"""What the lake keeps of releases and requests that are over."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.lake.names import CAPTURED_REQUESTS, partition_column
from abalone_assets.lake.reports import Reports, report_key
from abalone_assets.retention.kind import GRACE, YOUNG, Kind, Thing

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from abalone_assets.lake.lake import Lake
    from abalone_assets.storage.object_store import StoredObject

TRAINED: Final = "trained_model"
EVALUATED: Final = "evaluation"
COMPARED: Final = ("champion-version", "reference-version")
"""Options of an evaluation that name versions."""


def trained_archives(lake: Lake, now: datetime) -> Kind:
    """The outputs of training jobs; what the registry holds a copy of is needed by nobody."""
    documents = [_document(lake, asset) for asset in (TRAINED, EVALUATED)]
    named = [lake.model_uri(str(each.get("model_uri", ""))) for each in documents]
    jobs: dict[str, list[StoredObject]] = defaultdict(list)
    for stored in lake.store.list(f"{TRAINED}/"):
        folders = stored.key.split("/")
        if len(folders) > 2:  # noqa: PLR2004 - trained_model/<job>/…
            jobs["/".join(folders[:2])].append(stored)

    def reason(folder: str, objects: list[StoredObject]) -> str:
        if any(uri.startswith(f"{lake.store.uri_of(folder)}/") for uri in named):
            return "named by the last trained model or evaluation"
        return YOUNG if max(each.last_modified for each in objects) > now - GRACE else ""

    things = [
        Thing(folder, sum(each.size for each in objects), reason(folder, objects))
        for folder, objects in jobs.items()
    ]
    return Kind("outputs of training jobs", things, _removing_folder(lake))


def compared_versions(lake: Lake) -> list[int]:
    """The versions that the last evaluation was told to compare with."""
    options = (_document(lake, EVALUATED).get("request") or {}).get("options") or {}
    return [int(options[name]) for name in COMPARED if str(options.get(name, "")).isdecimal()]


def reports(lake: Lake, models: Collection[str], now: datetime) -> Kind:
    """The reports on evaluations.

    Args:
        lake: The lake.
        models: SHA-256 of the models whose versions are kept.
        now: With its time zone.
    """
    last = (_document(lake, EVALUATED).get("metrics") or {}).get("model_sha256")
    sizes = {stored.key: stored.size for stored in lake.store.list(f"{EVALUATED}/_reports/")}

    def reason(model: str, written_at: datetime) -> str:
        if model == last or model in models:
            return "on a model whose archive is kept"
        return YOUNG if written_at > now - GRACE else ""

    def remove(thing: Thing) -> bool:
        lake.store.delete(thing.name)
        return True

    found = [(report_key(each.model_sha256), each) for each in Reports(lake.store).newest_first()]
    things = [
        Thing(key, sizes.get(key, 0), reason(each.model_sha256, each.written_at))
        for key, each in found
    ]
    return Kind("reports", things, remove)


def request_rows(lake: Lake, keep_days: int, now: datetime) -> Kind:
    """The days of captured requests in the lake; 0 days keep them all."""
    prefix = f"{CAPTURED_REQUESTS}/{partition_column(CAPTURED_REQUESTS)}="
    first = (now - timedelta(days=keep_days)).date().isoformat()
    days: dict[str, int] = defaultdict(int)
    for stored in lake.store.list(f"{CAPTURED_REQUESTS}/"):
        if stored.key.startswith(prefix):
            days[stored.key.removeprefix(prefix).split("/")[0]] += stored.size

    def reason(day: str) -> str:
        return f"younger than {keep_days} days" if day >= first else ""

    things = [
        Thing(f"{prefix}{day}", size, reason(day) if keep_days else "kept for ever")
        for day, size in sorted(days.items())
    ]
    return Kind("days of captured requests in the lake", things, _removing_folder(lake))


def _removing_folder(lake: Lake) -> Callable[[Thing], bool]:
    def remove(thing: Thing) -> bool:
        lake.store.delete_folder(thing.name)
        return True

    return remove


def _document(lake: Lake, asset: str) -> dict[str, Any]:
    found = lake.store.read_json(lake.key(asset, suffix="json"))
    return found if isinstance(found, dict) else {}
