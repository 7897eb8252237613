"""The gate: every model becomes a version; a rejected one ends the release in peace."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import dagster as dg

from abalone_assets.lake.release_documents import ApprovedModel, EvaluatedModel
from abalone_assets.resources.catalog import Catalog
from abalone_assets.resources.models import Gate, ModelRegistryResource
from abalone_assets.resources.release_lease import ReleaseLease
from abalone_assets.resources.storage import LakeResource

if TYPE_CHECKING:
    from abalone_assets.modeling.evaluation.gate import Decision
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion


@dg.asset(
    output_required=False,
    group_name="evaluation",
    kinds={"python"},
    code_version="2",
    io_manager_key="json",
    check_specs=[
        dg.AssetCheckSpec(
            "gate",
            asset="approved_model",
            description="The model is good enough and holds against the champion, or a person says "
            "so.",
        )
    ],
)
def approved_model(
    context: dg.AssetExecutionContext,
    evaluation: EvaluatedModel,
    gate: Gate,
    model_registry: ModelRegistryResource,
    lake: LakeResource,
    release_lease: ReleaseLease,
    catalog: Catalog,
) -> Iterator[dg.MaterializeResult[ApprovedModel] | dg.AssetCheckResult]:
    """The model's version in the registry; nothing follows while that is rejected.

    Every evaluated model becomes a version, so that a person can approve one which the gate
    rejected: `abalone approve`. A model that a person has rejected stays rejected, whatever the
    gate says; one that was compared with a version which a person has replaced since is rejected
    too. A rejection is no failure: the reason is in this asset's events and its check, the
    assets after it are skipped, and the endpoint keeps what it serves: `approved_version`.
    """
    from abalone_assets.lake.releases import Release
    from abalone_assets.registry.release_version import decide_now, note_version, register_version

    release_lease.hold(context)
    registry, opened = model_registry.open(), lake.open()
    digest, run_id = evaluation.release_digest, context.run.run_id
    decision = decide_now(evaluation, gate.open(), registry)
    context.log.info(decision.reason)
    opened.begin_release(digest, run_id)
    version = register_version(evaluation, decision, registry, opened)
    noted = note_version(version, digest, run_id, registry, opened)
    for problem in noted.problems:
        context.log.warning(problem)
    shown = {**_shown(version, decision, evaluation.metrics), **noted.metadata()}
    yield dg.AssetCheckResult(
        passed=version.approved, severity=dg.AssetCheckSeverity.WARN, metadata=shown
    )
    if not version.approved:
        _tell_of_rejection(context, registry, shown)
        ended = Release.ended_now(digest, "rejected", shown["why"], version.version, run_id)
        opened.record_release(ended)
        catalog.refresh_or_warn(context)
        return
    yield dg.MaterializeResult(
        value=ApprovedModel(version.version, shown["why"], digest, run_id),
        metadata={**shown, **_approved(version, registry)},
        data_version=dg.DataVersion(version.archive_sha256),
    )


def _shown(
    version: "ModelVersion", decision: "Decision", metrics: dict[str, Any]
) -> dict[str, Any]:
    """The last word on a version: a person's, or else the gate's.

    The page's overview has no room for the whole sentence; it stands below, under its own name.
    """
    from abalone_assets.modeling.evaluation.decision_words import in_short

    by_gate = version.last_override is None
    return {
        "decision": in_short(asdict(decision), metrics) if by_gate else version.in_short,
        "why": decision.reason if by_gate else version.reason,
        "rmse": metrics["rmse"],
        "version": version.version,
    }


def _approved(version: "ModelVersion", registry: "ModelRegistry") -> dict[str, Any]:
    """Which version is approved now, and where its model is."""
    return {
        "approved_version": version.version,
        "model": dg.MetadataValue.path(registry.model_uri(version.version)),
    }


def _tell_of_rejection(
    context: dg.AssetExecutionContext, registry: "ModelRegistry", shown: dict[str, Any]
) -> None:
    """Log a rejection, and that the version approved before stands, if there is one.

    The asset's page shows the latest materialization and no observation beside it. One of the same
    data version says that nothing has changed for the assets after it.
    """
    context.log_event(dg.AssetObservation("approved_model", metadata=shown))
    standing = registry.desired_version()
    if standing is None:
        return
    context.log_event(
        dg.AssetMaterialization(
            "approved_model",
            metadata={**shown, **_approved(standing, registry)},
            tags={"dagster/data_version": standing.archive_sha256},
        )
    )
