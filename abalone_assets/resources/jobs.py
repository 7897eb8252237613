"""What the platform tells of a job: where it ran, how long, and what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from dagster._core.definitions.metadata import RawMetadataValue

HERE = "the run's own process"


@dataclass(frozen=True)
class JobReport:
    """A finished job; every platform says the same of its jobs, so assets show the same metadata.

    Attributes:
        seconds: Wall time.
        platform: Where it ran, such as ``SageMaker training, 1 x ml.m5.large``.
        url: Its page in the AWS console; None when it was no job of its own.
        log_url: Its logs in the AWS console; None when it was no job of its own.
        attempt: Its number among the jobs for the same work, counted from 1.
        attached: Whether a worker that has gone since had started it.
        billable_seconds: What AWS bills.
        estimated_cost_usd: At list prices; None when the price is not known.
    """

    seconds: float
    platform: str = HERE
    url: str | None = None
    log_url: str | None = None
    attempt: int = 1
    attached: bool = False
    billable_seconds: float = 0.0
    estimated_cost_usd: float | None = 0.0

    def metadata(self) -> dict[str, RawMetadataValue]:
        """As an asset shows it."""
        return {
            "platform": self.platform,
            "job": _link(self.url),
            "logs": _link(self.log_url),
            "attempt": self.attempt,
            "attached": self.attached,
            "seconds": round(self.seconds, 3),
            "billable_seconds": self.billable_seconds,
            "estimated_cost_usd": self.estimated_cost_usd,
        }


def _link(url: str | None) -> RawMetadataValue:
    return dg.MetadataValue.url(url) if url else "none of its own"
