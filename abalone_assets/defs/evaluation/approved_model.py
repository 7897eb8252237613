"""The gate: a good model becomes a version in the registry, any other ends the run in peace."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from abalone_assets.lake import Release
from abalone_assets.resources.models import Gate, ModelRegistryResource
from abalone_assets.resources.storage import LakeResource


@dg.asset(
    output_required=False,
    group_name="evaluation",
    kinds={"xgboost"},
    code_version="1",
    io_manager_key="json",
    check_specs=[
        dg.AssetCheckSpec(
            "gate",
            asset="approved_model",
            description="The model is good enough and holds against the champion.",
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
    """The model's version in the registry; not materialized when the gate rejects it.

    A rejection is no failure: the reason is in this asset's events and its check, the assets after
    it are skipped, and the endpoint keeps what it serves.
    """
    decision = gate.decide(evaluation["metrics"])
    context.log.info(decision.reason)
    shown = {"decision": decision.reason, "rmse": evaluation["metrics"]["rmse"]}
    yield dg.AssetCheckResult(
        passed=decision.approved, severity=dg.AssetCheckSeverity.WARN, metadata=shown
    )
    if not decision.approved:
        context.log_event(dg.AssetObservation("approved_model", metadata=shown))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        lake.open().record_release(
            Release(
                evaluation["release_digest"],
                "rejected",
                decision.reason,
                None,
                context.run.run_id,
                now,
            )
        )
        return
    version = model_registry.register(
        evaluation["model_uri"],
        evaluation=evaluation["metrics"],
        decision=asdict(decision),
        release_digest=evaluation["release_digest"],
    )
    yield dg.MaterializeResult(
        value={"version": version.version, "reason": decision.reason, "evaluation": evaluation},
        metadata={
            **shown,
            "version": version.version,
            "model": dg.MetadataValue.path(model_registry.model_uri(version.version)),
        },
        data_version=dg.DataVersion(version.archive_sha256),
    )
