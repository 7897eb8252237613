"""Jobs that outlived their runs."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from abalone_assets.pipes._errors import AWS_ERRORS, PipesJobError, explain
from abalone_assets.pipes._identity import lineage
from abalone_assets.pipes._remote import CHANNEL_TAG
from abalone_assets.pipes._sagemaker import aws_tags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RUN_ID_TAG: Final = "dagster/run-id"
"""Dagster's own, as of `dagster.DagsterRun.dagster_execution_info`."""

_KINDS: Final = ("Training", "Processing")
_GRACE: Final = timedelta(minutes=15)


def stop_orphaned_jobs(
    instance: dg.DagsterInstance,
    *,
    bucket: str,
    key_prefix: str,
    client: Any = None,  # noqa: ANN401 - boto3 makes its clients at run time
    grace: timedelta = _GRACE,
    dry_run: bool = False,
) -> list[str]:
    """Stop the SageMaker jobs in progress whose run is over or unknown.

    A worker that is killed cannot stop its job; a retry attaches to it. Where no retry comes, this
    ends the job before its longest run time does. Only jobs of clients with the same bucket and
    prefix are looked at: deployments that share an account leave each other's jobs alone.

    Args:
        instance: Knows the runs.
        bucket: As the clients have it.
        key_prefix: As the clients have it.
        client: boto3's ``sagemaker``; None makes one.
        grace: How long ago a run must have ended: until then a retry may be on its way.
        dry_run: Stop nothing, only say which.

    Returns:
        The names of the jobs.

    Raises:
        PipesJobError: SageMaker refuses.
    """
    if client is None:
        import boto3

        client = boto3.client("sagemaker")
    channel = channel_tag(bucket, key_prefix)
    is_wanted = _judge(instance, grace)
    try:
        orphans = [
            (kind, job[f"{kind}JobName"])
            for kind in _KINDS
            for job in _jobs_in_progress(client, kind)
            if (tags := _tags(client, job[f"{kind}JobArn"])).get(CHANNEL_TAG) == channel
            and RUN_ID_TAG in tags
            and not is_wanted(tags[RUN_ID_TAG])
        ]
        for kind, name in orphans:
            if not dry_run:
                getattr(client, f"stop_{kind.lower()}_job")(**{f"{kind}JobName": name})
    except AWS_ERRORS as error:
        raise PipesJobError(f"orphaned jobs: {explain(error)}") from error
    return [name for _, name in orphans]


def channel_tag(bucket: str, key_prefix: str) -> str:
    """The value of the tag that tells the jobs of one deployment from those of another."""
    tags = aws_tags({CHANNEL_TAG: f"{bucket}/{key_prefix.strip('/')}"})
    return tags[0]["Value"]


def _judge(instance: dg.DagsterInstance, grace: timedelta) -> Callable[[str], bool]:
    """Tells whether anybody waits, or may soon wait, for the jobs of a run."""
    alive = instance.get_runs(filters=dg.RunsFilter(statuses=NOT_FINISHED_STATUSES))
    waited_for = {run_id for run in alive for run_id in lineage(instance, run)}
    since = time.time() - grace.total_seconds()

    def is_wanted(run_id: str) -> bool:
        if run_id in waited_for:
            return True
        record = instance.get_run_record_by_id(run_id)
        return record is not None and (record.end_time or 0) > since

    return is_wanted


def _jobs_in_progress(client: Any, kind: str) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - boto3
    pages = client.get_paginator(f"list_{kind.lower()}_jobs").paginate(StatusEquals="InProgress")
    for page in pages:
        yield from page[f"{kind}JobSummaries"]


def _tags(client: Any, arn: str) -> dict[str, str]:  # noqa: ANN401 - boto3
    pages = client.get_paginator("list_tags").paginate(ResourceArn=arn)
    return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}
