"""What AWS's services may do for us: Glue's job and crawler, SageMaker's jobs and endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Aws

from deploy.stacks import names as n
from deploy.stacks.images import LOG_IN, PULL
from deploy.stacks.names import arn
from deploy.stacks.permissions import ANY, NO_RESOURCE, Permission

if TYPE_CHECKING:
    from deploy.stacks.names import Names

OBJECTS = "the keys of the data are not known beforehand; the prefix is"
LOG_STREAMS = "the service names the log streams, one or more for each run"


def glue_job(names: Names) -> list[Permission]:
    """The preparation on Spark: reads its code and the lake, writes the lake, reports by Pipes."""
    return [
        _read(names, n.LAKE, n.JOBS),
        # Spark's S3 connector looks whether the folder itself is an object.
        Permission("LookAtFolder", ["s3:GetObject"], [names.data(n.LAKE, "")]),
        _write(names, n.LAKE, n.JOBS),
        Permission(
            "DeleteStagedObjects",
            ["s3:DeleteObject"],
            [names.data(n.LAKE), names.data(n.JOBS)],
            wildcards=OBJECTS,
        ),
        _list(names),
        # Its committer ends what a worker that was lost left half uploaded.
        Permission(
            "FindUnfinishedUploads", ["s3:ListBucketMultipartUploads"], [names.data_bucket_arn]
        ),
        *_glue_logs(),
    ]


def glue_crawler(names: Names) -> list[Permission]:
    """The crawler: reads the landing zone, keeps tables in the one database."""
    return [
        _read(names, n.LANDING_ZONE),
        _list(names),
        Permission(
            "KeepTables",
            [
                "glue:GetDatabase",
                "glue:GetTable",
                "glue:GetTables",
                "glue:CreateTable",
                "glue:UpdateTable",
                "glue:GetPartitions",
                "glue:BatchGetPartition",
                "glue:BatchCreatePartition",
            ],
            catalog(names),
            wildcards="the crawler names the tables of its own database",
        ),
        *_glue_logs(),
    ]


def sagemaker_jobs(names: Names) -> list[Permission]:
    """Training, processing and hosting: code and data in, models, metrics and captures out."""
    return [
        _read(names, n.LAKE, n.JOBS, n.REGISTRY),
        _write(names, n.LAKE, n.JOBS, n.CAPTURED_REQUESTS),
        _list(names),
        Permission(
            "WriteLogs",
            [
                "logs:CreateLogGroup",
                "logs:CreateLogStream",
                "logs:DescribeLogStreams",
                "logs:PutLogEvents",
            ],
            [arn("logs", "log-group:/aws/sagemaker/*")],
            wildcards=LOG_STREAMS,
        ),
        Permission(
            "PullSageMakersImages",
            [*PULL],
            [
                f"arn:{Aws.PARTITION}:ecr:{Aws.REGION}:*:repository/{repository}"
                for repository in (
                    "sagemaker-xgboost",
                    "tensorflow-training",
                    "tensorflow-inference",
                )
            ],
            wildcards="each region has accounts of its own for SageMaker's images",
        ),
        LOG_IN,
        _metrics("/aws/sagemaker/*"),
        watch_alarms(),
    ]


def watch_alarms() -> Permission:
    """Look at alarms: before a deployment by who starts it, during it by SageMaker, as its role.

    https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails-configuration.html
    """
    return Permission(
        "WatchAlarms",
        ["cloudwatch:DescribeAlarms"],
        [arn("cloudwatch", "alarm:*")],
        wildcards="CloudWatch checks this action on all alarms, even when a request names some",
    )


def catalog(names: Names) -> list[str]:
    """ARNs of the Glue catalog, our database and its tables; Glue checks all three."""
    return [
        arn("glue", "catalog"),
        arn("glue", f"database/{names.glue_database}"),
        arn("glue", f"table/{names.glue_database}/*"),
    ]


def _read(names: Names, *prefixes: str) -> Permission:
    resources = [names.data(prefix) for prefix in prefixes]
    return Permission("ReadObjects", ["s3:GetObject"], resources, wildcards=OBJECTS)


def _write(names: Names, *prefixes: str) -> Permission:
    return Permission(
        "WriteObjects",
        ["s3:PutObject", "s3:AbortMultipartUpload"],
        [names.data(prefix) for prefix in prefixes],
        wildcards=OBJECTS,
    )


def _list(names: Names) -> Permission:
    """Without a condition on the prefix: S3 says 404, not 403, only to who may list the bucket."""
    return Permission(
        "ListBucket", ["s3:ListBucket", "s3:GetBucketLocation"], [names.data_bucket_arn]
    )


def _glue_logs() -> list[Permission]:
    return [
        Permission(
            "WriteLogs",
            ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
            [arn("logs", "log-group:/aws-glue/*")],
            wildcards=LOG_STREAMS,
        )
    ]


def _metrics(namespace: str) -> Permission:
    return Permission(
        "PutMetrics",
        ["cloudwatch:PutMetricData"],
        [ANY],
        wildcards=f"{NO_RESOURCE}; the condition narrows it to a namespace",
        conditions={"StringLike": {"cloudwatch:namespace": namespace}},
    )
