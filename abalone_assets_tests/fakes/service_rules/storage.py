"""What S3 refuses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from moto.s3.models import s3_backends

from abalone_assets_tests.fakes.places import ACCOUNT
from abalone_assets_tests.fakes.server import RefusedRequestError

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.service_rules.rule import Asked

_SCOPE: Final = re.compile(r"Credential=[^/]+/\d+/([^/]*)/s3/")
S3A_REGION: Final = "us-east-2"
"""The region that S3A signs for when nobody tells it another, since Hadoop 3.4 and so Glue 5.1."""


def signed_region(asked: Asked) -> None:
    """A request is signed for the region that its bucket is in.

    S3 refuses a wrongly signed look at a bucket, too, but names the region in a header, and
    botocore asks again there by itself:
    https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html
    """
    if asked.call.operation == "HeadBucket":
        return
    scope = _SCOPE.search(asked.response.headers.get("Authorization", ""))
    name = asked.call.resource.removeprefix("arn:aws:s3:::").partition("/")[0]
    bucket = s3_backends[ACCOUNT]["aws"].buckets.get(name)
    if scope is None or bucket is None or scope[1] == bucket.region_name:
        return
    raise RefusedRequestError(
        "AuthorizationHeaderMalformed",
        f"The authorization header is malformed; the region '{scope[1]}' is wrong; expecting "
        f"'{bucket.region_name}'",
    )
