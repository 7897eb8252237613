"""A release without an orchestrator: the same functions, called one after another.

Each step is a function of its own and leaves what it made in the lake, so that another
orchestrator can call them as its tasks: see ``peers/airflow``. As a process it makes one release,
and with ``--watch`` one whenever the landing zone holds something new.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from abalone_assets.etl import polars_engine
from abalone_assets.etl.request import SPLIT_PERCENT, PrepareRequest
from abalone_assets.etl.split_audit import audit_test_split
from abalone_assets.external import evaluate as evaluation_script
from abalone_assets.external import train as training_script
from abalone_assets.ingest.base_survey import fetch_base_survey
from abalone_assets.ingest.days import parse_days
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.ingest.frames import quarantine_frame, survey_frame, to_parquet
from abalone_assets.ingest.held_files import Judge
from abalone_assets.ingest.reconcile import find_due
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest import IngestedRaw
from abalone_assets.lake.manifest_store import commit_days, commit_raw
from abalone_assets.modeling.archive import ARCHIVE_NAME, pack
from abalone_assets.modeling.evaluation.gate import decide
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.serving.pointer import publish_pointer, read_pointer
from abalone_assets.settings.platform import load_settings
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey import parse_survey

MODEL_KEY: Final = f"trained_model/plain/output/{ARCHIVE_NAME}"
EVALUATION_KEY: Final = "evaluation/plain.json"
WATCH_SECONDS: Final = 0.5


def days_due() -> list[str]:
    """Survey days of which the lake lacks files that have landed."""
    settings = load_settings()
    lake, zone = Lake(settings.lake_uri), FolderLandingZone(Path(settings.landing_zone_uri))
    landing = zone.scan(settings.first_survey_day, datetime.now(UTC).date())
    return sorted(find_due(landing, lake.manifest(), zone.read).days)


def ingest_base_survey() -> None:
    """Fetch, verify and parse the base survey."""
    settings = load_settings()
    lake = Lake(settings.lake_uri)
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


def ingest_days(days: list[str]) -> None:
    """Parse the survey days and write their rows, good and quarantined."""
    settings = load_settings()
    lake, zone = Lake(settings.lake_uri), FolderLandingZone(Path(settings.landing_zone_uri))
    for day in days:
        parsed = parse_days(zone, [day], judge=Judge.of(lake))
        frames = {"new_surveys": parsed.rows, "quarantined_rows": parsed.quarantined}
        for asset, by_day in frames.items():
            lake.store.write(lake.key(asset, day), to_parquet(by_day[day]))
        commit_days(lake.store, parsed.entries)


def prepare() -> None:
    """Merge and split all rows."""
    lake = Lake(load_settings().lake_uri)
    days = lake.manifest().days_with_rows
    polars_engine.prepare(
        PrepareRequest(
            inputs=(lake.uri("raw_abalone"), *(lake.uri("new_surveys", day) for day in days)),
            merged=lake.uri("merged_dataset"),
            splits={name: lake.uri(name) for name in SPLIT_PERCENT},
        )
    )


def train() -> None:
    """Train the default model."""
    lake = Lake(load_settings().lake_uri)
    with TemporaryDirectory() as made:
        folder = Path(made)
        for name in ("model", "output"):
            (folder / name).mkdir()
        environ = {
            "SM_MODEL_DIR": str(folder / "model"),
            "SM_OUTPUT_DATA_DIR": str(folder / "output"),
            "SM_CHANNEL_TRAIN": lake.folder_uri("train_split"),
            "SM_CHANNEL_VALIDATION": lake.folder_uri("validation_split"),
        }
        training_script.main(["--framework", "blend"], environ)
        archive = folder / ARCHIVE_NAME
        pack(folder / "model", archive)
        lake.store.write(MODEL_KEY, archive.read_bytes())


def evaluate() -> None:
    """Compare the model with the one that is live, without the report, as a release does."""
    settings = load_settings()
    lake, registry = Lake(settings.lake_uri), FolderRegistry(ObjectStore(settings.registry_uri))
    pointer = read_pointer(registry.store, settings.endpoint_name)
    with TemporaryDirectory() as made:
        folder = Path(made)
        archives = {"model": lake.store.read(MODEL_KEY)}
        if pointer:
            archives["champion"] = registry.read_model(pointer.version)
        arguments = ["--report", "no", "--output-dir", str(folder / "output")]
        for name, data in archives.items():
            (folder / name).mkdir()
            (folder / name / ARCHIVE_NAME).write_bytes(data)
            arguments += [f"--{name}-dir", str(folder / name)]
        if pointer:
            arguments += ["--champion-version", str(pointer.version)]
        for name in SPLIT_PERCENT:
            arguments += [f"--{name.removesuffix('_split')}-dir", lake.folder_uri(name)]
        audit = audit_test_split(lake.uri("merged_dataset"), lake.uri("test_split"))
        counted = ["--missing-rows", str(audit.missing), "--foreign-rows", str(audit.foreign)]
        evaluation_script.main([*arguments, *counted])
        lake.store.write(EVALUATION_KEY, (folder / "output" / "evaluation.json").read_bytes())


def approve() -> int | None:
    """Decide, and register the model as a version; which one, if it is approved."""
    settings = load_settings()
    lake, registry = Lake(settings.lake_uri), FolderRegistry(ObjectStore(settings.registry_uri))
    evaluation = json.loads(lake.store.read(EVALUATION_KEY))
    version = registry.register(
        lake.store.read(MODEL_KEY),
        evaluation=evaluation,
        decision=asdict(decide(evaluation, settings.gate_limits)),
        release_digest=lake.manifest().digest,
    )
    return version.version if version.approved else None


def deploy(version: int | None) -> None:
    """Have the endpoint serve the version."""
    settings = load_settings()
    if version is not None:
        registry = FolderRegistry(ObjectStore(settings.registry_uri))
        publish_pointer(registry.store, settings.endpoint_name, version)


def release() -> None:
    """From what is ingested to what is served."""
    prepare()
    train()
    evaluate()
    deploy(approve())


def main() -> None:
    """One release, the base survey's; then, if asked to watch, one for whatever lands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watch", action="store_true")
    watch = parser.parse_args().watch
    ingest_base_survey()
    release()
    while watch:
        if days := days_due():
            ingest_days(days)
            release()
        else:
            time.sleep(WATCH_SECONDS)


if __name__ == "__main__":
    main()
