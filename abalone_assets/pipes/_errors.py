"""The errors of the Pipes clients, and what those of AWS mean to a caller who waits."""

from __future__ import annotations

from typing import Final

import dagster as dg
from botocore import exceptions

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
