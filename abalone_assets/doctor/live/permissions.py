"""What whoever runs `abalone doctor --live` must be allowed; docs/deployment.md has it as a table.

It is more than a run worker's role has: that may make no model package group and no endpoint but
the live one. What jobs and the endpoint do, they do with the roles of the stack, as in a release.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_EACH: Final[Mapping[str, tuple[str, ...]]] = {
    "the Glue job": (
        "glue:GetJob",
        "glue:StartJobRun",
        "glue:GetJobRun",
        "glue:GetJobRuns",
        "glue:BatchStopJobRun",
    ),
    "`abalone-doctor-*` of each kind": (
        "sagemaker:AddTags",
        "sagemaker:ListTags",
        "sagemaker:CreateTrainingJob",
        "sagemaker:DescribeTrainingJob",
        "sagemaker:StopTrainingJob",
        "sagemaker:CreateProcessingJob",
        "sagemaker:DescribeProcessingJob",
        "sagemaker:StopProcessingJob",
        "sagemaker:CreateModelPackageGroup",
        "sagemaker:DescribeModelPackageGroup",
        "sagemaker:DeleteModelPackageGroup",
        "sagemaker:CreateModelPackage",
        "sagemaker:DescribeModelPackage",
        "sagemaker:ListModelPackages",
        "sagemaker:UpdateModelPackage",
        "sagemaker:DeleteModelPackage",
        "sagemaker:CreateModel",
        "sagemaker:DescribeModel",
        "sagemaker:DeleteModel",
        "sagemaker:CreateEndpointConfig",
        "sagemaker:DescribeEndpointConfig",
        "sagemaker:DeleteEndpointConfig",
        "sagemaker:CreateEndpoint",
        "sagemaker:DescribeEndpoint",
        "sagemaker:UpdateEndpoint",
        "sagemaker:DeleteEndpoint",
        "sagemaker:InvokeEndpoint",
    ),
    "`*`: these name no resource": (
        "sagemaker:ListTrainingJobs",
        "sagemaker:ListProcessingJobs",
        "sagemaker:ListModelPackageGroups",
        "sagemaker:ListModels",
        "sagemaker:ListEndpointConfigs",
        "sagemaker:ListEndpoints",
        "application-autoscaling:DescribeScalableTargets",
        "cloudwatch:DescribeAlarms",
        "logs:DescribeLogGroups",
    ),
    "the role of SageMaker's jobs": ("iam:PassRole",),
    "objects `jobs/doctor/*` and `captured_requests/abalone-doctor-*`": (
        "s3:GetObject",
        "s3:PutObject",
        "s3:DeleteObject",
    ),
    "the data bucket": ("s3:ListBucket",),
    "log groups `/aws-glue/jobs/*`, `/aws/sagemaker/*`": (
        "logs:DescribeLogStreams",
        "logs:GetLogEvents",
    ),
    "log groups `/aws/sagemaker/Endpoints/abalone-doctor-*`": ("logs:DeleteLogGroup",),
    "the parameters below `/abalone`": ("ssm:GetParametersByPath",),
    "where the endpoint is autoscaled: scalable targets": (
        "application-autoscaling:RegisterScalableTarget",
        "application-autoscaling:PutScalingPolicy",
        "application-autoscaling:DeregisterScalableTarget",
    ),
    "there, too: endpoints `abalone-doctor-*`": ("sagemaker:UpdateEndpointWeightsAndCapacities",),
    "there, too: alarms `TargetTracking-endpoint/abalone-doctor-*`": (
        "cloudwatch:PutMetricAlarm",
        "cloudwatch:DeleteAlarms",
    ),
    "there, too: the role that scales endpoints, where there is none yet": (
        "iam:CreateServiceLinkedRole",
    ),
    "where there is a key: that key": (
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "kms:DescribeKey",
        "kms:CreateGrant",
    ),
}

ACTIONS: Final[Mapping[str, str]] = {
    action: resource for resource, actions in _OF_EACH.items() for action in actions
}
"""On what each action must be allowed."""
