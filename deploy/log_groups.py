"""Log groups that Glue and SageMaker make by themselves: kept for a month, taken down at the end.

They are in no stack: the services name them, and make them with the first line. All but those of
the endpoint are shared by everything in the account, so a stack could neither make nor delete them;
there `make destroy` deletes what this deployment has written, and a group only when it is empty
then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.failures import error_code, tolerating, translate_errors
from abalone_assets.serving.sagemaker.removal import candidate_name
from deploy.config import DeployError
from deploy.sagemaker_jobs import KINDS, NAME_PREFIXES, jobs_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from deploy.cloudformation import Say
    from deploy.config import DeployConfig

RETENTION_DAYS: Final = 30

GLUE_JOBS: Final = ("/aws-glue/jobs/output", "/aws-glue/jobs/error", "/aws-glue/jobs/logs-v2")
CRAWLERS: Final = "/aws-glue/crawlers"
SAGEMAKER_JOBS: Final = {kind: f"/aws/sagemaker/{kind}Jobs" for kind in KINDS}
ENDPOINTS: Final = "/aws/sagemaker/Endpoints"
_GONE: Final = "ResourceNotFoundException"


@dataclass(frozen=True)
class LogGroups:
    """The log groups that a deployment's jobs and endpoint write to.

    Attributes:
        config: The deployment.
        make_client: Makes the boto3 client of a service.
        say: Told, in lines, what happens.
    """

    config: DeployConfig
    make_client: Callable[[str], Any]
    say: Say

    @property
    def own(self) -> tuple[str, ...]:
        """Groups that nothing but this deployment writes to."""
        endpoint = self.config.name
        return tuple(f"{ENDPOINTS}/{name}" for name in (endpoint, candidate_name(endpoint)))

    @property
    def names(self) -> tuple[str, ...]:
        """Every group that this deployment writes to."""
        return (*GLUE_JOBS, CRAWLERS, *SAGEMAKER_JOBS.values(), *self.own)

    def retain(self) -> None:
        """Make the groups before the services do, and end what they hold after a month.

        A group that has another retention keeps it: somebody has chosen it.

        Raises:
            DeployError: AWS refuses.
        """
        logs = self.make_client("logs")
        for name in self.names:
            with translate_errors(DeployError, f"log group {name}"):
                with tolerating("ResourceAlreadyExistsException"):
                    logs.create_log_group(logGroupName=name)
                if self._retention(logs, name) is None:
                    logs.put_retention_policy(logGroupName=name, retentionInDays=RETENTION_DAYS)
                    self.say(f"log group {name}: kept for {RETENTION_DAYS} days")

    def delete(self) -> None:
        """Delete what this deployment has written; before its Glue job, whose runs name streams.

        Raises:
            DeployError: AWS refuses.
        """
        logs = self.make_client("logs")
        with translate_errors(DeployError, "log groups"):
            for name in self.own:
                self._delete_group(logs, name)
            runs = list(self._glue_runs())
            for name in GLUE_JOBS:
                self._delete_streams(logs, name, runs)
            self._delete_streams(logs, CRAWLERS, [f"{self.config.name}-landing-zone"])
            sagemaker = self.make_client("sagemaker")
            for kind, name in SAGEMAKER_JOBS.items():
                if self._exists(logs, name):
                    # Of all that ever ran in the account, so not one by one.
                    jobs = jobs_of(self.config.name, sagemaker, kind, NAME_PREFIXES)
                    self._delete_streams(logs, name, (f"{job.name}/" for job in jobs))

    def left(self) -> list[str]:
        """Groups that are still there: others write to them, too.

        Raises:
            DeployError: AWS refuses to say.
        """
        logs = self.make_client("logs")
        with translate_errors(DeployError, "log groups"):
            return [f"log group {name}" for name in self.names if self._exists(logs, name)]

    def _delete_streams(self, logs: Any, group: str, prefixes: Iterable[str]) -> None:  # noqa: ANN401 - boto3 client
        """Delete the streams that begin so, and the group if none is left."""
        if not self._exists(logs, group):
            return
        count = 0
        for prefix in prefixes:
            for stream in self._streams(logs, group, prefix):
                with tolerating(_GONE):
                    logs.delete_log_stream(logGroupName=group, logStreamName=stream)
                count += 1
        self.say(f"log group {group}: {count} streams deleted")
        if not logs.describe_log_streams(logGroupName=group, limit=1)["logStreams"]:
            self._delete_group(logs, group)

    def _delete_group(self, logs: Any, name: str) -> None:  # noqa: ANN401 - boto3 client
        with tolerating(_GONE):
            logs.delete_log_group(logGroupName=name)
            self.say(f"log group {name}: deleted")

    def _streams(self, logs: Any, group: str, prefix: str) -> list[str]:  # noqa: ANN401 - boto3 client
        pages = logs.get_paginator("describe_log_streams").paginate(
            logGroupName=group, logStreamNamePrefix=prefix
        )
        return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]

    def _exists(self, logs: Any, name: str) -> bool:  # noqa: ANN401 - boto3 client
        return self._described(logs, name) is not None

    def _retention(self, logs: Any, name: str) -> int | None:  # noqa: ANN401 - boto3 client
        days: int | None = (self._described(logs, name) or {}).get("retentionInDays")
        return days

    def _described(self, logs: Any, name: str) -> dict[str, Any] | None:  # noqa: ANN401 - boto3 client
        pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=name)
        groups = [group for page in pages for group in page["logGroups"]]
        return next((group for group in groups if group["logGroupName"] == name), None)

    def _glue_runs(self) -> Iterator[str]:
        """Ids of the runs of the deployment's Glue job."""
        from botocore.exceptions import ClientError

        pages = self.make_client("glue").get_paginator("get_job_runs")
        try:
            for page in pages.paginate(JobName=f"{self.config.name}-prepare"):
                yield from (run["Id"] for run in page["JobRuns"])
        except ClientError as error:
            if error_code(error) != "EntityNotFoundException":
                raise
