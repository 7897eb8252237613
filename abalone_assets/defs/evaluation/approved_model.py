"""The gate: every model becomes a version; a rejected one ends the release in peace."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from abalone_assets.lake import Release
from abalone_assets.resources.models import Gate, ModelRegistryResource
from abalone_assets.resources.storage import LakeResource
from abalone_assets.serving.versions import PROBES


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
    evaluation: dict[str, Any],
    gate: Gate,
    model_registry: ModelRegistryResource,
    lake: LakeResource,
) -> Iterator[dg.MaterializeResult[dict[str, Any]] | dg.AssetCheckResult]:
    """The model's version in the registry; not materialized while that is rejected.

    Every evaluated model becomes a version, so that a person can approve one which the gate
    rejected: `abalone approve`. A model that a person has rejected stays rejected, whatever the
    gate says. A rejection is no failure: the reason is in this asset's events and its check, the
    assets after it are skipped, and the endpoint keeps what it serves.
    """
    decision = gate.decide(evaluation["metrics"])
    context.log.info(decision.reason)
    version = model_registry.register(
        evaluation["model_uri"],
        evaluation={**evaluation["metrics"], PROBES: evaluation["probes"]},
        decision=asdict(decision),
        release_digest=evaluation["release_digest"],
    )
    reason = decision.reason if version.last_override is None else version.reason
    shown = {
        "decision": reason,
        "rmse": evaluation["metrics"]["rmse"],
        "version": version.version,
    }
    yield dg.AssetCheckResult(
        passed=version.approved, severity=dg.AssetCheckSeverity.WARN, metadata=shown
    )
    if not version.approved:
        context.log_event(dg.AssetObservation("approved_model", metadata=shown))
        lake.open().record_release(
            Release(
                evaluation["release_digest"],
                "rejected",
                reason,
                version.version,
                context.run.run_id,
                datetime.now(UTC).isoformat(timespec="seconds"),
            )
        )
        return
    yield dg.MaterializeResult(
        value={
            "version": version.version,
            "reason": reason,
            "release_digest": evaluation["release_digest"],
            "run_id": context.run.run_id,
        },
        metadata={
            **shown,
            "model": dg.MetadataValue.path(model_registry.model_uri(version.version)),
        },
        data_version=dg.DataVersion(version.archive_sha256),
    )
