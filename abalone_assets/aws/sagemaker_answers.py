"""What SageMaker's refusals mean: it tells most of them apart by their words alone."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.failures import error_code

if TYPE_CHECKING:
    from collections.abc import Callable

_MISSING: Final = re.compile(r"could not find|cannot find|not found|does not exist", re.IGNORECASE)
_EXISTS: Final = re.compile(r"already existing|already exists", re.IGNORECASE)
_BUSY: Final = re.compile(r"in-progress endpoint|in progress", re.IGNORECASE)

_PASSING_CODES: Final = {
    "InternalFailure",
    "InternalServerError",
    "RequestLimitExceeded",
    "ServiceUnavailable",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
}


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


def is_passing(error: Exception) -> bool:
    """Whether the same call may be answered in a moment: throttling, an outage, no connection."""
    from botocore.exceptions import ConnectionError as BotoConnectionError
    from botocore.exceptions import HTTPClientError

    if isinstance(error, BotoConnectionError | HTTPClientError):
        return True
    response = getattr(error, "response", None) or {}
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return error_code(error) in _PASSING_CODES or status >= 500  # noqa: PLR2004 - HTTP's own


def _refuses(error: Exception, words: re.Pattern[str]) -> bool:
    return error_code(error).startswith("Validation") and words.search(str(error)) is not None
