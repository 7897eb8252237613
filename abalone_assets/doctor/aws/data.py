"""The part of ``abalone doctor`` that looks at buckets and the queue."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

from abalone_assets.aws.clients import client, region
from abalone_assets.aws.failures import NO_BUCKET, AwsError, error_code, explain, translate_errors
from abalone_assets.doctor.finding import Finding, guarded, ok
from abalone_assets.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LOCATED: Final = ("lake_uri", "landing_zone_uri", "registry_uri", "jobs_uri", "capture_uri")
WRITTEN: Final = {
    "lake_uri": "access to the lake",
    "registry_uri": "access to the registry",
    "jobs_uri": "access to the jobs' prefix",
}
READ: Final = "access to the landing zone"
OPEN_TO: Final = "BlockPublicAcls, IgnorePublicAcls, BlockPublicPolicy, RestrictPublicBuckets"


def data_findings(values: Mapping[str, str]) -> Iterator[Finding]:
    """Look at each bucket, write and delete a probe where runs write, list, look at the queue.

    Args:
        values: The settings that could be looked up, by field.
    """
    buckets = {urlsplit(values[name]).netloc for name in LOCATED if name in values}
    for bucket in sorted(buckets):
        yield guarded(f"bucket {bucket}", partial(_bucket, bucket), remedy="run `make deploy`")
    for name, subject in WRITTEN.items():
        if name in values:
            yield guarded(
                subject,
                partial(_probe, subject, values[name]),
                remedy="allow s3:PutObject, s3:GetObject, s3:ListBucket and s3:DeleteObject to "
                "this identity",
            )
    if "landing_zone_uri" in values:
        yield guarded(
            READ,
            partial(_landing_zone, values["landing_zone_uri"]),
            remedy="allow s3:ListBucket and s3:GetObject to this identity",
        )
    if "survey_queue_url" in values:
        yield guarded(
            "survey queue",
            partial(_queue, values["survey_queue_url"], values.get("landing_zone_uri", "")),
            remedy="run `make deploy`; without it late files are found more slowly",
            otherwise="warning",
        )


def _bucket(bucket: str) -> Finding:
    from botocore.exceptions import ClientError

    subject = f"bucket {bucket}"
    try:
        place = client("s3").head_bucket(Bucket=bucket).get("BucketRegion") or _location(bucket)
    except ClientError as error:
        reason = NO_BUCKET if error_code(error) in {"404", "NoSuchBucket"} else explain(error)
        raise StorageError(f"s3://{bucket}: {reason}") from error
    if place != region():
        remedy = "deploy the stack in one region, and set AWS_DEFAULT_REGION to it"
        return Finding(subject, "failed", f"in {place}, but {region()} is called", remedy)
    wrong = [trouble for trouble in _troubles(bucket) if trouble]
    if wrong:
        remedy = "the stack's buckets are versioned, encrypted and private; do so to this one"
        return Finding(subject, "warning", f"in {place}; {'; '.join(wrong)}", remedy)
    return ok(subject, f"in {place}, versioned, encrypted, public access blocked")


def _location(bucket: str) -> str:
    with translate_errors(StorageError, f"s3://{bucket}"):
        answer = client("s3").get_bucket_location(Bucket=bucket)
    return str(answer.get("LocationConstraint") or "us-east-1")


def _troubles(bucket: str) -> Iterator[str]:
    """What is not as it should be, an empty text for each thing that is."""
    s3 = client("s3")
    versioning = _answer(s3.get_bucket_versioning, bucket)
    yield _trouble(versioning, ok=versioning.get("Status") == "Enabled", lack="not versioned")
    encryption = _answer(s3.get_bucket_encryption, bucket)
    rules = encryption.get("ServerSideEncryptionConfiguration", {}).get("Rules")
    yield _trouble(encryption, ok=bool(rules), lack="not encrypted")
    access = _answer(s3.get_public_access_block, bucket)
    block = access.get("PublicAccessBlockConfiguration", {})
    blocked = all(block.get(each) for each in OPEN_TO.split(", "))
    yield _trouble(access, ok=blocked, lack="public access is not blocked")


def _trouble(answer: Mapping[str, Any], *, ok: bool, lack: str) -> str:
    if "error" in answer:
        return str(answer["error"])
    return "" if ok else lack


def _answer(call: Any, bucket: str) -> dict[str, Any]:  # noqa: ANN401 - a method of a boto3 client
    """The answer; empty when the bucket has no such configuration, or with why it is unknown."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return dict(call(Bucket=bucket))
    except (BotoCoreError, ClientError) as error:
        nothing = error_code(error).startswith(("NoSuch", "ServerSideEncryptionConfigurationNot"))
        return {} if nothing else {"error": explain(error)}


def _probe(subject: str, uri: str) -> Finding:
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
    return ok(subject, f"wrote, listed, read and deleted an object in {uri}")


def _landing_zone(uri: str) -> Finding:
    parts, s3 = urlsplit(uri), client("s3")
    prefix = f"{parts.path.strip('/')}/".lstrip("/")
    with translate_errors(StorageError, uri):
        found = s3.list_objects_v2(Bucket=parts.netloc, Prefix=prefix, MaxKeys=1)
        for entry in found.get("Contents", ()):
            s3.head_object(Bucket=parts.netloc, Key=entry["Key"])
    return ok(READ, f"listed {uri}" + ("" if found.get("Contents") else " (empty)"))


def _queue(url: str, landing_zone_uri: str) -> Finding:
    asked = ["QueueArn", "ApproximateNumberOfMessages"]
    with translate_errors(AwsError, f"the queue {url}"):
        answer = client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=asked)
    attributes = answer["Attributes"]
    bucket = urlsplit(landing_zone_uri).netloc
    if bucket and attributes["QueueArn"] not in _notified_queues(bucket):
        remedy = "run `make deploy`; until then late files are found more slowly"
        return Finding("survey queue", "warning", f"s3://{bucket} does not notify {url}", remedy)
    waiting = attributes["ApproximateNumberOfMessages"]
    return ok("survey queue", f"{url} ({waiting} messages wait)")


def _notified_queues(bucket: str) -> set[str]:
    with translate_errors(StorageError, f"s3://{bucket}"):
        told = client("s3").get_bucket_notification_configuration(Bucket=bucket)
    return {each["QueueArn"] for each in told.get("QueueConfigurations", ())}
