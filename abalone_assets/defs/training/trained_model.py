"""Training: an archive in SageMaker's layout, and how it came about."""

import hashlib
from dataclasses import asdict
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import Field

from abalone_assets.etl.request import SPLIT_PERCENT
from abalone_assets.lake.release_documents import TrainedModel
from abalone_assets.modeling.hyperparameters import (
    chosen_hyperparameters,
    describe_frameworks,
    describe_hyperparameters,
)
from abalone_assets.resources.ml_platform import ChosenFramework, MLPlatform, TrainingRequest
from abalone_assets.resources.release_lease import ReleaseLease
from abalone_assets.resources.storage import LakeResource

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake


CHANNELS = ("train", "validation")


class TrainingConfig(dg.Config):
    """What trains the model, and how."""

    framework: ChosenFramework = Field(
        "default",
        description=f"default: what trains every release. {describe_frameworks()}",
    )
    hyperparameters: dict[str, Any] = Field(
        {},
        description="By name; one that is not given is as the settings say for this framework, or "
        "its default.\n\n" + describe_hyperparameters(),
    )


def _features_digest() -> str:
    """Of what models see: the UI marks a model as outdated that was trained before it changed."""
    source = files("abalone_assets.modeling").joinpath("features.py").read_bytes()
    return hashlib.sha256(source).hexdigest()[:8]


@dg.asset(
    deps=["merged_dataset", "train_split", "validation_split"],  # whose checks block training
    group_name="training",
    kinds={"python"},
    code_version=f"3.{_features_digest()}",
    io_manager_key="json",
    pool="training",
)
def trained_model(
    context: dg.AssetExecutionContext,
    config: TrainingConfig,
    ml_platform: MLPlatform,
    lake: LakeResource,
    release_lease: ReleaseLease,
) -> dg.MaterializeResult[TrainedModel]:
    """`model.tar.gz` in SageMaker's layout; the validation split calibrates its intervals."""
    from abalone_assets.lake.kept_inputs import last_inputs
    from abalone_assets.registry.code_version import code_version
    from abalone_assets.registry.provenance import Provenance

    framework = ml_platform.chosen_framework(config.framework)
    hyperparameters = {**ml_platform.hyperparameters_of(framework), **config.hyperparameters}
    chosen_hyperparameters(framework, hyperparameters)  # before a job is paid for
    release_lease.hold(context)
    opened = lake.open()
    with opened.steady_splits() as prepared:
        _refuse_empty_splits(opened, prepared.digest, context.run.run_id)
        written = {name: prepared.splits.get(f"{name}_split") for name in CHANNELS}
        report = ml_platform.train(
            TrainingRequest(
                channels={name: opened.uri(f"{name}_split") for name in CHANNELS},
                output_uri=opened.folder_uri("trained_model"),
                hyperparameters=hyperparameters,
                framework=framework,
                inputs=prepared.digest,
                sha256={name: each.sha256 for name, each in written.items() if each},
            ),
            context,
        )
    card = asdict(report.card)
    provenance = Provenance.of(
        report.card,
        prepared,
        last_inputs(opened),
        code=code_version(),
        machine=report.machine,
        run_id=context.run.run_id,
    )
    return dg.MaterializeResult(
        value=TrainedModel(report.model_uri, prepared.digest, card, provenance.to_document()),
        metadata={
            **report.card.headlines(),
            "model": dg.MetadataValue.path(report.model_uri),
            "model_card": dg.MetadataValue.json(card),
            "code": str(provenance.code),
            **report.job.metadata(),
        },
        data_version=dg.DataVersion(report.card.model_sha256),
    )


def _refuse_empty_splits(lake: "Lake", digest: str, run_id: str) -> None:
    """End the release of a few rows here, for good: they fall into the same splits every time.

    Raises:
        Failure: A split has no surveyed row to train on, to calibrate or to judge by.
    """
    from abalone_assets.ingest.frames import surveyed_rows
    from abalone_assets.lake.releases import Release

    written = [name for name in SPLIT_PERCENT if lake.store.find(lake.key(name))]
    rows = {name: surveyed_rows(lake.uri(name)) for name in written}
    empty = [name for name, count in rows.items() if not count]
    if not empty:
        return
    reason = (
        f"Rejected: too few rows: {sum(rows.values())} surveyed rows leave {' and '.join(empty)} "
        "without one; land more surveys, or set ABALONE_RAW_URI to a larger base survey."
    )
    lake.record_release(Release.ended_now(digest, "rejected", reason, None, run_id))
    raise dg.Failure(reason, allow_retries=False)
