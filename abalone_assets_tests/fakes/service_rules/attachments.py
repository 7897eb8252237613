"""What a thing that is attached to a resource needs of that resource's role.

Nothing in a request's own permissions says so: the service acts as the role, and looks at what is
attached. The same table judges requests to the stand-in and the stacks' templates.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from abalone_assets_tests.fakes.places import ACCOUNT, REGION
from abalone_assets_tests.fakes.policies import Need

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_GLUE: Final = "https://docs.aws.amazon.com/glue/latest/dg"
_SAGEMAKER: Final = "https://docs.aws.amazon.com/sagemaker/latest/dg"
_API: Final = "https://docs.aws.amazon.com/sagemaker/latest/APIReference"
_EC2: Final = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
_CHANGES: Final = (
    "CreateNetworkInterface", "CreateNetworkInterfacePermission", "DeleteNetworkInterface",
    "DeleteNetworkInterfacePermission",
)  # fmt: skip
_LOOKS: Final = (
    "DescribeDhcpOptions", "DescribeNetworkInterfaces", "DescribeSecurityGroups",
    "DescribeSubnets", "DescribeVpcs",
)  # fmt: skip


@dataclass(frozen=True)
class Attachment:
    """One such thing. Properties are spelled alike in requests and in CloudFormation.

    Attributes:
        kind: CloudFormation's resource type.
        role: The property that names the role, or the model whose role it is.
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


def _network(made: Mapping[str, Any]) -> list[Need]:
    """Interfaces in the given subnets with the given groups, for the service's instances."""
    vpc = _vpc(made)
    subnets = [f"{_EC2}:subnet/{each}" for each in vpc["Subnets"]]
    groups = [f"{_EC2}:security-group/{each}" for each in vpc["SecurityGroupIds"]]
    inside = (("ec2:Subnet", subnets[0]),)
    return [
        *(Need("ec2:CreateNetworkInterface", each) for each in (*subnets, *groups)),
        *(Need(f"ec2:{action}", f"{_EC2}:network-interface/eni-0", inside) for action in _CHANGES),
        *(Need(f"ec2:{action}", "*") for action in _LOOKS),
    ]


def _vpc(made: Mapping[str, Any]) -> Mapping[str, Any]:
    return made.get("VpcConfig") or (made.get("NetworkConfig") or {}).get("VpcConfig") or {}


def _volume_key(job: Mapping[str, Any]) -> str:
    cluster = (job.get("ProcessingResources") or {}).get("ClusterConfig")
    resources = job.get("ResourceConfig") or job.get("TransformResources") or cluster or {}
    return str(resources.get("VolumeKmsKeyId") or "")


def _output_key(job: Mapping[str, Any]) -> str:
    names = ("OutputDataConfig", "ProcessingOutputConfig", "TransformOutput")
    output: Mapping[str, Any] = next(filter(None, map(job.get, names)), {})
    return str(output.get("KmsKeyId") or "")


def _grant(job: Mapping[str, Any]) -> list[Need]:
    for_service = (("kms:GrantIsForAWSResource", "true"),)
    return [Need("kms:CreateGrant", _volume_key(job), for_service)]


def _writes(job: Mapping[str, Any]) -> list[Need]:
    return [Need(f"kms:{action}", _output_key(job)) for action in ("Encrypt", "GenerateDataKey")]


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
        lambda made: bool(_vpc(made)),
        _network,
    )
    for kind, role in (
        ("TrainingJob", "RoleArn"),
        ("ProcessingJob", "RoleArn"),
        ("Model", "ExecutionRoleArn"),
    )
)
MODEL: Final = "ModelName"
KEYS: Final = tuple(
    Attachment(
        f"AWS::SageMaker::{kind}",
        role,
        says,
        f"{_SAGEMAKER}/sagemaker-roles.html; {source}",
        lambda job, key=key: bool(key(job)),  # type: ignore[misc]  # bound now
        needs,
    )
    for kind, role, written in (
        ("TrainingJob", "RoleArn", "OutputDataConfig"),
        ("ProcessingJob", "RoleArn", "OutputDataConfig"),
        ("TransformJob", MODEL, "TransformOutput"),
    )
    for says, source, key, needs in (
        (
            "a key of its volume",
            "https://docs.aws.amazon.com/kms/latest/developerguide/grants.html",
            _volume_key,
            _grant,
        ),
        (
            "a key of what it writes",
            f"{_API}/API_{written}.html",
            _output_key,
            _writes,
        ),
    )
)
ATTACHMENTS: Final = (CRAWLER_SECURITY, JOB_SECURITY, JOB_S3A, *VPC, *KEYS)

BUCKET_KEY: Final = {"s3:GetObject": "kms:Decrypt", "s3:PutObject": "kms:GenerateDataKey"}
"""What a bucket's default key takes of whoever may do this to the bucket's objects:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html
"""


def needs_of(
    kind: str, properties: Mapping[str, Any], among: Iterable[Attachment] = ATTACHMENTS
) -> list[tuple[str, Need]]:
    """The property that names the role, and each permission that the role needs."""
    return [
        (attachment.role, need)
        for attachment in among
        if attachment.kind == kind and attachment.is_on(properties)
        for need in attachment.needs(properties)
    ]
