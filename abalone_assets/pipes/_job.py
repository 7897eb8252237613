"""A job that runs elsewhere: what every service's jobs have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Final, NamedTuple

import dagster as dg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abalone_assets.pipes._logs import LogSource

CHANNEL_TAG: Final = "dagster/pipes-channel"
"""Tag of a job: bucket and key prefix of the client that started it."""

RUN_ID_TAG: Final = "dagster/run-id"
"""Dagster's own, as of `dagster.DagsterRun.dagster_execution_info`."""

_HOUR: Final = 3600
_HOSTS: Final = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}


class JobExistsError(Exception):
    """Somebody else has just created the job of this name."""


@dataclass(frozen=True)
class Usage:
    """What a job has used.

    Attributes:
        instance_type: Type of its instances or workers; empty when unknown.
        instance_count: How many of them.
        seconds: How long it ran.
        billable_seconds: For how long of that an instance is paid.
        capacity: Priced units held for that time: ``{"ml.m5.large": 2}``.
    """

    instance_type: str = ""
    instance_count: int = 0
    seconds: int = 0
    billable_seconds: int = 0
    capacity: Mapping[str, float] = field(default_factory=dict)

    def cost(self, prices: Mapping[str, float]) -> float | None:
        """What that costs in USD, by prices in USD per unit and hour; None when one is unknown."""
        if not self.capacity or not self.capacity.keys() <= prices.keys():
            return None
        an_hour = sum(units * prices[name] for name, units in self.capacity.items())
        return an_hour * self.billable_seconds / _HOUR


class JobOutput(NamedTuple):
    """An object that a job has written.

    Attributes:
        uri: Its ``s3://`` URI.
        size: Its bytes.
    """

    uri: str
    size: int


@dataclass(frozen=True)
class JobSummary:
    """A job as it ended.

    Attributes:
        name: Its name, the same for all who ask for the same attempt.
        arn: Its ARN; empty for a Glue run, which has none.
        run_id: A Glue run's id; of other jobs the name.
        url: Its page in the AWS console.
        log_url: Its logs in the AWS console.
        usage: What it used.
        estimated_cost_usd: What that costs; None when no price is known.
        attempt: Its number among the jobs of the same identity, counted from 1.
        attached: Whether it had been started before, by a worker that has gone since.
        description: What the service says of it.
        outputs: The objects that it wrote, of a job that cannot tell by itself.
    """

    name: str
    arn: str
    run_id: str
    url: str
    log_url: str
    usage: Usage
    estimated_cost_usd: float | None
    attempt: int
    attached: bool
    description: Mapping[str, Any]
    outputs: tuple[JobOutput, ...] = ()

    @property
    def billable_seconds(self) -> int:
        """For how long an instance is paid."""
        return self.usage.billable_seconds

    def metadata(self) -> dict[str, Any]:
        """The same as Dagster metadata."""
        usage = self.usage
        metadata: dict[str, Any] = {
            "aws/job_name": self.name,
            "aws/job_run_id": self.run_id,
            "aws/job_url": dg.MetadataValue.url(self.url),
            "aws/log_url": dg.MetadataValue.url(self.log_url),
            "aws/instance_type": usage.instance_type,
            "aws/instance_count": usage.instance_count,
            "aws/job_seconds": usage.seconds,
            "aws/billable_seconds": usage.billable_seconds,
            "aws/attempt": self.attempt,
            "aws/attached": self.attached,
        }
        if self.arn:
            metadata["aws/job_arn"] = self.arn
        if self.estimated_cost_usd is not None:
            metadata["aws/estimated_cost_usd"] = round(self.estimated_cost_usd, 6)
        if self.outputs:
            metadata["aws/output_files"] = len(self.outputs)
            metadata["aws/output_bytes"] = sum(output.size for output in self.outputs)
        if usage.seconds > usage.billable_seconds:
            saved = 100 * (1 - usage.billable_seconds / usage.seconds)
            metadata["aws/spot_savings_percent"] = round(saved, 1)
        return metadata


class RemoteJob(ABC):
    """One job of a service, in one session.

    Args:
        client: The boto3 client of the service.
        request: What the caller gives to the service; it is not changed.
        max_runtime_seconds: Bounds the job where the request does not.

    Raises:
        PipesJobParametersError: The request cannot make a job.

    Attributes:
        name: Its name; empty until `take`.
        attempt: Counted from 1.
        attached: Whether somebody else started it.
        description: The service's latest words about it; empty before it exists.
        outputs: The objects that it wrote, once somebody has looked.
    """

    kind: ClassVar[str]
    """What to call such a job in a message."""

    status_key: ClassVar[str]
    """Where its status is in the service's description."""

    succeeded: ClassVar[str]
    """The one status that means success."""

    failed: ClassVar[frozenset[str]]
    """The statuses from which a job does not come back."""

    active: ClassVar[frozenset[str]]
    """The statuses of a job that may still succeed."""

    stopping: ClassVar[str]
    """The status of a job that will not succeed but is not over."""

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - boto3 makes its clients at run time
        request: Mapping[str, Any],
        *,
        max_runtime_seconds: int,
    ) -> None:
        self.client = client
        self.request = request
        self.max_runtime_seconds = max_runtime_seconds
        self.name = ""
        self.attempt = 0
        self.attached = False
        self.description: Mapping[str, Any] = {}
        self.outputs: tuple[JobOutput, ...] = ()
        self._check_request()

    @abstractmethod
    def _check_request(self) -> None:
        """Raise `PipesJobParametersError` when the request cannot make a job."""

    def take(self, name: str, attempt: int, description: Mapping[str, Any] | None = None) -> None:
        """Be the job of that name, attached when it is there already."""
        self.name, self.attempt = name, attempt
        self.attached = description is not None
        self.description = description or {}

    @property
    def is_over(self) -> bool:
        """Whether its status is final."""
        return self.status == self.succeeded or self.status in self.failed

    @property
    def is_overdue(self) -> bool:
        """Whether the caller must stop it, of a service that does not bound a job's run time."""
        return False

    @property
    def region(self) -> str:
        """The region that it runs in."""
        return str(self.client.meta.region_name)

    def summary(self, prices: Mapping[str, float]) -> JobSummary:
        """The job as it is now, its cost by prices in USD per unit and hour."""
        usage = self.usage
        return JobSummary(
            name=self.name,
            arn=self.arn,
            run_id=self.run_id,
            url=self.url,
            log_url=self.log_url,
            usage=usage,
            estimated_cost_usd=usage.cost(prices),
            attempt=self.attempt,
            attached=self.attached,
            description=self.description,
            outputs=self.outputs,
        )

    @abstractmethod
    def find(self, name: str) -> Mapping[str, Any] | None:
        """The description of the job of that name; None when there is none."""

    @abstractmethod
    def create(self, bootstrap: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Start it.

        Args:
            bootstrap: What tells the script where Pipes is: environment variables.
            tags: What runs it in Dagster.

        Raises:
            JobExistsError: It exists.
            PipesJobParametersError: The bootstrap does not fit.
        """

    @abstractmethod
    def refresh(self) -> None:
        """Ask the service for its description."""

    @abstractmethod
    def stop(self) -> None:
        """Ask the service to stop it."""

    @property
    def status(self) -> str:
        """Its status in the service's words; empty before it exists."""
        return str(self.description.get(self.status_key, ""))

    @property
    def progress(self) -> Sequence[str]:
        """The statuses that the service tells, each with its message; the last is the present."""
        return [self.status]

    @property
    @abstractmethod
    def reason(self) -> str:
        """Why it did not succeed."""

    @property
    @abstractmethod
    def usage(self) -> Usage:
        """What it has used."""

    @property
    @abstractmethod
    def log_sources(self) -> Sequence[LogSource]:
        """Where it logs."""

    @property
    def failure_log_sources(self) -> Sequence[LogSource]:
        """Where it logs what is worth reading after a failure only."""
        return []

    @property
    def arn(self) -> str:
        """Its ARN; empty when it has none."""
        return ""

    @property
    def run_id(self) -> str:
        """What the service knows it by."""
        return self.name

    @property
    @abstractmethod
    def url(self) -> str:
        """Its page in the AWS console."""

    @property
    def log_url(self) -> str:
        """Its logs in the AWS console."""
        source = self.log_sources[0]
        # The console decodes what follows # twice, with $ for the first %.
        group, streams = (
            text.replace("/", "$252F") for text in (source.group, source.stream_prefix)
        )
        fragment = f"logsV2:log-groups/log-group/{group}$3FlogStreamNameFilter$3D{streams}"
        return console_url(self.region, "cloudwatch/home", fragment)


def console_url(region: str, page: str, fragment: str) -> str:
    """The address of a page of the console.

    Args:
        region: Such as ``eu-west-1``.
        page: Path of the service's page, such as ``sagemaker/home``.
        fragment: What follows ``#``.
    """
    return f"https://{console_host(region)}/{page}?region={region}#{fragment}"


def console_host(region: str) -> str:
    """The host of the console of a region's partition."""
    return next(
        (host for start, host in _HOSTS.items() if region.startswith(start)),
        f"{region}.console.aws.amazon.com",
    )
