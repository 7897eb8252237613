"""What a thing that is attached to a resource needs of that resource's role.

Nothing in a request's own permissions says so: the service acts as the role, and looks at what is
attached. The same table judges requests to the stand-in and the stacks' templates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from abalone_assets_tests.fakes.policies import Need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_GLUE: Final = "https://docs.aws.amazon.com/glue/latest/dg"
_SAGEMAKER: Final = "https://docs.aws.amazon.com/sagemaker/latest/dg"
_NETWORK: Final = (
    "CreateNetworkInterface", "CreateNetworkInterfacePermission", "DeleteNetworkInterface",
    "DeleteNetworkInterfacePermission", "DescribeDhcpOptions", "DescribeNetworkInterfaces",
    "DescribeSecurityGroups", "DescribeSubnets", "DescribeVpcs",
)  # fmt: skip


@dataclass(frozen=True)
class Attachment:
    """One such thing. Properties are spelled alike in requests and in CloudFormation.

    Attributes:
        kind: CloudFormation's resource type.
        role: The property that names the role.
        says: What is attached, in words.
        is_on: Whether it is attached, by the resource's properties.
        needs: What the role must be allowed then.
    """

    kind: str
    role: str
    says: str
    source: str
    is_on: Callable[[Mapping[str, Any]], bool]
    needs: Callable[[Mapping[str, Any]], Iterable[Need]]


def _configuration(_: Mapping[str, Any]) -> list[Need]:
    return [Need("glue:GetSecurityConfiguration", "*")]


def _uploads(job: Mapping[str, Any]) -> list[Need]:
    """Of the bucket that the job's script lies in: the one that it works on."""
    bucket = str(job["Command"]["ScriptLocation"]).removeprefix("s3://").partition("/")[0]
    arn = f"arn:aws:s3:::{bucket}"
    return [
        Need("s3:ListBucketMultipartUploads", arn),
        Need("s3:AbortMultipartUpload", f"{arn}/?"),
    ]


def _network(_: Mapping[str, Any]) -> list[Need]:
    return [Need(f"ec2:{action}", "*") for action in _NETWORK]


def _by_s3a(job: Mapping[str, Any]) -> bool:
    version = str(job.get("GlueVersion") or "0.9").split(".")
    return tuple(map(int, version)) >= (5, 1)


CRAWLER_SECURITY: Final = Attachment(
    "AWS::Glue::Crawler",
    "Role",
    "a security configuration",
    f"{_GLUE}/encryption-security-configuration.html; {_GLUE}/create-service-policy.html",
    lambda crawler: bool(crawler.get("CrawlerSecurityConfiguration")),
    _configuration,
)
JOB_SECURITY: Final = Attachment(
    "AWS::Glue::Job",
    "Role",
    "a security configuration",
    CRAWLER_SECURITY.source,
    lambda job: bool(job.get("SecurityConfiguration")),
    _configuration,
)
JOB_S3A: Final = Attachment(
    "AWS::Glue::Job",
    "Role",
    "Glue 5.1 or later, which writes through S3A",
    f"{_GLUE}/migrating-version-51.html",
    _by_s3a,
    _uploads,
)
VPC: Final = tuple(
    Attachment(
        f"AWS::SageMaker::{kind}",
        role,
        "a VPC",
        f"{_SAGEMAKER}/sagemaker-roles.html",
        lambda made: bool(
            made.get("VpcConfig") or (made.get("NetworkConfig") or {}).get("VpcConfig")
        ),
        _network,
    )
    for kind, role in (
        ("TrainingJob", "RoleArn"),
        ("ProcessingJob", "RoleArn"),
        ("Model", "ExecutionRoleArn"),
    )
)
ATTACHMENTS: Final = (CRAWLER_SECURITY, JOB_SECURITY, JOB_S3A, *VPC)


def needs_of(kind: str, properties: Mapping[str, Any]) -> list[tuple[str, Need]]:
    """The property that names the role, and each permission that the role needs."""
    return [
        (attachment.role, need)
        for attachment in ATTACHMENTS
        if attachment.kind == kind and attachment.is_on(properties)
        for need in attachment.needs(properties)
    ]
