"""What `abalone status` tells of models: what answers, which version should, and by whose word."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Self

from abalone_assets.modeling.evaluation.decision_words import in_short, shortened
from abalone_assets.registry.overrides import Override
from abalone_assets.registry.record_rows import THE_GATE
from abalone_assets.registry.versions import UnknownVersionError, desired_of, version_decided_on
from abalone_assets.serving.live_version import EndpointState, endpoint_state

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abalone_assets.lake.releases import Release
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion
    from abalone_assets.settings.platform import Settings

NEWEST: Final = 5
"""Decisions of people that are shown."""


@dataclass(frozen=True)
class Live(EndpointState):
    """The endpoint, and what is known of the version that answers, else of the requested one.

    Attributes:
        endpoint: Its name.
        rmse: On the version's test split, in rings.
        standing: Who approved or rejected the version, such as ``approved by the gate``.
    """

    endpoint: str = field(kw_only=True)
    rmse: float | None = None
    standing: str | None = None

    @classmethod
    def of(cls, settings: Settings, registry: ModelRegistry) -> Self:
        """Ask the endpoint and the registry."""
        state = endpoint_state(settings)
        shown, problem = state.version or state.requested_version, state.problem
        try:
            known = registry.get(shown) if shown else None
        except UnknownVersionError:
            known = None
            problem = problem or (
                f"the record of version {shown} is gone: restore it from a copy, approve another "
                "version with `abalone approve`, or have `abalone release` make one"
            )
        return cls(
            **vars(replace(state, problem=problem)),
            endpoint=settings.endpoint_name,
            rmse=known.evaluation.get("rmse") if known else None,
            standing=known.status if known else None,
        )


@dataclass(frozen=True)
class DecisionOnVersion(Override):
    """A decision of a person, or of ``the gate``, and the version that it is on.

    Attributes:
        in_short: Why, in a line.
    """

    version: int
    in_short: str


@dataclass(frozen=True)
class Approvals:
    """Which version should be live, and who decided what.

    Attributes:
        desired_version: The version that should be live, or None while none is approved.
        decided_by: The person's decision that made it so, or None while the gate did.
        last_decision: The newest decision on any version, or None before the first.
        overrides: The newest decisions of people, newest first.
    """

    desired_version: int | None
    decided_by: DecisionOnVersion | None
    last_decision: DecisionOnVersion | None
    overrides: list[DecisionOnVersion]

    @classmethod
    def of(cls, registry: ModelRegistry) -> Self:
        """Ask the registry."""
        candidates, latest = registry.candidates(), registry.latest()
        desired, decided_on = desired_of(candidates), version_decided_on(candidates)
        overrides = sorted(_overrides(candidates), key=lambda each: each.at, reverse=True)
        decisions = overrides if latest is None else [*overrides, _of_the_gate(latest)]
        return cls(
            desired_version=None if desired is None else desired.version,
            decided_by=None if decided_on is None else _overrides([decided_on])[-1],
            last_decision=max(decisions, key=lambda each: each.at, default=None),
            overrides=overrides[:NEWEST],
        )


def _overrides(versions: Sequence[ModelVersion]) -> list[DecisionOnVersion]:
    return [
        DecisionOnVersion(**vars(override), version=version.version, in_short=override.because)
        for version in versions
        for override in version.overrides
    ]


def _of_the_gate(version: ModelVersion) -> DecisionOnVersion:
    return DecisionOnVersion(
        approved=version.approved_by_gate,
        because=str(version.decision.get("reason", "no reason is recorded")),
        by=THE_GATE,
        at=version.created_at,
        version=version.version,
        in_short=in_short(version.decision, version.evaluation),
    )


def release_in_short(release: Release | None, registry: ModelRegistry) -> str:
    """Why a release ended as it did, in a line."""
    if release is None:
        return ""
    try:
        known = registry.get(release.version) if release.version else None
    except UnknownVersionError:
        known = None
    if known is None or not release.reason.startswith(str(known.decision.get("reason") or "\0")):
        return shortened(release.reason)  # a person's word, or a record that is gone
    told = in_short(known.decision, known.evaluation)
    return f"{told} But a person wants another live." if release.outcome == "overruled" else told
