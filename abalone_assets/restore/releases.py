"""What releases have recorded: splits, models, each evaluated version, what is live."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import dagster as dg

from abalone_assets.defs.evaluation.evaluation import metrics_metadata
from abalone_assets.errors import StorageError
from abalone_assets.etl.request import SPLIT_PERCENT
from abalone_assets.lake.names import CAPTURED_REQUESTS, partition_column
from abalone_assets.modeling.evaluation.decision_words import in_short
from abalone_assets.restore.told import Checked, Materialized, Told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abalone_assets.lake.lake import Lake
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion

DOCUMENTS: Final = ("evaluation_report", "endpoint", "drift_report", "live_performance")
"""Assets that keep one JSON document, which says what they show."""

SIGNS: Final = {
    "hyperparameter_study": "hyperparameter_study/_study.json",
    "synthetic_survey": "synthetic_survey/_files.json",
}
"""Objects by which assets that nothing else tells of are known to have been made."""


def releases_told(
    lake: Lake, registry: ModelRegistry, warn: Callable[[str], None]
) -> Iterator[Told]:
    """Materializations and checks from the preparation to the endpoint, and of the monitoring.

    Args:
        lake: The lake.
        registry: The model registry.
        warn: Told what is left out, as it is damaged, and what to do.

    Raises:
        StorageError: A store refuses, or a record is damaged.
    """
    yield from _preparation(lake, warn)
    yield from _trained_model(lake)
    for version in registry.versions():
        yield from _version(version, registry)
    for asset in DOCUMENTS:
        yield from _document(lake, asset)
    yield from _captured_requests(lake)
    for asset, key in SIGNS.items():
        if (stored := lake.store.find(key)) is not None:
            yield Materialized(asset, stored.last_modified, key)


def _preparation(lake: Lake, warn: Callable[[str], None]) -> Iterator[Told]:
    from polars.exceptions import PolarsError

    from abalone_assets.ingest.frames import rows_written

    names = ("merged_dataset", *SPLIT_PERCENT)
    found = {name: lake.store.find(lake.key(name)) for name in names}
    try:
        record = lake.preparation()
    except StorageError:
        return  # a run writes them, or died while it did: the release is due
    rows = {}
    for name in (name for name, stored in found.items() if stored):
        try:
            rows[name] = rows_written(lake.uri(name))
        except (OSError, PolarsError) as error:
            warn(
                f"{lake.uri(name)}: cannot be read ({' '.join(str(error).split())}); merged_dataset"
                " and the splits are left out: bring it back from a copy, or launch the job"
                " `release`, which makes all of them anew"
            )
    if len(rows) < len(names):
        return
    at = max(stored.last_modified for stored in found.values() if stored)
    source = f"preparation of {record.digest}"
    for name, count in rows.items():
        metadata = {
            "dagster/row_count": count,
            "dagster/uri": dg.MetadataValue.path(lake.uri(name)),
            "digest": record.digest,
            "repeats_removed": record.repeats if name == "merged_dataset" else None,
        }
        yield Materialized(name, at, source, metadata=metadata)
    merged, split = rows["merged_dataset"], sum(rows[name] for name in SPLIT_PERCENT)
    severity = dg.AssetCheckSeverity.ERROR
    conserved = record.rows_ingested == record.rows_in == merged + record.repeats
    counts = {"read": record.rows_in, "merged": merged, "repeats_removed": record.repeats}
    for check, passed, shown in (
        ("rows_are_conserved", conserved, counts),
        ("splits_partition_the_rows", split == merged, rows),
    ):
        yield Checked("merged_dataset", check, at, source, passed, shown, severity)


def _trained_model(lake: Lake) -> Iterator[Told]:
    key = lake.key("trained_model", suffix="json")
    document, stored = lake.store.read_json(key), lake.store.find(key)
    if not isinstance(document, dict) or stored is None:
        return
    card = dict(document.get("card") or {})
    metadata = {
        "model": dg.MetadataValue.path(lake.model_uri(str(document.get("model_uri")))),
        "framework": card.get("framework"),
        "model_card": dg.MetadataValue.json(card),
    }
    model = card.get("model_sha256")
    source = f"model {model}"
    yield Materialized("trained_model", stored.last_modified, source, None, metadata, model)


def _version(version: ModelVersion, registry: ModelRegistry) -> Iterator[Told]:
    """The evaluation of a version and the gate's word on it: so numbers are plotted over time."""
    judged = datetime.fromisoformat(version.judged_at)
    registered = datetime.fromisoformat(version.created_at)
    source, metrics = f"version {version.version}", version.evaluation
    try:
        metadata = metrics_metadata(metrics)
    except (KeyError, TypeError):  # of a release that measured less
        metadata = {"rmse": metrics.get("rmse")}
    yield Materialized("evaluation", judged, source, metadata=metadata)
    shown = {
        "decision": in_short(version.decision, metrics),
        "why": str(version.decision.get("reason", "")),
        "rmse": metrics.get("rmse"),
        "version": version.version,
    }
    yield Checked("approved_model", "gate", registered, source, version.approved_by_gate, shown)
    if version.approved_by_gate:
        archive = dg.MetadataValue.path(registry.store.uri_of(version.model_key))
        metadata = {**shown, "model": archive}
        sha256 = version.archive_sha256
        yield Materialized("approved_model", registered, source, None, metadata, sha256)


def _document(lake: Lake, asset: str) -> Iterator[Told]:
    key = lake.key(asset, suffix="json")
    document, stored = lake.store.read_json(key), lake.store.find(key)
    if not isinstance(document, dict) or stored is None:
        return
    shown: dict[str, Any] = {
        name: value
        for name, value in document.items()
        if isinstance(value, bool | int | float | str)
    }
    shown["dagster/uri"] = dg.MetadataValue.path(lake.store.uri_of(key))
    version = str(document["version"]) if asset == "endpoint" and "version" in document else None
    yield Materialized(asset, stored.last_modified, stored.e_tag or key, None, shown, version)


def _captured_requests(lake: Lake) -> Iterator[Told]:
    prefix = f"{CAPTURED_REQUESTS}/{partition_column(CAPTURED_REQUESTS)}="
    for stored in lake.store.list(f"{CAPTURED_REQUESTS}/"):
        day = stored.key.removeprefix(prefix).partition("/")[0]
        if stored.key == lake.key(CAPTURED_REQUESTS, day):
            uri = dg.MetadataValue.path(lake.store.uri_of(stored.key))
            told = {"dagster/uri": uri}
            yield Materialized(CAPTURED_REQUESTS, stored.last_modified, "lake", day, told)
