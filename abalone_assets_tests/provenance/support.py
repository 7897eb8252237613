"""A lake and a registry with versions of little models, made without Dagster."""

from __future__ import annotations

import hashlib
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from abalone_assets.etl import polars_engine
from abalone_assets.etl.lake_inputs import lake_request
from abalone_assets.external.local_training import this_machine, train_here
from abalone_assets.ingest.frames import survey_frame, to_parquet
from abalone_assets.lake.kept_inputs import RAW, SURVEYS, record_inputs, replace_rows
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest import IngestedDay, IngestedFile, IngestedRaw, day_digest
from abalone_assets.lake.manifest_store import commit_days, commit_raw, revoke_days
from abalone_assets.lake.preparation import Preparation
from abalone_assets.modeling.archive import read_card
from abalone_assets.modeling.hyperparameters import Framework
from abalone_assets.registry.code_version import code_version
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.registry.provenance import PROVENANCE, Provenance
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey import ParsedSurvey, parse_survey
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

QUICK: dict[Framework, dict[str, Any]] = {
    "xgboost": {"num_boost_round": 3, "folds": 0},
    "blend": {"num_boost_round": 3, "folds": 0},
    "tensorflow": {"epochs": 2},
}
DAY, NEXT = "2025-03-14", "2025-04-02"


class Little:
    """A lake and a registry in a folder."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake(str(folder / "lake"))
        self.registry = FolderRegistry(ObjectStore(folder / "registry"))

    def base(self, rows: int = 300, *, seed: int = 90) -> None:
        """Take a base survey in."""
        data = survey_rows(rows, seed=seed)
        survey = parse_survey(data, "abalone.data")
        parquet = to_parquet(survey_frame([survey]))
        commit_raw(self.lake.store, None)
        replace_rows(self.lake, RAW, None, parquet)
        raw = IngestedRaw(_sha256(data), "abalone.data", simulated=False, rows=rows, quarantined=0)
        commit_raw(self.lake.store, replace(raw, rows_sha256=_sha256(parquet)))

    def ingest(self, day: str, *seeds: int, rows: int = 20) -> None:
        """Take a survey day in: a file for each seed; without any it has none."""
        entries, surveys = list[IngestedFile](), list[ParsedSurvey]()
        for hour, seed in enumerate(seeds):
            data, name = (
                survey_rows(rows, seed=seed),
                f"abalone.{day.replace('-', '')}{hour:02}0000",
            )
            surveys.append(parse_survey(data, name))
            entries.append(IngestedFile(name, len(data), f"t{seed}", _sha256(data), rows, 0))
        parquet = to_parquet(survey_frame(surveys))
        revoke_days(self.lake.store, [day])
        replace_rows(self.lake, SURVEYS, day, parquet)
        digest = _sha256(parquet) if seeds else ""
        entry = IngestedDay(day_digest(entries), tuple(entries), "j", digest)
        commit_days(self.lake.store, {day: entry})

    def release(
        self,
        framework: Framework = "xgboost",
        hyperparameters: Mapping[str, Any] | None = None,
        untrue: Mapping[str, Any] | None = None,
        repack: Callable[[bytes], bytes] = bytes,
    ) -> int:
        """Prepare, train, register; the version's number.

        Args:
            framework: What trains.
            hyperparameters: Of it.
            untrue: What its record has instead of the truth, by the names of `Provenance`.
            repack: Makes the archive that is registered of the one that was trained.
        """
        manifest = self.lake.manifest()
        inputs = record_inputs(self.lake, manifest)
        report = polars_engine.prepare(lake_request(self.lake, manifest))
        made = Preparation.of(
            manifest, rows_in=report.rows_in, repeats=report.repeats, engine=report.engine
        )
        channels = {
            name: self.lake.store.read(self.lake.key(f"{name}_split"))
            for name in ("train", "validation")
        }
        archive = train_here(framework, channels, QUICK[framework] | dict(hyperparameters or {}))
        card = read_card(archive)
        told = Provenance.of(
            card, made, inputs, code=code_version(), machine=this_machine(), run_id="r"
        )
        evaluation = {
            "model_sha256": card.model_sha256,
            PROVENANCE: replace(told, **(untrue or {})).to_document(),
        }
        return self.registry.register(
            repack(archive),
            evaluation=evaluation,
            decision={"approved": True, "reason": f"of {time.time_ns()}"},
            release_digest=manifest.digest,
        ).version


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
