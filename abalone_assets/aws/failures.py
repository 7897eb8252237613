"""The words for what AWS refuses: the resource, the operation, the cause and what to do."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.errors import AbaloneError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

NO_CREDENTIALS: Final = (
    "no AWS credentials were found; set AWS_PROFILE, run `aws sso login`, or run with a role"
)
EXPIRED_CREDENTIALS: Final = (
    "the AWS credentials have expired or are not valid; sign in again, as with `aws sso login`"
)
NO_REGION: Final = "no AWS region is set; set AWS_REGION, such as us-east-1"
NO_BUCKET: Final = (
    "there is no such bucket; correct the variable or parameter that names it, or run `make deploy`"
)

_KNOWN: Final = {
    "NoCredentialsError": NO_CREDENTIALS,
    "PartialCredentialsError": NO_CREDENTIALS,
    "CredentialRetrievalError": NO_CREDENTIALS,
    "NoRegionError": NO_REGION,
    "NoSuchBucket": NO_BUCKET,
    **dict.fromkeys(
        (
            "ExpiredToken",
            "ExpiredTokenException",
            "InvalidAccessKeyId",
            "InvalidClientTokenId",
            "InvalidToken",
            "LoginRefreshRequired",
            "LoginTokenLoadError",
            "RequestExpired",
            "SignatureDoesNotMatch",
            "SSOTokenLoadError",
            "TokenRetrievalError",
            "UnauthorizedSSOTokenError",
            "UnrecognizedClientException",
        ),
        EXPIRED_CREDENTIALS,
    ),
}
"""What botocore's errors, and the codes in those of a service, mean whatever was called."""

_DENIED_CODES: Final = {
    "AccessDenied",
    "AccessDeniedException",
    "AllAccessDisabled",
    "AuthorizationError",
    "UnauthorizedOperation",
    "AWS.SimpleQueueService.AccessDenied",
    "403",
}
_DENIED: Final = re.compile(
    r"(?:User: (?P<who>\S+) is )?not authorized to perform: (?P<action>[\w:-]+)"
    r"(?: on resource: \"?(?P<resource>[^\s\"]+))?"
)

# SageMaker tells most of its refusals apart by their words alone.
_MISSING: Final = re.compile(r"could not find|cannot find|not found|does not exist", re.IGNORECASE)
_EXISTS: Final = re.compile(r"already existing|already exists", re.IGNORECASE)
_BUSY: Final = re.compile(r"in-progress endpoint|in progress", re.IGNORECASE)

_TRANSIENT_CODES: Final = {
    "InternalFailure",
    "InternalServerError",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}


class AwsError(AbaloneError):
    """An AWS service refused a call, or cannot be reached."""


@contextmanager
def translate_errors(kind: type[AbaloneError], what: str) -> Iterator[None]:
    """Raise what boto3 raises as one clear error.

    Args:
        kind: The class of the error.
        what: The resource that was asked for; the message begins with it.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error) as error:
        raise kind(f"{what}: {explain(error)}") from error


@contextmanager
def tolerating(code: str) -> Iterator[None]:
    """Go on after a ``ClientError`` of this code: another run was faster, and nothing is amiss."""
    from botocore.exceptions import ClientError

    try:
        yield
    except ClientError as error:
        if error_code(error) != code:
            raise


def error_code(error: Exception) -> str:
    """The code of a ``ClientError``, such as ``ThrottlingException``; empty for other errors."""
    response: dict[str, dict[str, Any]] = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code", ""))


def explain(error: Exception) -> str:
    """What a ``ClientError`` or ``BotoCoreError`` means, and what to do where that is known."""
    code = error_code(error)
    if not code:
        return _KNOWN.get(type(error).__name__) or str(error)
    response: dict[str, dict[str, Any]] = getattr(error, "response", {})
    operation = str(getattr(error, "operation_name", "the call"))
    return describe(code, str(response["Error"].get("Message", "")), operation=operation)


def describe(code: str, message: str, *, operation: str) -> str:
    """What a service's answer means, and what to do about it where that is known.

    Args:
        code: The code of the answer, such as ``NoSuchBucket``.
        message: The text of the answer.
        operation: What was asked for, such as ``PutObject``.
    """
    if known := _KNOWN.get(code):
        return known
    if code in _DENIED_CODES:
        return _describe_denial(message, operation)
    return f"{operation} failed: {message} ({code})"


def _describe_denial(message: str, operation: str) -> str:
    found = _DENIED.search(message)
    if found is None:
        return f"access denied to {operation}; allow it in the policy of this identity"
    who, resource = found["who"] or "this identity", found["resource"]
    where = f" on {resource}" if resource else ""
    return f"access denied: {who} may not {found['action']}{where}; allow it in its policy"


def is_missing(error: Exception) -> bool:
    """Whether what was named does not exist."""
    return _refuses(error, _MISSING) or error_code(error) in {"ResourceNotFound", "404"}


def found(call: Callable[..., dict[str, Any]], **parameters: object) -> dict[str, Any] | None:
    """What a call answers; None when what it names does not exist."""
    from botocore.exceptions import ClientError

    try:
        return call(**parameters)
    except ClientError as error:
        if not is_missing(error):
            raise
        return None


def exists_already(error: Exception) -> bool:
    """Whether there is one of that name."""
    return _refuses(error, _EXISTS) or error_code(error) == "ResourceInUse"


def is_busy(error: Exception) -> bool:
    """Whether the endpoint is being changed by another call."""
    return _refuses(error, _BUSY)


def is_transient(error: Exception) -> bool:
    """Whether the same call may be answered in a moment: throttling, an outage, no connection."""
    from botocore.exceptions import ConnectionError as BotoConnectionError
    from botocore.exceptions import HTTPClientError

    if isinstance(error, BotoConnectionError | HTTPClientError):
        return True
    response = getattr(error, "response", None) or {}
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error_code(error) in _TRANSIENT_CODES or status >= 500  # noqa: PLR2004 - HTTP's own


def _refuses(error: Exception, words: re.Pattern[str]) -> bool:
    return error_code(error).startswith("Validation") and words.search(str(error)) is not None
