"""The part of ``abalone doctor`` that looks at buckets and the queue."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from abalone_assets.aws.clients import client, region
from abalone_assets.aws.failures import NO_BUCKET, AwsError, error_code, explain, translate_errors
from abalone_assets.doctor.finding import TroubleError, look_at
from abalone_assets.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from abalone_assets.doctor.finding import Finding

LOCATED: Final = ("lake_uri", "landing_zone_uri", "registry_uri", "jobs_uri", "capture_uri")
WRITTEN: Final = {
    "lake_uri": "access to the lake",
    "registry_uri": "access to the registry",
    "jobs_uri": "access to the jobs' prefix",
}
OPEN_TO: Final = "BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets"


def data_findings(values: Mapping[str, str]) -> Iterator[Finding]:
    """Look at each bucket, write and delete a probe where runs write, list, look at the queue.

    All that is as far as the settings in ``values``, by field, could be looked up.
    """
    buckets = {urlsplit(values[name]).netloc for name in LOCATED if name in values}
    for bucket in sorted(buckets):
        yield look_at(f"bucket {bucket}", partial(_bucket, bucket), remedy="run `make deploy`")
    for name, subject in WRITTEN.items():
        if name in values:
            yield look_at(
                subject,
                partial(_probe, values[name]),
                remedy="allow s3:PutObject, s3:GetObject, s3:ListBucket and s3:DeleteObject to "
                "this identity",
            )
    if "landing_zone_uri" in values:
        yield look_at(
            "access to the landing zone",
            partial(_landing_zone, values["landing_zone_uri"]),
            remedy="allow s3:ListBucket and s3:GetObject to this identity",
        )
    if "survey_queue_url" in values:
        yield look_at(
            "survey queue",
            partial(_queue, values["survey_queue_url"], values.get("landing_zone_uri", "")),
            remedy="run `make deploy`; without it late files are found more slowly",
            otherwise="warning",
        )


def _bucket(bucket: str) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        place = client("s3").head_bucket(Bucket=bucket).get("BucketRegion", region())
    except (BotoCoreError, ClientError) as error:
        reason = NO_BUCKET if error_code(error) in {"404", "NoSuchBucket"} else explain(error)
        raise StorageError(f"s3://{bucket}: {reason}") from error
    if place != region():
        remedy = "deploy the stack in one region, and set AWS_REGION to it"
        raise TroubleError("failed", f"in {place}, but {region()} is called", remedy)
    lacks = list(_lacks(bucket))
    if lacks:
        remedy = "the stack's buckets are versioned, encrypted and private; do so to this one"
        raise TroubleError("warning", f"in {place}; {'; '.join(lacks)}", remedy)
    return f"in {place}, versioned, encrypted, public access blocked"


def _lacks(bucket: str) -> Iterator[str]:
    """What is not as it should be, or why that cannot be told."""
    from botocore.exceptions import BotoCoreError, ClientError

    s3 = client("s3")
    for lack, ask, is_met in (
        ("not versioned", s3.get_bucket_versioning, _is_versioned),
        ("not encrypted", s3.get_bucket_encryption, _is_encrypted),
        ("public access is not blocked", s3.get_public_access_block, _is_private),
    ):
        try:
            met = is_met(ask(Bucket=bucket))
        except (BotoCoreError, ClientError) as error:
            unset = error_code(error).startswith(("NoSuch", "ServerSideEncryptionConfigurationNot"))
            yield lack if unset else explain(error)
        else:
            if not met:
                yield lack


def _is_versioned(answer: Mapping[str, Any]) -> bool:
    return answer.get("Status") == "Enabled"


def _is_encrypted(answer: Mapping[str, Any]) -> bool:
    return bool(answer.get("ServerSideEncryptionConfiguration", {}).get("Rules"))


def _is_private(answer: Mapping[str, Any]) -> bool:
    block = answer.get("PublicAccessBlockConfiguration", {})
    return all(block.get(each) for each in OPEN_TO.split(", "))


def _probe(uri: str) -> str:
    parts = urlsplit(uri)
    # Of the lake's objects, engines skip those whose name begins with an underscore.
    key = f"{parts.path.strip('/')}/_doctor/{uuid4().hex}".lstrip("/")
    s3, place = client("s3"), {"Bucket": parts.netloc, "Key": key}
    with translate_errors(StorageError, f"s3://{parts.netloc}/{key}"):
        s3.put_object(**place, Body=b"")
        try:
            s3.list_objects_v2(Bucket=parts.netloc, Prefix=key, MaxKeys=1)
            s3.get_object(**place)["Body"].close()
        finally:
            s3.delete_object(**place)
    return f"wrote, listed, read and deleted an object in {uri}"


def _landing_zone(uri: str) -> str:
    parts, s3 = urlsplit(uri), client("s3")
    prefix = f"{parts.path.strip('/')}/".lstrip("/")
    with translate_errors(StorageError, uri):
        found = s3.list_objects_v2(Bucket=parts.netloc, Prefix=prefix, MaxKeys=1)
        for entry in found.get("Contents", ()):
            s3.head_object(Bucket=parts.netloc, Key=entry["Key"])
    return f"listed {uri}" + ("" if found.get("Contents") else " (empty)")


def _queue(url: str, landing_zone_uri: str) -> str:
    asked = ["QueueArn", "ApproximateNumberOfMessages"]
    with translate_errors(AwsError, f"the queue {url}"):
        answer = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=asked)
    attributes = answer["Attributes"]
    bucket = urlsplit(landing_zone_uri).netloc
    if bucket and attributes["QueueArn"] not in _notified_queues(bucket):
        remedy = "run `make deploy`; until then late files are found more slowly"
        raise TroubleError("warning", f"s3://{bucket} does not notify {url}", remedy)
    return f"{url} ({attributes['ApproximateNumberOfMessages']} messages wait)"


def _notified_queues(bucket: str) -> set[str]:
    with translate_errors(StorageError, f"s3://{bucket}"):
        told = client("s3").get_bucket_notification_configuration(Bucket=bucket)
    return {each["QueueArn"] for each in told.get("QueueConfigurations", ())}
