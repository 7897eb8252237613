"""How obstore opens an S3 prefix, and the words for what it raises."""

from __future__ import annotations

import os
import re
from datetime import timedelta
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final, cast

from abalone_assets.aws.failures import NO_CREDENTIALS, describe
from abalone_assets.errors import StorageError

if TYPE_CHECKING:
    from obstore.auth.boto3 import Boto3CredentialProvider
    from obstore.store import S3Store

CREDENTIALS_TTL: Final = timedelta(minutes=5)
"""botocore renews temporary credentials 10 minutes before they expire at the latest."""

_CODE: Final = re.compile(
    r"<Code>(?P<code>\w+)</Code>(?:\s*<Message>(?P<message>[^<]*)</Message>)?"
)
_STATUS: Final = re.compile(r"Error performing (?P<method>\w+) .*status code: (?P<status>\d{3})")
_ANOTHER_REGION: Final = "incorrectly configured region"


def open_s3_store(uri: str) -> S3Store:
    """The obstore of an ``s3://bucket/prefix``, with the credentials that boto3 would use.

    Raises:
        SettingsError: ``AWS_PROFILE`` names no profile.
        StorageError: There are no credentials.
    """
    from obstore.store import S3Store

    endpoint = os.environ.get("AWS_ENDPOINT_URL_S3") or os.environ.get("AWS_ENDPOINT_URL", "")
    config = {"endpoint": endpoint, "region": _region()}
    return S3Store.from_url(
        uri,
        config=cast("Any", {name: value for name, value in config.items() if value}),
        client_options={"allow_http": endpoint.startswith("http://")},
        credential_provider=_credentials(uri),
    )


def _region() -> str:
    """The region that boto3 would call; obstore by itself knows no ``~/.aws/config``.

    Empty where none is set, or where boto3, which a folder's platform can do without, is missing.
    """
    if found := os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION"):
        return found
    if find_spec("boto3") is None:
        return ""
    from abalone_assets.aws.clients import session

    return session().region_name or ""


def _credentials(uri: str) -> Boto3CredentialProvider | None:
    """Where credentials come from; None for variables, which obstore reads itself."""
    if "AWS_ACCESS_KEY_ID" in os.environ and "AWS_PROFILE" not in os.environ:
        return None
    from abalone_assets.aws.clients import session

    opened = session()
    from obstore.auth.boto3 import Boto3CredentialProvider

    try:
        return Boto3CredentialProvider(opened, ttl=CREDENTIALS_TTL)
    except ValueError as error:
        raise StorageError(f"{uri}: {NO_CREDENTIALS}") from error


def explain_obstore(error: Exception) -> str:
    """What obstore was told by S3, in one sentence.

    Args:
        error: What obstore raised, a Rust error's text: the request, S3's answer, a debug print.
    """
    text = str(error)
    if _ANOTHER_REGION in text:
        return "the bucket is in another region; set AWS_REGION to the bucket's"
    if found := _CODE.search(text):
        method = _STATUS.search(text)
        operation = f"{method['method']} " if method else ""
        return describe(found["code"], found["message"] or "", operation=f"S3 {operation}".strip())
    status = _STATUS.search(text)
    if status and status["status"] in {"400", "403"}:  # the answer to a HEAD says no more
        return (
            f"S3 answers {status['method']} with {status['status']}: the credentials have expired "
            "(sign in again), or they may not read this object or list its bucket"
        )
    return text.partition("\n")[0]
