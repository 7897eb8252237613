"""Deployment: what the registry says should be live answers requests, or what did so before."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from abalone_assets.lake import Lake, Release
from abalone_assets.resources.models import EndpointHost, ModelRegistryResource
from abalone_assets.resources.storage import LakeResource
from abalone_assets.serving.versions import ModelVersion


@dg.asset(
    deps=["approved_model"],
    group_name="deployment",
    kinds={"python"},
    code_version="2",
    io_manager_key="json",
    pool="deployment",
)
def endpoint(
    context: dg.AssetExecutionContext,
    endpoint_host: EndpointHost,
    model_registry: ModelRegistryResource,
    lake: LakeResource,
) -> dg.MaterializeResult[dict[str, Any]]:
    """The version that answers requests, proved by real invocations with rows of the test split.

    It is the approved version whose approval is the newest, be it the gate's or a person's; to
    materialize this asset alone makes the endpoint serve it. Without a running server the version
    is published for the next one to start with.
    """
    version = model_registry.desired_version()
    if version is None:
        raise dg.Failure(
            "no version is approved: approve one with `abalone approve VERSION --because TEXT`, or"
            " release a model that the gate approves"
        )
    context.log.info(version.reason)
    deployment = endpoint_host.deploy(
        version.version, model_registry.probes(version), context.log.info
    )
    context.log.info(deployment.message)
    _record_release(lake.open(), version, context.run.run_id)
    return dg.MaterializeResult(
        value={
            "version": version.version,
            "previous": deployment.previous,
            "served": deployment.served,
        },
        metadata={
            "version": version.version,
            "decision": version.reason,
            "previous": str(deployment.previous or "none"),
            "served": deployment.served,
            "message": deployment.message,
            "url": dg.MetadataValue.url(deployment.url) if deployment.url else "not running",
            "seconds": deployment.seconds,
        },
        data_version=dg.DataVersion(str(version.version)),
    )


def _record_release(lake: Lake, version: ModelVersion, run_id: str) -> None:
    """Record that the release ended of which this version is, or else that another one is live.

    A release ends in its own run, whichever version the registry wants live by then, or when the
    version that it approved is deployed later and its data is still what is prepared. Any other
    deployment obeys a person: it makes no release due, and none done.
    """
    approved = lake.store.read_json(lake.key("approved_model", suffix="json")) or {}
    own_run = approved.get("run_id") == run_id
    own_version = approved.get("version") == version.version
    last = lake.release()
    if own_run or (own_version and lake.is_prepared_from(approved.get("release_digest"))):
        digest = approved["release_digest"]
    elif last is not None:
        digest = last.digest
    else:
        return
    lake.record_release(
        Release(
            digest,
            "deployed",
            approved["reason"] if own_run and own_version else version.reason,
            version.version,
            run_id,
            datetime.now(UTC).isoformat(timespec="seconds"),
        )
    )
