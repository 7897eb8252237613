"""What the jobs of the aws profile share."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from abalone_assets.resources.jobs import JobReport

if TYPE_CHECKING:
    from abalone_assets.pipes import PipesJobInvocation
    from abalone_assets.storage import ObjectStore


def pipes_channel(jobs: ObjectStore) -> dict[str, Any]:
    """Where a Pipes client keeps contexts and messages: below ``pipes/`` of the jobs' prefix."""
    from abalone_assets.aws.clients import client

    parts = urlsplit(jobs.uri_of("pipes"))
    return {
        "bucket": parts.netloc,
        "key_prefix": parts.path.strip("/"),
        "s3_client": client("s3"),
        "logs_client": client("logs"),
    }


def digest_of(document: object) -> str:
    """A name for a JSON document's content."""
    text = json.dumps(document, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def job_report(invocation: PipesJobInvocation, service: str) -> JobReport:
    """A finished job as every platform tells it."""
    job = invocation.job
    return JobReport(
        seconds=job.seconds,
        platform=f"{service}, {job.capacity}",
        url=job.url,
        billable_seconds=job.billable_seconds,
        estimated_cost_usd=job.estimated_cost_usd,
    )
