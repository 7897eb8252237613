"""Deployment: what the registry says should be live answers requests, or what did so before."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from abalone_assets.lake.release_documents import ApprovedModel
from abalone_assets.resources.catalog import Catalog
from abalone_assets.resources.models import EndpointHost, ModelRegistryResource
from abalone_assets.resources.release_lease import ReleaseLease
from abalone_assets.resources.storage import LakeResource

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake


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
    release_lease: ReleaseLease,
    catalog: Catalog,
) -> dg.MaterializeResult[dict[str, Any]]:
    """The version that answers requests, proved by real invocations with rows of the test split.

    It is the approved version whose approval is the newest, be it the gate's or a person's; to
    materialize this asset alone makes the endpoint serve it. Without a running server the version
    is published for the next one to start with.
    """
    from abalone_assets.registry.versions import desired_of, why_desired

    release_lease.hold(context)
    registry = model_registry.open()
    candidates = registry.candidates()
    version, why = desired_of(candidates), why_desired(candidates)
    if version is None:
        raise dg.Failure(
            "no version is approved: approve one with `abalone approve VERSION --because TEXT`, or"
            " release a model that the gate approves"
        )
    context.log.info(why)
    deployment = endpoint_host.open().deploy(
        version.version, registry.probes(version), context.log.info
    )
    context.log.info(deployment.message)
    release_lease.hold(context)
    _record_release(lake.open(), version.version, why, context.run.run_id)
    catalog.refresh_or_warn(context)
    return dg.MaterializeResult(
        value={
            "version": version.version,
            "previous": deployment.previous,
            "served": deployment.served,
        },
        metadata={
            "version": version.version,
            "decision": why_desired(candidates, short=True),
            "why": why,
            "previous": str(deployment.previous or "none"),
            "served": deployment.served,
            "message": deployment.message,
            "url": dg.MetadataValue.url(deployment.url) if deployment.url else "not running",
            "seconds": deployment.seconds,
        },
        data_version=dg.DataVersion(str(version.version)),
    )


def _record_release(lake: "Lake", live: int, why: str, run_id: str) -> None:
    """Record how the release ended that this run, or this version, belongs to.

    A release ends in its own run, whichever version the registry wants live by then, or when the
    version that it approved is deployed later and its data is still what is prepared. Any other
    deployment obeys a person: it makes no release due, and none done, and the record of the last
    one stays.
    """
    from abalone_assets.lake.releases import Release

    approved, last = lake.document("approved_model", ApprovedModel), lake.release()
    if approved is None or approved.release_digest is None:
        return
    digest, own, reason = approved.release_digest, approved.version, approved.reason
    if approved.run_id != run_id:
        is_known = last is not None and (last.digest, last.version) == (digest, own)
        if own != live or is_known or not lake.is_prepared_from(digest):
            return
    lake.record_release(
        Release.ended_now(
            digest,
            "deployed" if own == live else "overruled",
            reason if own == live else f"{reason} But version {live} is live. {why}",
            own,
            run_id,
        )
    )
