"""The errors of the Pipes clients, and what those of AWS mean to a caller who waits."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeVar

import dagster as dg
from botocore import exceptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from logging import Logger

_Answer = TypeVar("_Answer")

ClientError = exceptions.ClientError
"""What boto3 raises when a service refuses a call."""

AWS_ERRORS: Final = (exceptions.BotoCoreError, ClientError)
"""Everything that a boto3 call raises when AWS refuses or does not answer."""

_BUSY_CODES: Final = frozenset(
    {
        "ConcurrentRunsExceededException",
        "InternalFailure",
        "InternalServerError",
        "InternalServiceException",
        "LimitExceededException",
        "OperationTimeoutException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_SERVER_ERROR: Final = 500
_LONGEST_WAIT_SECONDS: Final = 60.0


class PipesJobError(dg.Failure):
    """A job did not run, did not succeed or cannot be followed.

    Dagster shows its metadata (the job, its console page, its last log lines) on the failed step.
    """


class PipesJobParametersError(ValueError):
    """The caller's parameters cannot make a job; nothing was started."""


def error_code(error: Exception) -> str:
    """The code of a ``ClientError``, such as ``ThrottlingException``; empty for other errors."""
    return str(error.response["Error"].get("Code", "")) if isinstance(error, ClientError) else ""


def is_transient(error: Exception) -> bool:
    """Whether the same call may well succeed a little later."""
    if isinstance(error, ClientError):
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return error_code(error) in _BUSY_CODES or status >= _SERVER_ERROR
    return isinstance(error, (exceptions.ConnectionError, exceptions.HTTPClientError))


def explain(error: Exception) -> str:
    """The operation that AWS refused and its reason, in one line."""
    if isinstance(error, ClientError):
        message = error.response["Error"].get("Message", "")
        return f"{error.operation_name} failed: {message} ({error_code(error)})"
    return str(error)


class Retry:
    """Makes a call again, after growing waits, while AWS is busy or away.

    Args:
        log: Where each failure is told.
        interval: Seconds of the first wait; each one after it is twice as long.
        max_failures: How many failures of one call in a row are borne.
    """

    def __init__(self, log: Logger, *, interval: float, max_failures: int) -> None:
        self._log = log
        self._interval = interval
        self._max_failures = max_failures

    def at_shutdown(self, what: str, call: Callable[[], _Answer]) -> _Answer:
        """The same in a process that is about to be killed: for some eight seconds."""
        return Retry(self._log, interval=min(self._interval, 0.5), max_failures=4)(what, call)

    def __call__(self, what: str, call: Callable[[], _Answer]) -> _Answer:
        """What the call answers.

        Args:
            what: What it is for, as an error's first words.
            call: Makes the call; must be safe to repeat.

        Raises:
            PipesJobError: AWS refuses it, or was busy or away too often.
        """
        failures = 0
        while True:
            try:
                return call()
            except AWS_ERRORS as error:
                failures += 1
                if not is_transient(error):
                    raise PipesJobError(f"{what}: {explain(error)}") from error
                if failures > self._max_failures:
                    raise PipesJobError(
                        f"{what}: gave up after {failures} failures in a row: {explain(error)}"
                    ) from error
                self._log.warning(f"[pipes] {what}: {explain(error)}; trying again")
                time.sleep(min(self._interval * 2 ** (failures - 1), _LONGEST_WAIT_SECONDS))
