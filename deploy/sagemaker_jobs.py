"""The SageMaker jobs of a deployment: their names say nothing of it, but their roles and models."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.doctor.live.account import NAME_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS: Final = ("Training", "Processing", "Transform")

NAME_PREFIXES: Final = ("trained-model-", "evaluation-", "scoring-", NAME_PREFIX)
"""How the names of the jobs of runs begin, of any deployment, and those of a trial's."""

WARM: Final = "Available"
"""Status of a warm pool whose instances wait for the next job."""

LISTED_AT_ONCE: Final = 100
"""Jobs in one answer; SageMaker gives ten unless it is asked for more."""


@dataclass(frozen=True)
class SageMakerJob:
    """A job.

    Attributes:
        sagemaker: The boto3 client.
        kind: One of `KINDS`.
        name: Its name.
    """

    sagemaker: Any
    kind: str
    name: str

    def is_of(self, deployment: str) -> bool:
        """Whether it is of this deployment.

        A transform job has its model's role, and the model the endpoint's name.
        """
        described = self._call("describe")
        role = str(described.get("RoleArn", "")).rpartition("/")[2]
        model = str(described.get("ModelName", ""))
        of_a_version = re.fullmatch(rf"{re.escape(deployment)}-v[0-9]{{6,}}-[0-9a-f]{{8}}", model)
        return role.startswith(f"{deployment}-sagemaker-") or of_a_version is not None

    def stop(self) -> None:
        """Begin to stop it, unless it has ended meanwhile."""
        from botocore.exceptions import ClientError

        try:
            self._call("stop")
        except ClientError:
            if not self.is_over():
                raise

    def is_over(self) -> bool:
        """Whether it has ended."""
        status = self._call("describe")[f"{self.kind}JobStatus"]
        return status in {"Completed", "Failed", "Stopped"}

    def let_instances_go(self) -> None:
        """End a training job's warm pool: instances kept, and paid for, for the next training.

        https://docs.aws.amazon.com/sagemaker/latest/dg/train-warm-pools-how-to-use.html
        """
        from botocore.exceptions import ClientError

        nothing = {"KeepAlivePeriodInSeconds": 0}
        try:
            self.sagemaker.update_training_job(TrainingJobName=self.name, ResourceConfig=nothing)
        except ClientError:
            if not self.keeps_nothing():  # its time may have been over meanwhile
                raise

    def keeps_nothing(self) -> bool:
        """Whether no instance of it waits for the next training."""
        pool = self._call("describe").get("WarmPoolStatus") or {}
        return pool.get("Status") != WARM

    def _call(self, verb: str) -> dict[str, Any]:
        operation = getattr(self.sagemaker, f"{verb}_{self.kind.lower()}_job")
        answer: dict[str, Any] = operation(**{f"{self.kind}JobName": self.name})
        return answer


def jobs_of(
    deployment: str,
    sagemaker: Any,  # noqa: ANN401 - boto3 client
    kind: str,
    prefixes: tuple[str, ...] = ("",),
    **listed: str,
) -> Iterator[SageMakerJob]:
    """The deployment's jobs of a kind, each of which takes a request to know.

    Args:
        deployment: Its name.
        sagemaker: The boto3 client.
        kind: One of `KINDS`.
        prefixes: Beginnings of the names of those that are looked at.
        listed: Parameters of the list that they are taken from.
    """
    pages = sagemaker.get_paginator(f"list_{kind.lower()}_jobs").paginate(
        **listed, PaginationConfig={"PageSize": LISTED_AT_ONCE}
    )
    for page in pages:
        for summary in page[f"{kind}JobSummaries"]:
            job = SageMakerJob(sagemaker, kind, summary[f"{kind}JobName"])
            if job.name.startswith(prefixes) and job.is_of(deployment):
                yield job
