"""A version in SageMaker's lineage, beside what SageMaker writes there by itself.

SageMaker knows its own jobs, the package and the endpoint. What it cannot know is added::

    data of the release (artifact) ──ContributedTo──► gate's decision (action) ──Produced──►
    model package (artifact, SageMaker's own);  the action ──AssociatedWith──► Dagster (context)

An account may hold 6,000 artifacts, 3,000 actions, 500 contexts and 6,000 associations that were
made by hand, so a release adds one artifact, one action and three associations, and all share one
context: https://docs.aws.amazon.com/sagemaker/latest/dg/lineage-tracking-manual-creation.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.failures import found

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from abalone_assets.registry.notes import ReleaseNotes
    from abalone_assets.registry.versions import ModelVersion

    Call = Callable[..., dict[str, Any]]
    """Makes a call of boto3's client by its name and parameters."""

_SHOWN: Final = ("rmse", "mae", "r2", "rows")
_LONGEST_TEXT: Final = 1024
_LONGEST_NAME: Final = 120


class Lineage:
    """The lineage entities of one model package group.

    Args:
        call: Makes the calls.
    """

    def __init__(self, group: str, call: Call) -> None:
        self._group = group
        self._call = call

    def note(self, version: ModelVersion, package_arn: str, notes: ReleaseNotes) -> None:
        """Write a version's entities; what is there already is brought up to date.

        Raises:
            ClientError: SageMaker refuses.
            BotoCoreError: SageMaker does not answer.
        """
        details = {**notes.details(), "release_digest": version.release_digest}
        data = self._artifact(
            f"{notes.data_uri}#release={version.release_digest}",
            "DataSet",
            f"{self._group}-release-{version.release_digest[:16]}",
            details,
        )
        package = self._artifact(package_arn, "ModelPackage", "", {})
        action = self._action(version, notes)
        context = self._context(version, details)
        self._associate(data, action, "ContributedTo")
        self._associate(action, package, "Produced")
        self._associate(action, context, "AssociatedWith")

    def decide(self, version: ModelVersion) -> None:
        """Write a later decision on a version to its action, if it has one.

        Raises:
            ClientError: SageMaker refuses.
            BotoCoreError: SageMaker does not answer.
        """
        key = {"ActionName": _name(self._action_name(version))}
        known = found(lambda **named: self._call("describe_action", **named), **key)
        if known is not None:
            properties = {**known.get("Properties", {}), "approval": version.status}
            self._call(
                "update_action", **key, Description=_text(version.reason), Properties=properties
            )

    def _artifact(self, uri: str, kind: str, name: str, properties: Mapping[str, str]) -> str:
        """The ARN of the one artifact of a URI; SageMaker's own is left as it is."""
        listed = self._call("list_artifacts", SourceUri=uri)["ArtifactSummaries"]
        if listed:
            arn = str(listed[0]["ArtifactArn"])
            if properties:
                self._call("update_artifact", ArtifactArn=arn, Properties=_texts(properties))
            return arn
        named = {"ArtifactName": _name(name)} if name else {}
        created = self._call(
            "create_artifact",
            Source={"SourceUri": uri},
            ArtifactType=kind,
            Properties=_texts(properties),
            **named,
        )
        return str(created["ArtifactArn"])

    def _action(self, version: ModelVersion, notes: ReleaseNotes) -> str:
        metrics = {name: version.evaluation.get(name) for name in _SHOWN}
        properties = {
            **{name: str(value) for name, value in metrics.items() if value is not None},
            "release_digest": version.release_digest,
            "rule": str(version.decision.get("rule", "")),
            "gate": str(version.decision.get("reason", "")),
            "approval": version.status,
            "dagster_run_id": notes.run_id,
        }
        return self._named(
            "action",
            self._action_name(version),
            {"SourceUri": f"dagster:run/{notes.run_id}", "SourceType": "DagsterRun"},
            {
                "Description": _text(version.reason),
                "Status": "Completed",
                "Properties": _texts(properties),
            },
            ActionType="Evaluation",
        )

    def _action_name(self, version: ModelVersion) -> str:
        # The numbers of a group that was deleted and made anew begin at 1 again.
        return f"{self._group}-v{version.version:06d}-{version.archive_sha256[:8]}"

    def _context(self, version: ModelVersion, details: Mapping[str, str]) -> str:
        latest = {**details, "version": str(version.version), "approval": version.status}
        return self._named(
            "context",
            f"{self._group}-dagster",
            {"SourceUri": f"dagster:{self._group}", "SourceType": "DagsterAssetGraph"},
            {
                "Description": "The releases of this model package group; the newest in detail.",
                "Properties": _texts(latest),
            },
            ContextType="Dagster",
        )

    def _named(
        self,
        kind: str,
        name: str,
        source: Mapping[str, str],
        content: Mapping[str, Any],
        **fixed: str,
    ) -> str:
        """The ARN of an action or a context, made or brought up to date."""
        key = {f"{kind.title()}Name": _name(name)}
        known = found(lambda **named: self._call(f"describe_{kind}", **named), **key)
        if known is None:
            answer = self._call(f"create_{kind}", **key, Source=source, **content, **fixed)
        else:
            answer = self._call(f"update_{kind}", **key, **content)
        return str(answer[f"{kind.title()}Arn"])

    def _associate(self, source: str, destination: str, kind: str) -> None:
        ends = {"SourceArn": source, "DestinationArn": destination}
        if not self._call("list_associations", **ends)["AssociationSummaries"]:
            self._call("add_association", **ends, AssociationType=kind)


def _name(text: str) -> str:
    """A name as SageMaker takes it."""
    return re.sub("[^A-Za-z0-9]+", "-", text)[:_LONGEST_NAME].strip("-")


def _texts(values: Mapping[str, str]) -> dict[str, str]:
    return {name: _text(value) for name, value in values.items() if value}


def _text(value: str) -> str:
    return " ".join(value.split())[:_LONGEST_TEXT]
