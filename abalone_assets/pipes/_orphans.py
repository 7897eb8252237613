"""Jobs that outlived their runs."""

from __future__ import annotations

import time
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import dagster as dg
from dagster._core.storage.dagster_run import NOT_FINISHED_STATUSES

from abalone_assets.pipes._errors import AWS_ERRORS, ClientError, PipesJobError, explain
from abalone_assets.pipes._identity import lineage
from abalone_assets.pipes._job import CHANNEL_TAG, RUN_ID_TAG
from abalone_assets.pipes.glue import GlueJobRun, tags_of
from abalone_assets.pipes.sagemaker import tag_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

_KINDS: Final = ("Training", "Processing", "Transform")
_GRACE: Final = timedelta(minutes=15)


class _Job(NamedTuple):
    """A job in progress: its name, or a Glue run's id; how to ask for its tags, and to stop it."""

    name: str
    tags: Callable[[], Mapping[str, str]]
    stop: Callable[[], object]


def stop_orphaned_jobs(
    instance: dg.DagsterInstance,
    *,
    bucket: str,
    key_prefix: str,
    glue_job: str = "",
    job_name_prefixes: Sequence[str] = ("",),
    client: Any = None,  # noqa: ANN401 - boto3 makes its clients at run time
    glue_client: Any = None,  # noqa: ANN401 - as client
    grace: timedelta = _GRACE,
    dry_run: bool = False,
) -> list[str]:
    """Stop the jobs in progress whose run is over or unknown.

    A worker that is killed cannot stop its job; a retry attaches to it. Where no retry comes, this
    ends the job before its longest run time does. Only jobs of clients with the same bucket and
    prefix are looked at: deployments that share an account leave each other's jobs alone.

    Args:
        instance: Knows the runs.
        bucket: As the clients have it.
        key_prefix: As the clients have it.
        glue_job: The Glue job whose runs are looked at, too; empty for none.
        job_name_prefixes: How the names of SageMaker jobs begin that are looked at; by default
            all are, which takes permission to list the tags of all.
        client: boto3's ``sagemaker``; None makes one.
        glue_client: boto3's ``glue``; None makes one where there is a Glue job.
        grace: How long ago a run must have ended: until then a retry may be on its way.
        dry_run: Stop nothing, only say which.

    Returns:
        The names of the jobs; of Glue runs the ids.

    Raises:
        PipesJobError: AWS refuses. The other orphans are stopped all the same.
    """
    try:
        found = _sagemaker_jobs(_made(client, "sagemaker"))
        jobs = [job for job in found if job.name.startswith(tuple(job_name_prefixes))]
        if glue_job:
            jobs += _glue_runs(_made(glue_client, "glue"), glue_job)
    except AWS_ERRORS as error:
        raise PipesJobError(f"orphaned jobs: {explain(error)}") from error
    # Only now: a run that began meanwhile is known to the judge.
    is_wanted = _judge(instance, grace)
    channel = tag_value(f"{bucket}/{key_prefix.strip('/')}")  # tells deployments apart
    orphans: list[str] = []
    refusals: list[str] = []
    for job in jobs:
        try:
            tags = job.tags()
            ours = tag_value(tags.get(CHANNEL_TAG, "")) == channel and RUN_ID_TAG in tags
            if not ours or is_wanted(tags[RUN_ID_TAG]):
                continue
            if not dry_run:
                job.stop()
            orphans.append(job.name)
        except (PipesJobError, *AWS_ERRORS) as error:
            refusals.append(f"{job.name}: {explain(error)}")
    if refusals:
        done = f"; these are stopped: {', '.join(orphans)}" if orphans and not dry_run else ""
        raise PipesJobError(f"orphaned jobs: {'; '.join(refusals)}{done}")
    return orphans


def _judge(instance: dg.DagsterInstance, grace: timedelta) -> Callable[[str], bool]:
    """Tells whether anybody waits, or may soon wait, for the jobs of a run."""
    alive = instance.get_runs(filters=dg.RunsFilter(statuses=NOT_FINISHED_STATUSES))
    waited_for = {run_id for run in alive for run_id in lineage(instance, run)}
    since = time.time() - grace.total_seconds()

    def is_wanted(run_id: str) -> bool:
        if run_id in waited_for:
            return True
        record = instance.get_run_record_by_id(run_id)
        if record is None:
            return False
        return not record.dagster_run.is_finished or (record.end_time or 0) > since

    return is_wanted


def _made(client: Any, service: str) -> Any:  # noqa: ANN401 - boto3
    if client is not None:
        return client
    import boto3

    return boto3.client(service)


def _sagemaker_jobs(client: Any) -> Iterator[_Job]:  # noqa: ANN401 - boto3
    for kind in _KINDS:
        lists = client.get_paginator(f"list_{kind.lower()}_jobs")
        for page in lists.paginate(StatusEquals="InProgress"):
            for job in page[f"{kind}JobSummaries"]:
                name = job[f"{kind}JobName"]
                tags = partial(_tags, client, job[f"{kind}JobArn"])
                yield _Job(name, tags, partial(_stop, client, kind, name))


def _stop(client: Any, kind: str, name: str) -> None:  # noqa: ANN401 - boto3
    """Stop a job, unless it ends already."""
    which = {f"{kind}JobName": name}
    try:
        getattr(client, f"stop_{kind.lower()}_job")(**which)
    except ClientError:
        described = getattr(client, f"describe_{kind.lower()}_job")(**which)
        if described[f"{kind}JobStatus"] == "InProgress":
            raise


def _tags(client: Any, arn: str) -> dict[str, str]:  # noqa: ANN401 - boto3
    pages = client.get_paginator("list_tags").paginate(ResourceArn=arn)
    return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}


def _glue_runs(client: Any, glue_job: str) -> Iterator[_Job]:  # noqa: ANN401 - boto3
    pages = client.get_paginator("get_job_runs").paginate(
        JobName=glue_job, PaginationConfig={"PageSize": 200}
    )
    for found in (run for page in pages for run in page["JobRuns"]):
        if found["JobRunState"] in GlueJobRun.active:
            run = GlueJobRun(client, {"JobName": glue_job}, max_runtime_seconds=0)
            run.take(found["Id"], 1, found)
            yield _Job(run.run_id, partial(tags_of, found), run.stop)
