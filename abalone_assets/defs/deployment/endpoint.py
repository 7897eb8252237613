"""Deployment: the approved version answers requests, or the one before goes on doing so."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from abalone_assets.lake import Release
from abalone_assets.resources.models import EndpointHost, Gate
from abalone_assets.resources.storage import LakeResource


@dg.asset(
    group_name="deployment",
    kinds={"xgboost"},
    code_version="1",
    io_manager_key="json",
    pool="deployment",
)
def endpoint(
    context: dg.AssetExecutionContext,
    approved_model: dict[str, Any],
    gate: Gate,
    endpoint_host: EndpointHost,
    lake: LakeResource,
) -> dg.MaterializeResult[dict[str, Any]]:
    """The version that answers requests, proved by real invocations with rows of the test split.

    Without a running server the version is published for the next one to start with.
    """
    evaluation = approved_model["evaluation"]
    decision = gate.decide(evaluation["metrics"])
    if not decision.approved:
        raise dg.Failure(f"the gate's limits have changed since the approval: {decision.reason}")
    version = approved_model["version"]
    deployment = endpoint_host.deploy(
        version, [tuple(probe) for probe in evaluation["probes"]], context.log.info
    )
    context.log.info(deployment.message)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    lake.open().record_release(
        Release(
            evaluation["release_digest"],
            "deployed",
            approved_model["reason"],
            version,
            context.run.run_id,
            now,
        )
    )
    return dg.MaterializeResult(
        value={"version": version, "previous": deployment.previous, "served": deployment.served},
        metadata={
            "version": version,
            "previous": str(deployment.previous or "none"),
            "served": deployment.served,
            "message": deployment.message,
            "url": dg.MetadataValue.url(deployment.url) if deployment.url else "not running",
            "seconds": deployment.seconds,
        },
        data_version=dg.DataVersion(str(version)),
    )
