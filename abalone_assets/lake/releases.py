"""Records of releases: the last one that came to its end, and one that has not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal, Self

RELEASE_KEY: Final = "release.json"
BEGUN_KEY: Final = "release_begun.json"

Outcome = Literal["deployed", "rejected", "overruled"]


@dataclass(frozen=True)
class Release:
    """How the last release ended; one that failed on its way leaves no record.

    Attributes:
        digest: The manifest's digest that it was made from.
        outcome: Whether its model went to the endpoint; ``overruled`` when it was approved, but a
            person wants another version live.
        reason: The decision on its model in one sentence: the gate's, or a person's.
        version: The model version; None when none was registered.
        run_id: The Dagster run.
        finished_at: ISO time, UTC.
    """

    digest: str
    outcome: Outcome
    reason: str
    version: int | None
    run_id: str
    finished_at: str

    @classmethod
    def ended_now(
        cls, digest: str, outcome: Outcome, reason: str, version: int | None, run_id: str
    ) -> Self:
        """A release that comes to its end now."""
        return cls(digest, outcome, reason, version, run_id, _now())


@dataclass(frozen=True)
class BegunRelease:
    """A release that has begun to change what others see, and has not come to its end.

    Attributes:
        digest: The manifest's digest that it is made from.
        run_id: The Dagster run.
        begun_at: ISO time, UTC.
    """

    digest: str
    run_id: str
    begun_at: str

    @classmethod
    def now(cls, digest: str, run_id: str) -> Self:
        """One that begins now."""
        return cls(digest, run_id, _now())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
