"""What moto's CloudFormation leaves out of a bucket: all but its encryption and its tags."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket, PublicAccessBlock

if TYPE_CHECKING:
    import pytest

Properties = dict[str, Any]


def complete_buckets(patch: pytest.MonkeyPatch) -> None:
    """Teach moto's buckets the properties that our stacks give them."""
    create = FakeBucket.create_from_cloudformation_json.__func__  # type: ignore[attr-defined]  # of a class method

    def create_whole(cls: type, name: str, resource: Any, *place: Any, **more: Any) -> Any:
        bucket = create(cls, name, resource, *place, **more)
        _complete(bucket, resource["Properties"])
        return bucket

    def get_permission(_bucket: Any, _action: str, _resource: str) -> PermissionResult:
        """moto overlooks conditions: "no plain HTTP" would be "nothing at all"."""
        return PermissionResult.NEUTRAL

    patch.setattr(FakeBucket, "create_from_cloudformation_json", classmethod(create_whole))
    patch.setattr(FakeBucket, "get_permission", get_permission)


def _complete(bucket: Any, given: Properties) -> None:
    bucket.versioning_status = given["VersioningConfiguration"]["Status"]
    bucket.public_access_block = _public_access_block(given)
    bucket.set_lifecycle([_rule(each) for each in given["LifecycleConfiguration"]["Rules"]])
    if logging := given.get("LoggingConfiguration"):
        bucket.logging = {
            "TargetBucket": logging["DestinationBucketName"],
            "TargetPrefix": logging["LogFilePrefix"],
        }
    queues = given.get("NotificationConfiguration", {}).get("QueueConfigurations", [])
    if queues:
        bucket.set_notification_configuration({"QueueConfiguration": [_queue(q) for q in queues]})


def _public_access_block(given: Properties) -> PublicAccessBlock:
    block = given["PublicAccessBlockConfiguration"]
    return PublicAccessBlock(
        block["BlockPublicAcls"],
        block["IgnorePublicAcls"],
        block["BlockPublicPolicy"],
        block["RestrictPublicBuckets"],
    )


def _rule(given: Properties) -> Properties:
    expiration = {
        "Days": given.get("ExpirationInDays"),
        "ExpiredObjectDeleteMarker": given.get("ExpiredObjectDeleteMarker"),
    }
    rule: Properties = {
        "ID": given["Id"],
        "Status": given["Status"],
        "Filter": {"Prefix": given.get("Prefix", "")},
        "Expiration": {name: value for name, value in expiration.items() if value is not None},
    }
    if noncurrent := given.get("NoncurrentVersionExpiration"):
        rule["NoncurrentVersionExpiration"] = noncurrent
    if abort := given.get("AbortIncompleteMultipartUpload"):
        rule["AbortIncompleteMultipartUpload"] = abort
    return rule


def _queue(given: Properties) -> Properties:
    rules = given["Filter"]["S3Key"]["Rules"]
    return {
        "Queue": given["Queue"],
        "Event": [given["Event"]],
        "Filter": {"S3Key": {"FilterRule": rules}},
    }
