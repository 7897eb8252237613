"""Rules of S3: what is refused, and what is not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from abalone_assets_tests.fakes.places import BUCKET, REGION, TEST_KEY
from abalone_assets_tests.fakes.service_rules.support import refused

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn


def test_signed_region(aws: AwsStandIn) -> None:
    import boto3
    from botocore.config import Config

    def s3(region: str) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=aws.url,
            region_name=region,
            aws_access_key_id=TEST_KEY,
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    with refused("the region 'us-east-2' is wrong", "AuthorizationHeaderMalformed"):
        s3("us-east-2").put_object(Bucket=BUCKET, Key="x", Body=b"")
    s3(REGION).put_object(Bucket=BUCKET, Key="x", Body=b"")
    assert s3("us-east-2").head_bucket(Bucket=BUCKET)["BucketRegion"] == REGION
