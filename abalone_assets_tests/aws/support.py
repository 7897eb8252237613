"""What the tests of the profile aws share: the stack's parameters, and everything they name."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from abalone_assets.aws.clients import client
from abalone_assets_tests.fakes.places import OWN_KEY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets_tests.fakes.standin import AwsStandIn

PREFIX = "/abalone"


def put_parameters(values: Mapping[str, str], prefix: str = PREFIX) -> None:
    """Write SSM parameters as the stack does."""
    ssm = client("ssm")
    for name, value in values.items():
        ssm.put_parameter(Name=f"{prefix}/{name}", Value=value, Type="String", Overwrite=True)


def calls_of(aws: AwsStandIn, operation: str) -> list[dict[str, Any]]:
    """The parameters of each call of an operation."""
    return [call.params for call in aws.calls if call.operation == operation]


def make_queue(aws: AwsStandIn, bucket: str, prefix: str, name: str = "surveys") -> str:
    """A queue that S3 tells of what is written and removed below a prefix; returns its URL."""
    sqs = aws.client("sqs", access_key=OWN_KEY)
    url: str = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]
    policy = {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "s3.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": arn["QueueArn"],
            }
        ],
    }
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": json.dumps(policy)})
    rule = {"FilterRules": [{"Name": "prefix", "Value": prefix}]}
    aws.s3.put_bucket_notification_configuration(
        Bucket=bucket,
        NotificationConfiguration={
            "QueueConfigurations": [
                {
                    "QueueArn": arn["QueueArn"],
                    "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"],
                    "Filter": {"Key": rule},
                }
            ]
        },
    )
    return url
