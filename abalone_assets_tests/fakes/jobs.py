"""What SageMaker's training and processing jobs share: limits, folders, and the way they end."""

from __future__ import annotations

import math
import os
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Final

from moto.sagemaker.exceptions import ResourceInUseException, ValidationError

from abalone_assets_tests.fakes.places import credentials
from abalone_assets_tests.fakes.processes import LogStream
from abalone_assets_tests.fakes.storage import NoSuchDataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from abalone_assets_tests.fakes.standin import AwsStandIn

OPT_ML: Final = "/opt/ml"
NOWHERE: Final = "http://127.0.0.1:9"
_NAME: Final = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
_TAG_VALUE: Final = re.compile(r"[\w\s.:/=+\-@]{0,256}")
_HIDDEN: Final = ("SM_", "AWS_", "ABALONE_", "DAGSTER_", "PYTHONPATH", "PYTEST_")


def now() -> datetime:
    """The time as moto keeps it: UTC, and said by nobody to be so."""
    return datetime.now(UTC).replace(tzinfo=None)


@dataclass
class Sandbox:
    """The folder that a job finds where its container has ``/opt/ml``.

    The real path belongs to the machine, not to a test: every mention of ``/opt/ml`` in a job's
    environment, arguments and hyperparameters is replaced by the folder's path. A script that
    assumes ``/opt/ml`` without being told so does not find its files.
    """

    opt_ml: Path

    def folder(self, path: str) -> Path:
        """The folder that stands for a path below ``/opt/ml``."""
        folder = self.opt_ml / path.removeprefix(OPT_ML).lstrip("/")
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def moved(self, text: str) -> str:
        return text.replace(OPT_ML, str(self.opt_ml))


class JobRun:
    """One SageMaker job, from its input to its end.

    Attributes:
        kind: As in ``TrainingJobs``.
    """

    kind: ClassVar[str]

    def __init__(self, aws: AwsStandIn, job: Any, name: str, params: dict[str, Any]) -> None:
        self.aws = aws
        self.job = job
        self.name = name
        self.params = params
        self.sandbox = Sandbox(aws.folder / self.kind.lower() / name / "opt_ml")

    @classmethod
    def process_of(cls, name: str) -> str:
        """What a job's process is called: jobs of two kinds may have one name."""
        return f"{cls.kind}/{name}"

    def to_its_end(self) -> None:
        self.aws.processes.pause(self.aws.faults.job_seconds)
        status = "Failed"
        try:
            if (end := self.aws.faults.take_job_end()) is None:
                status = self.run()
            else:
                status = "Stopped" if end[0] == "STOPPED" else "Failed"
                self.job.failure_reason = end[1] or None
        except NoSuchDataError as error:
            self.job.failure_reason = str(error)
        except Exception as error:  # noqa: BLE001 - as SageMaker does, say whatever went wrong
            self.job.failure_reason = f"InternalServerError: {error!r}"
        self.end(status)

    def run(self) -> str:
        """Do the work, and say how it ended."""
        raise NotImplementedError

    def end(self, status: str) -> None:
        """Describe the job as ended."""
        raise NotImplementedError

    def log_stream(self) -> LogStream:
        """Where SageMaker writes the job's output to; its suffix cannot be known before."""
        name = f"{self.name}/algo-1-{time.time_ns() // 10**6}"
        group = f"/aws/sagemaker/{self.kind}Jobs"
        return LogStream(self.aws.server, group, name, self.aws.faults.log_seconds)


def environment_of(
    aws: AwsStandIn, name: str, extra: Mapping[str, str], *, isolated: bool = False
) -> dict[str, str]:
    """What a job's process sees: this machine's variables but nothing of the test, and its own."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(_HIDDEN)}
    own = reach_of(aws, name, isolated=isolated)
    return {**inherited, **own, "PYTHONUNBUFFERED": "1", **extra}


def reach_of(aws: AwsStandIn, name: str, *, isolated: bool) -> dict[str, str]:
    """The variables by which a job finds AWS.

    In network isolation there is nothing that it could reach: neither AWS nor credentials.
    """
    own = credentials(NOWHERE if isolated else aws.url, f"job:{name}")
    if isolated:
        own = {key: value for key, value in own.items() if "KEY" not in key}
        own |= dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "PIP_PROXY"), NOWHERE)
    return own


def check_name(kind: str, name: str, existing: Iterable[str]) -> None:
    """Refuse a job name that SageMaker refuses.

    Raises:
        ValidationError: It is no name.
        ResourceInUseException: There is such a job.
    """
    if not _NAME.fullmatch(name):
        raise ValidationError(
            message=f"1 validation error detected: Value '{name}' at '{kind}JobName' failed to "
            "satisfy constraint: Member must have length less than or equal to 63"
        )
    if name in existing:
        raise ResourceInUseException(
            message=f"Job name must be unique within an AWS account and region, and a {kind} job "
            f"with this name already exists (arn: {name})"
        )


def check_lengths(what: str, values: Mapping[str, str], limit: int) -> None:
    """Refuse values that are too long for SageMaker.

    Raises:
        ValidationError: One is.
    """
    for key, value in values.items():
        if len(value) > limit or len(key) > 512:
            raise ValidationError(
                message=f"1 validation error detected: Value at '{what}.{key}' failed to satisfy "
                f"constraint: Map value must satisfy constraint: [Member must have length less "
                f"than or equal to {limit}]"
            )


def check_tags(tags: Iterable[Mapping[str, str]] | None) -> None:
    """Refuse tags that AWS refuses.

    Raises:
        ValidationError: One is.
    """
    for tag in tags or []:
        if not _TAG_VALUE.fullmatch(tag["Value"]) or not 1 <= len(tag["Key"]) <= 128:
            raise ValidationError(
                message=f"1 validation error detected: Value {tag!r} at 'tags' failed to satisfy "
                r"constraint: Member must satisfy regular expression pattern: ([\p{L}\p{Z}\p{N}"
                r"_.:/=+\-@]*)"
            )


def billed(seconds: float) -> int:
    """Whole seconds, as SageMaker bills them."""
    return max(1, math.ceil(seconds))


def transition(job: Any, status: str, message: str) -> None:
    """Enter a secondary status of a training job."""
    job.secondary_status = status
    job.last_modified_time = now()
    job.secondary_status_transitions[-1]["EndTime"] = now()
    job.secondary_status_transitions.append(
        {"Status": status, "StartTime": now(), "StatusMessage": message}
    )
