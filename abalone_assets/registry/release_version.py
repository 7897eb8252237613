"""What a release makes of its evaluated model: a version that the gate, or a person, decided on."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from abalone_assets.errors import AbaloneError
from abalone_assets.lake.release_documents import NOT_SAID
from abalone_assets.modeling.evaluation.gate import Decision, decide
from abalone_assets.registry.notes import Noted, ReleaseNotes
from abalone_assets.registry.provenance import PROVENANCE
from abalone_assets.registry.version_facts import DATA
from abalone_assets.registry.versions import COMPARED_AT, PROBES
from abalone_assets.storage.object_store import locate

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.release_documents import EvaluatedModel
    from abalone_assets.modeling.evaluation.gate import GateLimits
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion


def decide_now(model: EvaluatedModel, limits: GateLimits, registry: ModelRegistry) -> Decision:
    """The gate's decision, unless a person has meanwhile replaced what the model was compared with.

    Args:
        model: The evaluated model.
        limits: What the model must keep.
        registry: Says which version should be live.

    Raises:
        StorageError: The registry refuses.
    """
    decision = decide(model.metrics, limits)
    if not decision.approved:
        return decision
    return _outdated(model, registry.desired_version()) or decision


def register_version(
    model: EvaluatedModel, decision: Decision, registry: ModelRegistry, lake: Lake
) -> ModelVersion:
    """Make the evaluated model a version, approved or not, with all that is known of it.

    Raises:
        StorageError: The model, the registry or the lake cannot be read or written.
        ModelArchiveError: The archive is damaged.
    """
    store, key = locate(lake.model_uri(model.model_uri))
    return registry.register(
        store.read(key),
        evaluation={
            **model.metrics,
            PROBES: model.probes,
            COMPARED_AT: model.compared_at,
            DATA: lake.data_of(model.release_digest),
            PROVENANCE: model.provenance,
        },
        decision=asdict(decision),
        release_digest=model.release_digest,
    )


def note_version(
    version: ModelVersion, digest: str, run_id: str, registry: ModelRegistry, lake: Lake
) -> Noted:
    """Tell the registry's own tools of the version; nothing where another release has done it.

    Args:
        version: The version that the release's model has.
        digest: Of the data that the release is made from.
        run_id: The release's Dagster run.
        registry: The registry.
        lake: Says what else is known of the release.
    """
    if version.release_digest != digest:
        return Noted()  # it stands since another release, which has told of it
    return registry.note(version, _notes(digest, run_id, lake))


def _notes(digest: str, run_id: str, lake: Lake) -> ReleaseNotes:
    """What a release knows of its version: of its days nothing, when more was ingested since."""
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


def _outdated(model: EvaluatedModel, desired: ModelVersion | None) -> Decision | None:
    """The rejection of a model that was not compared with the version that should be live now.

    That one is known when the champion is looked up. It is another by now when a person has decided
    in between, whose word would be undone by a model that never had to hold against it.
    """
    champion = (model.metrics["champion"] or {}).get("version")
    if model.desired_version == NOT_SAID or desired is None or desired.is_of(model.metrics):
        return None
    if desired.version == model.desired_version or str(desired.version) == champion:
        return None
    against = f"against version {champion}" if champion else "without a champion"
    return Decision(
        approved=False,
        reason=f"Rejected: version {desired.version} became the one that should be live while this "
        f"model was evaluated {against}; the next release compares them.",
        rule="champion_changed",
    )
