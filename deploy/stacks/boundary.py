"""What the roles may do besides where the deployment has its own key, network, images or scaling.

None of it is there by default. Sources:
https://docs.aws.amazon.com/sagemaker/latest/dg/sagemaker-roles.html (execution roles; a key's
grants for volumes), https://docs.aws.amazon.com/glue/latest/dg/create-service-policy.html,
https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling-prerequisites.html.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws

from abalone_assets.serving.sagemaker.removal import candidate_name
from abalone_assets.settings.aws import ids
from deploy.stacks import images
from deploy.stacks.names import VARIANT, arn
from deploy.stacks.permissions import ANY, NO_RESOURCE, Permission

if TYPE_CHECKING:
    from deploy.config import DeployConfig
    from deploy.stacks.names import Names

INTERFACES = "a network interface's id is not known beforehand; its subnet is"
SCALING_ROLE = "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint"
SCALING_SERVICE = "sagemaker.application-autoscaling.amazonaws.com"


def sagemaker(config: DeployConfig) -> list[Permission]:
    """SageMaker's jobs and endpoint: use key (volumes, too) and images, and join the network.

    An earlier key, too: the live endpoint has it until the next deployment of a version.
    """
    uses = ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey", "kms:DescribeKey")
    return [
        *_key(config, *uses, earlier=uses),
        *_grants(config),
        *images.pull(config.aws.xgboost_image, config.aws.tensorflow_image),
        *_interfaces(
            config,
            "ec2:CreateNetworkInterfacePermission",
            "ec2:DeleteNetworkInterfacePermission",
            looks=(
                "ec2:DescribeDhcpOptions",
                "ec2:DescribeNetworkInterfaces",
                "ec2:DescribeSecurityGroups",
                "ec2:DescribeSubnets",
                "ec2:DescribeVpcs",
            ),
        ),
    ]


def execution(config: DeployConfig) -> list[Permission]:
    """ECS itself: pull the platform's image, where that is in another repository of ECR."""
    own = images.pull(config.image)
    return [*own, images.LOG_IN] if own else []


def glue_job(names: Names, config: DeployConfig) -> list[Permission]:
    """The preparation on Spark: reads and writes with the key, from inside the network."""
    return [*_key(config, "kms:Decrypt", "kms:GenerateDataKey"), *_glue_network(names, config)]


def glue_crawler(names: Names, config: DeployConfig) -> list[Permission]:
    """The crawler: reads with the key, from inside the network."""
    return [*_key(config, "kms:Decrypt"), *_glue_network(names, config)]


def run(names: Names, config: DeployConfig) -> list[Permission]:
    """What executes the project's code: data with the key, jobs whose volumes have it, scaling."""
    return [
        *_key(config, "kms:Decrypt", "kms:GenerateDataKey", "kms:DescribeKey"),
        *_grants(config),
        *_scaling(names, config),
        *_candidate(names, config),
    ]


def _key(
    config: DeployConfig, *actions: str, earlier: tuple[str, ...] = ("kms:Decrypt",)
) -> list[Permission]:
    """Use the key, and of the earlier ones what is told: as a rule, to read."""
    key, before = config.aws.kms_key_arn, list(config.earlier_keys)
    return [
        *([Permission("UseKey", list(actions), [key])] if key else []),
        *([Permission("UseEarlierKeys", list(earlier), before)] if before else []),
    ]


def _grants(config: DeployConfig) -> list[Permission]:
    """Lets the services that attach encrypted volumes use the key for them, or an earlier one."""
    keys = [key for key in (config.aws.kms_key_arn, *config.earlier_keys) if key]
    if not keys:
        return []
    for_services = {"Bool": {"kms:GrantIsForAWSResource": "true"}}
    return [Permission("GrantKey", ["kms:CreateGrant"], keys, conditions=for_services)]


def _interfaces(config: DeployConfig, *changes: str, looks: tuple[str, ...]) -> list[Permission]:
    """Make, change and remove network interfaces in the given subnets, with the given groups."""
    subnets = [arn("ec2", f"subnet/{each}") for each in ids(config.aws.subnets)]
    groups = [arn("ec2", f"security-group/{each}") for each in ids(config.aws.security_groups)]
    if not subnets:
        return []
    any_interface = arn("ec2", "network-interface/*")
    return [
        Permission("UseNetwork", ["ec2:CreateNetworkInterface"], [*subnets, *groups]),
        Permission(
            "KeepInterfaces",
            ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", *changes],
            [any_interface],
            wildcards=INTERFACES,
            conditions={"ArnEquals": {"ec2:Subnet": subnets}},
        ),
        Permission("LookAtNetwork", list(looks), [ANY], wildcards=NO_RESOURCE),
    ]


def _glue_network(names: Names, config: DeployConfig) -> list[Permission]:
    interfaces = _interfaces(
        config,
        looks=(
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeRouteTables",
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeSubnets",
            "ec2:DescribeVpcAttribute",
            "ec2:DescribeVpcEndpoints",
        ),
    )
    if not interfaces:
        return []
    only_glues = {"ForAllValues:StringEquals": {"aws:TagKeys": ["aws-glue-service-resource"]}}
    return [
        *interfaces,
        Permission(
            "TagInterfaces",
            ["ec2:CreateTags", "ec2:DeleteTags"],
            [arn("ec2", "network-interface/*")],
            wildcards=INTERFACES,
            conditions=only_glues,
        ),
        Permission(
            "FindNetwork",
            ["glue:GetConnection"],
            [arn("glue", "catalog"), arn("glue", f"connection/{names.glue_connection}")],
        ),
    ]


def _scaling(names: Names, config: DeployConfig) -> list[Permission]:
    """Look whether the endpoint is scaled, and end that; begin it where it is wanted."""
    variant = f"endpoint/{names.endpoint}/variant/{VARIANT}"
    targets = arn("application-autoscaling", "scalable-target/*")
    of_sagemaker = {
        "StringEquals": {
            "application-autoscaling:service-namespace": "sagemaker",
            "application-autoscaling:scalable-dimension": "sagemaker:variant:DesiredInstanceCount",
        }
    }
    why = "a scalable target's id is AWS's own; the conditions narrow it to endpoints"
    known = [
        Permission(
            "FindScaling",
            ["application-autoscaling:DescribeScalableTargets"],
            [ANY],
            wildcards=NO_RESOURCE,
        ),
        Permission(
            "EndScaling",
            ["application-autoscaling:DeregisterScalableTarget"],
            [targets],
            wildcards=why,
            conditions=of_sagemaker,
        ),
        Permission(
            "DeleteScalingAlarms",
            ["cloudwatch:DeleteAlarms"],
            [arn("cloudwatch", f"alarm:TargetTracking-{variant}-*")],
            wildcards="AWS names the alarms of a scaled endpoint",
        ),
    ]
    if config.aws.endpoint_mode != "autoscaled":
        return known
    role = f"role/aws-service-role/{SCALING_SERVICE}/{SCALING_ROLE}"
    return [
        *known,
        Permission(
            "ScaleEndpoint",
            [
                "application-autoscaling:RegisterScalableTarget",
                "application-autoscaling:PutScalingPolicy",
            ],
            [targets],
            wildcards=why,
            conditions=of_sagemaker,
        ),
        Permission(
            "LetItBeScaled",
            ["sagemaker:UpdateEndpointWeightsAndCapacities"],
            [arn("sagemaker", f"endpoint/{names.endpoint}")],
        ),
        Permission(
            "MakeScalingAlarms",
            ["cloudwatch:PutMetricAlarm"],
            [arn("cloudwatch", f"alarm:TargetTracking-{variant}-*")],
            wildcards="AWS names the alarms of a scaled endpoint",
        ),
        Permission(
            "MakeScalingRole",
            ["iam:CreateServiceLinkedRole"],
            [f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:{role}"],
            conditions={"StringEquals": {"iam:AWSServiceName": SCALING_SERVICE}},
        ),
    ]


def _candidate(names: Names, config: DeployConfig) -> list[Permission]:
    """Prove a serverless version on an endpoint of its own."""
    if config.aws.endpoint_mode != "serverless":
        return []
    return [
        Permission(
            "ProveServerless",
            [
                "sagemaker:AddTags",
                "sagemaker:CreateEndpoint",
                "sagemaker:DescribeEndpoint",
                "sagemaker:DeleteEndpoint",
                "sagemaker:InvokeEndpoint",
            ],
            [arn("sagemaker", f"endpoint/{candidate_name(names.endpoint)}")],
        )
    ]
