"""What outlives everything else: the buckets, the queue of notifications and the images."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3

from deploy.stacks import names as n
from deploy.stacks.survey_queue import SurveyQueue

if TYPE_CHECKING:
    from constructs import Construct

    from deploy.config import DeployConfig

KEPT_IMAGES = 20
UNTAGGED_DAYS = 7


class DataStack(cdk.Stack):
    """Buckets, queue and image repository.

    The buckets are encrypted by S3 itself (SSE-S3): every principal that may read the data is in
    this account and is kept in by IAM, so a KMS key would cost each of the lake's many small
    requests and guard nothing more. Who must have one names it in the settings; it is the data
    bucket's then. Logs stay as they are: S3 and load balancers write theirs with no other key.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: DeployConfig,
        names: n.Names,
        **kwargs: Any,  # noqa: ANN401 - as aws_cdk.Stack's
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        # Not RETAIN: it would keep them when their very creation is rolled back, too, and the next
        # attempt would find their names taken.
        self._keep = (
            cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE
            if config.retain
            else cdk.RemovalPolicy.DESTROY
        )
        logs = self._bucket("Logs", names.logs_bucket, _LOGS_RULES)
        _allow_log_delivery(logs)
        data = self._bucket(
            "Data",
            names.data_bucket,
            _data_rules(config.capture_days),
            access_logs=logs,
            kms_key_arn=config.aws.kms_key_arn,
        )
        queue = SurveyQueue(
            self, "SurveyQueue", names=names, alarm_topic_arn=config.alarm_topic_arn
        )
        queue.watch(data, f"{n.LANDING_ZONE}/")
        self._image_repository(names.image_repository, retain=config.retain)
        self.survey_queue_url = queue.url

    def _bucket(
        self,
        construct_id: str,
        name: str,
        rules: list[s3.LifecycleRule],
        access_logs: s3.Bucket | None = None,
        kms_key_arn: str = "",
    ) -> s3.Bucket:
        key = kms.Key.from_key_arn(self, f"{construct_id}Key", kms_key_arn) if kms_key_arn else None
        return s3.Bucket(
            self,
            construct_id,
            bucket_name=name,
            versioned=True,
            encryption=s3.BucketEncryption.KMS if key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=key,
            bucket_key_enabled=True if key else None,  # one request to KMS for many to S3
            enforce_ssl=True,
            minimum_tls_version=1.2,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            server_access_logs_bucket=access_logs,
            server_access_logs_prefix=f"{n.ACCESS_LOGS}/" if access_logs else None,
            lifecycle_rules=rules,
            removal_policy=self._keep,
        )

    def _image_repository(self, name: str, *, retain: bool) -> None:
        ecr.Repository(
            self,
            "Images",
            repository_name=name,
            image_scan_on_push=True,
            image_tag_mutability=ecr.TagMutability.IMMUTABLE,
            lifecycle_rules=[
                ecr.LifecycleRule(
                    rule_priority=1,
                    description="what a broken push or an index leaves",
                    tag_status=ecr.TagStatus.UNTAGGED,
                    max_image_age=cdk.Duration.days(UNTAGGED_DAYS),
                ),
                ecr.LifecycleRule(
                    rule_priority=2,
                    description="the images of the last deployments",
                    tag_status=ecr.TagStatus.TAGGED,
                    tag_pattern_list=["*"],
                    max_image_count=KEPT_IMAGES,
                ),
            ],
            removal_policy=self._keep,
            empty_on_delete=not retain,
        )


def _expire(prefix: str, days: int) -> s3.LifecycleRule:
    return s3.LifecycleRule(
        id=f"expire-{prefix}".replace("_", "-"),
        prefix=f"{prefix}/",
        expiration=cdk.Duration.days(days),
    )


def _tidy(noncurrent_days: int) -> s3.LifecycleRule:
    """Ends what versioning and broken uploads would keep for ever."""
    return s3.LifecycleRule(
        id="tidy",
        noncurrent_version_expiration=cdk.Duration.days(noncurrent_days),
        abort_incomplete_multipart_upload_after=cdk.Duration.days(7),
        expired_object_delete_marker=True,
    )


def _data_rules(capture_days: int) -> list[s3.LifecycleRule]:
    return [
        _tidy(30),
        _expire(f"{n.LAKE}/_staged", 7),  # what a killed preparation left half-written
        _expire(n.JOBS, 90),
        _expire(n.CAPTURED_REQUESTS, capture_days),
        _expire(n.TEMPLATES, 7),  # CloudFormation keeps its own copy
    ]


_LOGS_RULES = [
    _tidy(7),
    _expire(n.COMPUTE_LOGS, 90),
    _expire(n.ACCESS_LOGS, 90),
    _expire(n.LOAD_BALANCER_LOGS, 90),
    _expire(n.FLOW_LOGS, 30),
]


def _allow_log_delivery(bucket: s3.Bucket) -> None:
    """Let load balancers and the VPC's flow logs of this account write below their prefixes.

    S3's own access logs are allowed by the CDK. AWS documents the principals:
    https://docs.aws.amazon.com/elasticloadbalancing/latest/application/enable-access-logging.html
    https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-S3.html
    """
    delivery = iam.ServicePrincipal("delivery.logs.amazonaws.com")
    balancers = iam.ServicePrincipal("logdelivery.elasticloadbalancing.amazonaws.com")
    ours = {"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}}
    for principal, prefix in ((balancers, n.LOAD_BALANCER_LOGS), (delivery, n.FLOW_LOGS)):
        bucket.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[principal],
                actions=["s3:PutObject"],
                resources=[bucket.arn_for_objects(f"{prefix}/AWSLogs/{cdk.Aws.ACCOUNT_ID}/*")],
                conditions=ours,
            )
        )
    bucket.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[delivery],
            actions=["s3:GetBucketAcl", "s3:ListBucket"],
            resources=[bucket.bucket_arn],
            conditions=ours,
        )
    )
