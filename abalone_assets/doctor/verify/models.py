"""What releases have recorded against splits, archives and reports."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from abalone_assets.doctor.finding import Finding, TroubleError, look_at
from abalone_assets.doctor.verify.surveys import PARALLEL, named
from abalone_assets.errors import AbaloneError, StorageError, counted
from abalone_assets.etl.request import SPLIT_PERCENT
from abalone_assets.lake.reports import Reports
from abalone_assets.registry.registry import REPLACE
from abalone_assets.retention.lake_objects import compared_versions
from abalone_assets.retention.versions import versions_needed
from abalone_assets.storage.object_store import locate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from abalone_assets.lake.lake import Lake
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion
    from abalone_assets.settings.platform import Settings

RELEASE_AGAIN = "launch the job `release`"


def model_findings(lake: Lake, registry: ModelRegistry, settings: Settings) -> Iterator[Finding]:
    """Look at the splits, the last model and evaluation, and every version that may be needed."""
    yield look_at("splits", lambda: _splits(lake), remedy=RELEASE_AGAIN)
    yield look_at("last model", lambda: _last_model(lake), remedy=RELEASE_AGAIN)
    yield look_at(
        "model versions",
        lambda: _versions(lake, registry, settings),
        remedy=f"restore them from a copy, or {REPLACE}",
    )


def _splits(lake: Lake) -> str:
    from abalone_assets.etl.partition import partition_of

    record = lake.preparation() if _is_prepared(lake) else None
    if record is None:
        raise TroubleError("warning", "nothing is prepared, or a run does so now", RELEASE_AGAIN)
    missing = [name for name in ("merged_dataset", *SPLIT_PERCENT)
               if lake.store.find(lake.key(name)) is None]  # fmt: skip
    if missing:
        raise StorageError(f"{', '.join(missing)}: no such object")
    found = partition_of(lake)
    conserved = record.rows_ingested == record.rows_in == found.merged + record.repeats
    if not (conserved and found.holds):
        raise StorageError(
            f"{record.rows_in} rows went in, {record.repeats} repeats went, {found.merged} are "
            f"merged, and {sum(found.splits.values())} are in the splits, {found.distinct} of them "
            "different ones that are merged"
        )
    altered = [
        name
        for name, written in record.splits.items()
        if written.sha256 and lake.store.sha256(lake.key(name)) != written.sha256
    ]
    if altered:
        raise StorageError(f"{', '.join(altered)}: holds other bytes than were prepared")
    repeats = counted(record.repeats, "repeat")
    return f"{counted(found.merged, 'row')}, each in one split; {repeats} removed"


def _is_prepared(lake: Lake) -> bool:
    from abalone_assets.lake.preparation import PREPARATION_KEY

    return lake.store.find(PREPARATION_KEY) is not None


def _last_model(lake: Lake) -> str:
    trained, evaluated = (_document(lake, asset) for asset in ("trained_model", "evaluation"))
    if not trained:
        raise TroubleError("warning", "none is trained yet", RELEASE_AGAIN)
    uris = [lake.model_uri(str(each["model_uri"])) for each in (trained, evaluated) if each]
    for uri in uris:
        store, key = locate(uri)
        if store.find(key) is None:
            raise StorageError(f"{uri}: no such object")
    model = (evaluated.get("metrics") or {}).get("model_sha256")
    if model and Reports(lake.store).read(str(model)) is None:
        remedy = "materialize evaluation_report, while the splits are those that were evaluated"
        raise TroubleError("warning", "the last evaluation has no report", remedy)
    return f"{uris[0]}, and what it was evaluated by"


def _versions(lake: Lake, registry: ModelRegistry, settings: Settings) -> str:
    versions = {each.version: each for each in registry.versions()}
    needed = versions_needed(registry, settings, compared_versions(lake))
    unknown = [f"version {each} ({why})" for each, why in needed.items() if each not in versions]
    if unknown:
        raise StorageError(named(unknown, "version", "needed but not in the registry"))
    there = [
        each
        for each, version in versions.items()
        if each in needed or registry.store.find(version.model_key) is not None
    ]
    with ThreadPoolExecutor(PARALLEL) as pool:
        told = pool.map(lambda each: _archive(registry, versions[each], needed), there)
        wrong = [f"version {each}: {why}" for each, why in zip(there, told, strict=True) if why]
    if wrong:
        raise StorageError(named(wrong, "archive", "not as registered"))
    removed = len(versions) - len(there)
    others = f"; of older ones {removed} removed" if removed else ""
    return f"{counted(len(there), 'archive')} with the digest that was registered{others}"


def _archive(registry: ModelRegistry, version: ModelVersion, needed: Collection[int]) -> str:
    """What is wrong with an archive; `retention` may have removed one that nobody needs."""
    try:
        registry.read_model(version.version)
    except AbaloneError as error:
        is_there = registry.store.find(version.model_key) is not None
        return str(error) if is_there or version.version in needed else ""
    return ""


def _document(lake: Lake, asset: str) -> dict[str, Any]:
    found = lake.store.read_json(lake.key(asset, suffix="json"))
    return found if isinstance(found, dict) else {}
