"""The gate: every model becomes a version; a rejected one ends the release in peace."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from abalone_assets.errors import AbaloneError
from abalone_assets.resources.catalog import Catalog
from abalone_assets.resources.models import Gate, ModelRegistryResource
from abalone_assets.resources.release_lease import ReleaseLease
from abalone_assets.resources.storage import LakeResource

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake
    from abalone_assets.modeling.evaluation.gate import Decision
    from abalone_assets.registry.notes import Noted, ReleaseNotes
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
    evaluation: dict[str, Any],
    gate: Gate,
    model_registry: ModelRegistryResource,
    lake: LakeResource,
    release_lease: ReleaseLease,
    catalog: Catalog,
) -> Iterator[dg.MaterializeResult[dict[str, Any]] | dg.AssetCheckResult]:
    """The model's version in the registry; nothing follows while that is rejected.

    Every evaluated model becomes a version, so that a person can approve one which the gate
    rejected: `abalone approve`. A model that a person has rejected stays rejected, whatever the
    gate says; one that was compared with a version which a person has replaced since is rejected
    too. A rejection is no failure: the reason is in this asset's events and its check, the
    assets after it are skipped, and the endpoint keeps what it serves: `approved_version`.
    """
    from abalone_assets.lake.lake import Release
    from abalone_assets.modeling.evaluation.decision_words import in_short as decision_in_short
    from abalone_assets.modeling.evaluation.gate import decide
    from abalone_assets.registry.provenance import PROVENANCE
    from abalone_assets.registry.version_facts import DATA
    from abalone_assets.registry.versions import COMPARED_AT, PROBES
    from abalone_assets.storage.object_store import locate

    release_lease.hold(context)
    registry = model_registry.open()
    decision = decide(evaluation["metrics"], gate.open())
    if decision.approved:
        decision = _outdated(evaluation, registry.desired_version()) or decision
    context.log.info(decision.reason)
    lake.open().begin_release(evaluation["release_digest"], context.run.run_id)
    store, key = locate(evaluation["model_uri"])
    version = registry.register(
        store.read(key),
        evaluation={
            **evaluation["metrics"],
            PROBES: evaluation["probes"],
            COMPARED_AT: evaluation.get(COMPARED_AT),
            DATA: lake.open().data_of(evaluation["release_digest"]),
            PROVENANCE: evaluation.get(PROVENANCE),
        },
        decision=asdict(decision),
        release_digest=evaluation["release_digest"],
    )
    reason = decision.reason if version.last_override is None else version.reason
    noted = _noted(context, registry, version, evaluation, lake.open())
    # The page's overview has no room for the whole sentence; it stands below, under its own name.
    brief = decision_in_short(asdict(decision), evaluation["metrics"])
    shown = {
        "decision": brief if version.last_override is None else version.in_short,
        "why": reason,
        "rmse": evaluation["metrics"]["rmse"],
        "version": version.version,
        **noted.metadata(),
    }
    yield dg.AssetCheckResult(
        passed=version.approved, severity=dg.AssetCheckSeverity.WARN, metadata=shown
    )
    if not version.approved:
        _tell_of_rejection(context, registry, shown)
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
        catalog.refresh_or_warn(context)
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
            "approved_version": version.version,
            "model": dg.MetadataValue.path(registry.model_uri(version.version)),
        },
        data_version=dg.DataVersion(version.archive_sha256),
    )


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
            metadata={
                **shown,
                "approved_version": standing.version,
                "model": dg.MetadataValue.path(registry.model_uri(standing.version)),
            },
            tags={"dagster/data_version": standing.archive_sha256},
        )
    )


def _noted(
    context: dg.AssetExecutionContext,
    registry: "ModelRegistry",
    version: "ModelVersion",
    evaluation: dict[str, Any],
    lake: "Lake",
) -> "Noted":
    """What the registry's own tools are told of the version by the release that made it."""
    from abalone_assets.registry.notes import Noted

    digest = evaluation["release_digest"]
    if version.release_digest != digest:
        return Noted()  # it stands since another release, which has told of it
    noted = registry.note(version, _notes(context.run.run_id, digest, lake))
    for problem in noted.problems:
        context.log.warning(problem)
    return noted


def _notes(run_id: str, digest: str, lake: "Lake") -> "ReleaseNotes":
    """What a release knows of its version: of its days nothing, when more was ingested since."""
    from abalone_assets.registry.notes import ReleaseNotes

    data_uri = lake.uri("merged_dataset")
    try:
        manifest = lake.manifest()
    except AbaloneError:
        return ReleaseNotes(run_id, data_uri)  # whoever needs the manifest says what is amiss
    if manifest.digest != digest:
        return ReleaseNotes(run_id, data_uri)
    days = manifest.days_with_rows
    first, last = (days[0], days[-1]) if days else ("", "")
    return ReleaseNotes(run_id, data_uri, manifest.rows, len(days), first, last)


def _outdated(evaluation: dict[str, Any], desired: "ModelVersion | None") -> "Decision | None":
    """The rejection of a model that was not compared with the version that should be live now.

    That one is known when the champion is looked up. It is another by now when a person has decided
    in between, whose word would be undone by a model that never had to hold against it.
    """
    from abalone_assets.modeling.evaluation.gate import Decision

    metrics = evaluation["metrics"]
    champion = (metrics["champion"] or {}).get("version")
    if "desired_version" not in evaluation or desired is None or desired.is_of(metrics):
        return None
    if desired.version == evaluation["desired_version"] or str(desired.version) == champion:
        return None
    against = f"against version {champion}" if champion else "without a champion"
    return Decision(
        approved=False,
        reason=f"Rejected: version {desired.version} became the one that should be live while this "
        f"model was evaluated {against}; the next release compares them.",
        rule="champion_changed",
    )
