"""The one place that makes boto3 clients."""

from __future__ import annotations

import os
from functools import lru_cache
from threading import RLock
from typing import TYPE_CHECKING, Any, Final, TypeVar

from abalone_assets import __version__
from abalone_assets.aws.failures import NO_REGION, translate_errors
from abalone_assets.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from botocore.config import _RetryDict

_Item = TypeVar("_Item")

CONNECT_SECONDS: Final = 5
READ_SECONDS: Final = 65
"""SageMaker's endpoints answer within 60 s or not at all."""

MAX_ATTEMPTS: Final = 10
_making = RLock()  # botocore's sessions are not safe to make clients from two threads


def client(
    service: str,
    *,
    retries: bool = True,
    throttled: bool = False,
    read_seconds: int = READ_SECONDS,
) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    """The process's boto3 client of a service, made by its first use.

    It tries again with growing waits where AWS throttles. The standard ``AWS_…`` variables
    win over what is set here; when one of them changes, so does the client.

    Args:
        service: boto3's name of it, such as ``s3``.
        retries: Without, a call is made once: where a repetition would do its work twice.
        throttled: Try ten times even where ``AWS_MAX_ATTEMPTS`` says less, of a service that
            throttles readily.
        read_seconds: Longest wait for an answer.

    Raises:
        SettingsError: boto3 is not installed, or no region or an unknown profile is set.
    """
    tries: int | None = MAX_ATTEMPTS if retries else 1
    if retries and not throttled and "AWS_MAX_ATTEMPTS" in os.environ:
        tries = None
    with _making:
        return _client(service, tries, read_seconds, environment_key())


def session() -> Any:  # noqa: ANN401 - boto3 is imported at run time
    """The boto3 session that the clients come from.

    Raises:
        SettingsError: As `client`.
    """
    with _making:
        return _session(environment_key())


def region() -> str:
    """The region that the clients call.

    Raises:
        SettingsError: None is set.
    """
    found: str | None = session().region_name
    if not found:
        raise SettingsError(NO_REGION)
    return found


@lru_cache(maxsize=64)
def _client(
    service: str,
    tries: int | None,
    read_seconds: int,
    environment: tuple[tuple[str, str], ...],
) -> Any:  # noqa: ANN401 - as client
    from botocore.config import Config

    made = _session(environment)
    attempts: _RetryDict = {} if tries is None else {"total_max_attempts": tries}
    config = Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=read_seconds,
        retries=attempts,
        user_agent_extra=f"abalone-assets/{__version__}",
    )
    try:
        with translate_errors(SettingsError, f"AWS client of {service}"):
            return made.client(service, config=config)
    except ValueError as error:
        raise SettingsError(
            f"AWS client of {service}: {error}; correct AWS_ENDPOINT_URL"
        ) from error


@lru_cache(maxsize=8)
def _session(_environment: tuple[tuple[str, str], ...]) -> Any:  # noqa: ANN401 - as session
    try:
        import boto3
    except ImportError as error:
        raise SettingsError(
            "the profile aws needs boto3: pip install 'abalone-assets[aws]'"
        ) from error
    with translate_errors(SettingsError, "AWS configuration"):
        # As every other AWS SDK and obstore do; botocore reads AWS_DEFAULT_REGION only.
        return boto3.session.Session(region_name=os.environ.get("AWS_REGION"))


def environment_key() -> tuple[tuple[str, str], ...]:
    """All that boto3 reads from the environment; what is kept for a process is kept by this key."""
    return tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_")))


def in_batches(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """The items, as many at a time as a call takes; the last batch may be smaller."""
    return (items[start : start + size] for start in range(0, len(items), size))
