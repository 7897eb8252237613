"""What jobs are given, and what is told of one: where it ran, how long, and what it cost."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import dagster as dg

if TYPE_CHECKING:
    from dagster._core.definitions.metadata import RawMetadataValue

    from abalone_assets.pipes import PipesJobInvocation
    from abalone_assets.storage.object_store import ObjectStore

MAX_LOG_GRACE_SECONDS: Final = 15.0


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
    platform: str = "the run's own process"
    url: str | None = None
    log_url: str | None = None
    attempt: int = 1
    attached: bool = False
    billable_seconds: float = 0.0
    estimated_cost_usd: float | None = 0.0

    def metadata(self) -> dict[str, RawMetadataValue]:
        """As an asset shows it: where and how long, and of a job of its own what AWS knows of it.

        What is the same each time says nothing, and would be the first plots on an asset's page.
        """
        shown: dict[str, RawMetadataValue] = {
            "platform": self.platform,
            "seconds": round(self.seconds, 3),
        }
        if self.url:
            shown |= {
                "job": dg.MetadataValue.url(self.url),
                "billable_seconds": self.billable_seconds,
                "estimated_cost_usd": self.estimated_cost_usd,
            }
        if self.log_url:
            shown["logs"] = dg.MetadataValue.url(self.log_url)
        if self.attempt > 1:
            shown["attempt"] = self.attempt
        if self.attached:
            shown["attached"] = True
        return shown


def pipes_options(jobs: ObjectStore, poll_seconds: float) -> dict[str, Any]:
    """What every Pipes client is given."""
    from abalone_assets.aws.clients import client

    bucket, key_prefix = channel_of(jobs)
    return {
        "bucket": bucket,
        "key_prefix": key_prefix,
        "s3_client": client("s3"),
        "logs_client": client("logs"),
        "poll_interval": poll_seconds,
        "log_grace": min(poll_seconds, MAX_LOG_GRACE_SECONDS),
    }


def channel_of(jobs: ObjectStore) -> tuple[str, str]:
    """Where contexts and messages go: bucket and key prefix, ``pipes/`` below the jobs' own."""
    parts = urlsplit(jobs.uri_of("pipes"))
    return parts.netloc, parts.path.strip("/")


def digest_of(document: object) -> str:
    """A name for a JSON document's content."""
    text = json.dumps(document, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def job_report(invocation: PipesJobInvocation, service: str) -> JobReport:
    """A finished job as every platform tells it."""
    job = invocation.job
    return JobReport(
        seconds=job.usage.seconds,
        platform=f"{service}, {job.usage.instance_count} x {job.usage.instance_type}",
        url=job.url,
        log_url=job.log_url,
        attempt=job.attempt,
        attached=job.attached,
        billable_seconds=job.billable_seconds,
        estimated_cost_usd=job.estimated_cost_usd,
    )
