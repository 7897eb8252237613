"""What SageMaker's training and processing jobs have in common."""

from __future__ import annotations

import re
from abc import abstractmethod
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar, Final

from abalone_assets.pipes._console import console_url, log_url
from abalone_assets.pipes._errors import ClientError, PipesJobParametersError, error_code
from abalone_assets.pipes._logs import LogSource
from abalone_assets.pipes._remote import JobExistsError, RemoteJob

if TYPE_CHECKING:
    from collections.abc import Mapping

_TAG_KEY_LENGTH: Final = 128
_TAG_VALUE_LENGTH: Final = 256
_NOT_IN_TAGS: Final = re.compile(r"[^\w\s.:/=+\-@]")

MAX_RUNTIME: Final = "MaxRuntimeInSeconds"


class SageMakerJob(RemoteJob):
    """A training or a processing job.

    Args:
        client: boto3's ``sagemaker``.
        request: Parameters of the create call, without the job's name.
        max_runtime_seconds: Bounds the job when the parameters do not.

    Raises:
        PipesJobParametersError: The parameters name the job.
    """

    api_name: ClassVar[str]
    """``Training`` or ``Processing``: how the API's members of this kind begin."""

    environment_limit: ClassVar[int]
    """Characters that the API allows in an environment variable's value."""

    console_page: ClassVar[str]
    """The page of such jobs in the console."""

    succeeded = "Completed"
    failed = frozenset({"Failed", "Stopped", "Deleting"})
    active = frozenset({"InProgress"})
    stopping = "Stopping"

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - boto3 makes its clients at run time
        request: Mapping[str, Any],
        *,
        max_runtime_seconds: int,
    ) -> None:
        super().__init__(client, request)
        self._max_runtime_seconds = max_runtime_seconds
        if self._name_key in request:
            raise PipesJobParametersError(
                f"{self._name_key} must not be given: the name is made so that a retry finds the "
                "job again; job_name_prefix sets how it begins"
            )

    def find(self, name: str) -> Mapping[str, Any] | None:
        """The description of the job of that name; None when there is none."""
        try:
            return self._describe(name)
        except ClientError as error:
            if _is_not_found(error):
                return None
            raise

    def create(self, bootstrap: Mapping[str, str], tags: Mapping[str, str]) -> None:
        """Create the job.

        Raises:
            JobExistsError: A job of that name exists.
            PipesJobParametersError: The bootstrap exceeds the API's limit.
        """
        self._check_lengths(bootstrap)
        request = self._bounded(deepcopy(dict(self.request)))
        request[self._name_key] = self.name
        request["Environment"] = {**(request.get("Environment") or {}), **bootstrap}
        request["Tags"] = [*(request.get("Tags") or []), *aws_tags(tags)]
        try:
            self._call("create", **request)
        except ClientError as error:
            if error_code(error) == "ResourceInUse":
                raise JobExistsError(self.name) from error
            raise

    def refresh(self) -> None:
        """Describe the job."""
        self.description = self._describe(self.name)

    def stop(self) -> None:
        """Stop the job."""
        self._call("stop", **{self._name_key: self.name})

    @property
    def status(self) -> str:
        """``InProgress``, ``Completed``, ``Failed``, ``Stopping``, ``Stopped`` or a new one."""
        return str(self.description.get(f"{self.api_name}JobStatus", ""))

    @property
    def reason(self) -> str:
        """``FailureReason`` and, of a processing job, ``ExitMessage``."""
        told = [self.description.get("FailureReason"), self.description.get("ExitMessage")]
        return "\n".join(filter(None, told)) or self._unsaid_reason()

    @property
    def log_sources(self) -> list[LogSource]:
        """One stream for each of the job's instances."""
        return [LogSource(self._log_group, f"{self.name}/", r"algo-\d+")]

    @property
    def arn(self) -> str:
        """The job's ARN."""
        return str(self.description.get(f"{self.api_name}JobArn", ""))

    @property
    def run_id(self) -> str:
        """The job's name."""
        return self.name

    @property
    def url(self) -> str:
        """The job's page."""
        return console_url(self.region, "sagemaker/home", f"/{self.console_page}/{self.name}")

    @property
    def log_url(self) -> str:
        """The job's log streams."""
        return log_url(self.region, self._log_group, f"{self.name}/")

    @abstractmethod
    def _bounded(self, request: dict[str, Any]) -> dict[str, Any]:
        """The request with a bound on the job's duration, and with what else it lacks."""

    def _unsaid_reason(self) -> str:
        return "SageMaker gives no reason; somebody may have stopped it"

    @property
    def _name_key(self) -> str:
        return f"{self.api_name}JobName"

    @property
    def _log_group(self) -> str:
        return f"/aws/sagemaker/{self.api_name}Jobs"

    def _describe(self, name: str) -> Mapping[str, Any]:
        return self._call("describe", **{self._name_key: name})

    def _call(self, verb: str, **request: Any) -> Mapping[str, Any]:  # noqa: ANN401 - as boto3
        answer: Mapping[str, Any] = getattr(self.client, f"{verb}_{self.api_name.lower()}_job")(
            **request
        )
        return answer

    def _check_lengths(self, bootstrap: Mapping[str, str]) -> None:
        for name, value in bootstrap.items():
            if len(value) > self.environment_limit:
                raise PipesJobParametersError(
                    f"{name} would take {len(value)} characters, and the environment of a "
                    f"{self.kind} allows {self.environment_limit}: shorten the client's key_prefix"
                )


def aws_tags(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Dagster's tags as AWS takes them: without ``|`` and the like, and not too long."""
    return [
        {
            "Key": _NOT_IN_TAGS.sub("-", key)[:_TAG_KEY_LENGTH],
            "Value": _NOT_IN_TAGS.sub("-", value)[:_TAG_VALUE_LENGTH],
        }
        for key, value in tags.items()
    ]


def _is_not_found(error: ClientError) -> bool:
    """SageMaker documents ``ResourceNotFound`` but answers ``ValidationException`` too."""
    message = error.response["Error"].get("Message", "").lower()
    return error_code(error) == "ResourceNotFound" or (
        error_code(error) == "ValidationException"
        and ("not found" in message or "could not find" in message)
    )
