"""What the jobs of the aws profile share."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from abalone_assets.resources.jobs import JobReport

if TYPE_CHECKING:
    from abalone_assets.pipes import PipesJobInvocation
    from abalone_assets.storage.object_store import ObjectStore


MAX_LOG_GRACE_SECONDS: Final = 15.0


def pipes_options(jobs: ObjectStore, poll_seconds: float) -> dict[str, Any]:
    """What every Pipes client is given; contexts and messages go below ``pipes/`` of the prefix."""
    from abalone_assets.aws.clients import client

    parts = urlsplit(jobs.uri_of("pipes"))
    return {
        "bucket": parts.netloc,
        "key_prefix": parts.path.strip("/"),
        "s3_client": client("s3"),
        "logs_client": client("logs"),
        "poll_interval": poll_seconds,
        "log_grace": min(poll_seconds, MAX_LOG_GRACE_SECONDS),
    }


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
