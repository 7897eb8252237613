"""What `abalone status` knows of the decisions on model versions, the gate's and people's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from abalone_assets.registry.overrides import Override
from abalone_assets.registry.versions import desired_of, version_decided_on

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion

NEWEST_OVERRIDES: Final = 5


@dataclass(frozen=True)
class DecisionOnVersion(Override):
    """A decision of a person, or of ``the gate``, and the version that it is on."""

    version: int


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
            overrides=overrides[:NEWEST_OVERRIDES],
        )


def _overrides(versions: Sequence[ModelVersion]) -> list[DecisionOnVersion]:
    return [
        DecisionOnVersion(**vars(override), version=version.version)
        for version in versions
        for override in version.overrides
    ]


def _of_the_gate(version: ModelVersion) -> DecisionOnVersion:
    return DecisionOnVersion(
        approved=version.approved_by_gate,
        because=str(version.decision.get("reason", "no reason is recorded")),
        by="the gate",
        at=version.created_at,
        version=version.version,
    )
