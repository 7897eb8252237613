"""Where the stand-in is, and who its clients are."""

from __future__ import annotations

from typing import Final

REGION: Final = "us-east-1"
ACCOUNT: Final = "123456789012"
BUCKET: Final = "abalone-tests"
ROLE: Final = f"arn:aws:iam::{ACCOUNT}:role/abalone-jobs"

TEST_KEY: Final = "test"
"""Access key of the code under test."""

OWN_KEY: Final = "stand-in"
"""Access key of the stand-in itself: never recorded, never refused."""


def credentials(url: str, key: str) -> dict[str, str]:
    """The environment by which AWS clients of any kind find the stand-in."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": key,
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an ``s3://`` URI."""
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key
