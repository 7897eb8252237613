"""A registered model version, who decided what on it, and which version should be live.

The gate speaks first, when a version is registered; people may speak after it, as often as they
like. The last word holds. What should be live is the approved version whose approval is the newest:
so a person's approval of an old version beats the gate's of a newer one, until the gate approves
another. The gate's approval is as old as its evidence: it counts from when the evaluation looked up
the champion, so a person who decides while a release runs has the later word.

A model may be a little worse than the live one and still be approved. So that such steps do not add
up, it must hold against the reference too: the last version approved as more than just as good.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.errors import StorageError
from abalone_assets.modeling.evaluation.decision_words import in_short
from abalone_assets.modeling.evaluation.reference import REFERENCE_RULES
from abalone_assets.registry.overrides import Override

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

MODEL_DIGEST: Final = "model_sha256"
PROBES: Final = "probes"
COMPARED_AT: Final = "compared_at"
_NEVER: Final = datetime.min.replace(tzinfo=UTC)


class UnknownVersionError(StorageError):
    """There is no version of that number."""


@dataclass(frozen=True)
class ModelVersion:
    """What the registry knows of one evaluated model.

    Attributes:
        version: Its number, from 1; numbers grow but may skip.
        archive_sha256: SHA-256 of the archive, in hexadecimal.
        created_at: When it was registered, ISO 8601 in UTC.
        evaluation: The evaluation that the gate saw, when it looked up the champion, and the probes
            of a deployment.
        decision: What the gate decided, and why.
        release_digest: The digest of the data that the model was trained on.
        model_key: Key of the archive in the registry's store.
        overrides: What people decided on it since, oldest first.
    """

    version: int
    archive_sha256: str
    created_at: str
    evaluation: dict[str, Any]
    decision: dict[str, Any]
    release_digest: str
    model_key: str
    overrides: tuple[Override, ...] = ()

    @property
    def approved_by_gate(self) -> bool:
        """What the gate said when it was registered."""
        return self.decision.get("approved") is True

    @property
    def judged_at(self) -> str:
        """From when the gate's word counts: its evidence, or the registration in old records."""
        return str(self.evaluation.get(COMPARED_AT) or self.created_at)

    @property
    def last_override(self) -> Override | None:
        """The last word of a person, or None when only the gate has spoken."""
        return self.overrides[-1] if self.overrides else None

    @property
    def rejected_by_person(self) -> bool:
        """Whether a person had the last word, and it was no."""
        return self.last_override is not None and not self.last_override.approved

    @property
    def approved(self) -> bool:
        """Whether it may answer requests: the last word."""
        last = self.last_override
        return self.approved_by_gate if last is None else last.approved

    @property
    def last_approval(self) -> datetime | None:
        """When anybody last approved it, rejected since or not."""
        times = [self.judged_at] if self.approved_by_gate else []
        times += [override.at for override in self.overrides if override.approved]
        return max(map(datetime.fromisoformat, times), default=None)

    @property
    def status(self) -> str:
        """The last word in a few words, such as ``rejected by ana``."""
        last = self.last_override
        return f"{'approved' if self.approved else 'rejected'} by {last.by if last else 'the gate'}"

    @property
    def reason(self) -> str:
        """The last word in one sentence."""
        last = self.last_override
        return str(self.decision.get("reason", "")) if last is None else str(last)

    @property
    def in_short(self) -> str:
        """The last word in a line, for lists."""
        last = self.last_override
        return in_short(self.decision, self.evaluation) if last is None else str(last)

    @property
    def probes(self) -> list[tuple[str, float]]:
        """Requests as CSV lines, each with the rings that it must answer; none in old records."""
        return [(line, rings) for line, rings in self.evaluation.get(PROBES, ())]

    @property
    def may_be_reference(self) -> bool:
        """Whether later models must hold against it, and not only against those between.

        It does when a person approved it, or the gate as the first or as a better one.
        """
        if self.last_override is not None:
            return self.last_override.approved
        return self.approved and self.decision.get("rule") in REFERENCE_RULES

    @property
    def held_against(self) -> int | None:
        """The reference of its evaluation; its champion where that was the reference, or none was.

        None when its evaluation names neither.
        """
        for role in ("reference", "champion"):
            other = self.evaluation.get(role)
            number = str(other.get("version", "")) if isinstance(other, dict) else ""
            if number.isdecimal() and int(number) < self.version:
                return int(number)
        return None

    def is_of(self, evaluation: Mapping[str, Any]) -> bool:
        """Whether an evaluation is of this very model, as the digest of the model's file tells."""
        digest = evaluation.get(MODEL_DIGEST)
        return digest is not None and self.evaluation.get(MODEL_DIGEST) == digest


def desired_of(candidates: Iterable[ModelVersion]) -> ModelVersion | None:
    """The version that should be live: the approved one whose approval is the newest.

    Of two approved at the same time it is the later one; None when none is approved.
    """
    return max((each for each in candidates if each.approved), key=_approval, default=None)


def person_behind(candidates: Sequence[ModelVersion]) -> Override | None:
    """The person's decision that made the desired version so; None when it is the gate's choice.

    It is the newest rejection of a version that would be desired otherwise; without one, the
    approval of the desired version.
    """
    version = version_decided_on(candidates)
    return None if version is None else version.last_override


def version_decided_on(candidates: Sequence[ModelVersion]) -> ModelVersion | None:
    """The version on which that decision of a person was made; see `person_behind`."""
    desired = desired_of(candidates)
    least = (_NEVER, 0) if desired is None else _approval(desired)
    withdrawn = [
        each
        for each in candidates
        if each.rejected_by_person and each.last_approval and _approval(each) > least
    ]
    if withdrawn:
        return max(withdrawn, key=lambda each: each.overrides[-1].at)
    return None if desired is None or desired.last_override is None else desired


def champion_of(live: int | None, candidates: Sequence[ModelVersion]) -> int | None:
    """The version against which a challenger must hold: the live one, unless a person objects.

    It is the one that should be live when a person has chosen that or has rejected the live one,
    whether that is deployed already or not; so None when a person has left none approved.
    """
    rejected = any(each.version == live and each.rejected_by_person for each in candidates)
    if not rejected and person_behind(candidates) is None:
        return live
    desired = desired_of(candidates)
    return None if desired is None else desired.version


def why_desired(candidates: Sequence[ModelVersion], *, short: bool = False) -> str:
    """The decision that made the desired version so, in a sentence; empty when none is approved.

    Args:
        candidates: See `desired_of`.
        short: In a line, for lists.
    """
    desired, decided_on = desired_of(candidates), version_decided_on(candidates)
    if desired is None:
        return ""
    if decided_on is None or decided_on is desired:
        return desired.in_short if short else desired.reason
    return f"In place of version {decided_on.version}: {decided_on.reason}"


def reference_of(champion: ModelVersion, get: Callable[[int], ModelVersion]) -> ModelVersion | None:
    """The version against which a challenger must hold, beside the champion or as the champion.

    It is the newest one that may be one, back from the champion along what each version was held
    against. So it is two looks away, however many versions were merely as good.

    Returns:
        None when there is none, as among versions whose decisions have no rule.
    """
    version = champion
    while not version.may_be_reference:
        before = version.held_against
        if before is None:
            return None
        version = get(before)
    return version


def version_that_stands(
    evaluation: Mapping[str, Any],
    decision: Mapping[str, Any],
    latest: ModelVersion | None,
    candidates: Sequence[ModelVersion],
) -> ModelVersion | None:
    """The version that a model has already, or None when it becomes a new one.

    A release that is tried again, or that learnt nothing new, adds no version. Nor does a model on
    which a person has spoken: a rejection holds for ever, an approval as long as its version is the
    latest or the desired one.
    """
    rejected = [each for each in candidates if each.rejected_by_person and each.is_of(evaluation)]
    if rejected:
        return rejected[-1]
    for known in (latest, desired_of(candidates)):
        if known is None or not known.is_of(evaluation):
            continue
        if known.overrides or known.decision.get("approved") == decision.get("approved"):
            return known
    return None


def _approval(version: ModelVersion) -> tuple[datetime, int]:
    return version.last_approval or _NEVER, version.version
