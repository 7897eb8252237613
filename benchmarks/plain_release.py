"""A release without Dagster: the same functions, called one after another."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory

from abalone_assets.etl import polars_engine
from abalone_assets.etl.request import SPLIT_PERCENT, PrepareRequest
from abalone_assets.etl.split_audit import audit_test_split
from abalone_assets.external import evaluate, train_blend
from abalone_assets.ingest.base_survey import fetch_base_survey
from abalone_assets.ingest.frames import quarantine_frame, survey_frame, to_parquet
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest import IngestedRaw
from abalone_assets.lake.manifest_store import commit_raw
from abalone_assets.modeling.archive import pack
from abalone_assets.modeling.evaluation.gate import decide
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.settings.platform import Settings, load_settings
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey import parse_survey


def main() -> None:
    """Fetch, prepare, train, evaluate, decide and publish."""
    settings = load_settings()
    lake = Lake(settings.lake_uri)
    _ingest_base_survey(lake, settings)
    _prepare(lake)
    with TemporaryDirectory() as folder:
        _release(lake, settings, Path(folder))


def _ingest_base_survey(lake: Lake, settings: Settings) -> None:
    source = fetch_base_survey(settings.raw_uri, sha256=settings.raw_sha256)
    survey = parse_survey(source.data, source.name)
    rows, quarantined = survey_frame([survey]), quarantine_frame([survey])
    lake.store.write(lake.key("raw_abalone"), to_parquet(rows))
    raw = IngestedRaw(
        digest=source.sha256,
        uri=source.uri,
        simulated=source.simulated,
        rows=len(rows),
        quarantined=len(quarantined),
    )
    commit_raw(lake.store, raw)


def _prepare(lake: Lake) -> None:
    days = lake.manifest().days_with_rows
    polars_engine.prepare(
        PrepareRequest(
            inputs=(lake.uri("raw_abalone"), *(lake.uri("new_surveys", day) for day in days)),
            merged=lake.uri("merged_dataset"),
            splits={name: lake.uri(name) for name in SPLIT_PERCENT},
        )
    )


def _release(lake: Lake, settings: Settings, folder: Path) -> None:
    for name in ("model", "archive", "output"):
        (folder / name).mkdir()
    environ = {
        "SM_MODEL_DIR": str(folder / "model"),
        "SM_OUTPUT_DATA_DIR": str(folder / "output"),
        "SM_CHANNEL_TRAIN": lake.folder_uri("train_split"),
        "SM_CHANNEL_VALIDATION": lake.folder_uri("validation_split"),
    }
    train_blend.main([], environ)
    archive = folder / "archive" / "model.tar.gz"
    pack(folder / "model", archive)
    arguments = ["--model-dir", str(archive.parent), "--output-dir", str(folder / "output")]
    for name in SPLIT_PERCENT:
        arguments += [f"--{name.removesuffix('_split')}-dir", lake.folder_uri(name)]
    audit = audit_test_split(lake.uri("merged_dataset"), lake.uri("test_split"))
    counted = ["--missing-rows", str(audit.missing), "--foreign-rows", str(audit.foreign)]
    evaluate.main([*arguments, *counted])
    evaluation = json.loads((folder / "output" / "evaluation.json").read_text())
    decision = decide(evaluation, settings.gate_limits)
    registry = FolderRegistry(ObjectStore(settings.registry_uri))
    version = registry.register(
        archive.read_bytes(),
        evaluation=evaluation,
        decision=asdict(decision),
        release_digest=lake.manifest().digest,
    )
    if version.approved:
        publish_pointer(registry.store, settings.endpoint_name, version.version)


if __name__ == "__main__":
    main()
