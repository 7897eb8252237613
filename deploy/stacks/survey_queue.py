"""S3's notifications about the landing zone, which make the sensor look at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from deploy.stacks.alarms import alarm

if TYPE_CHECKING:
    from deploy.stacks.names import Names

RECEIVES_BEFORE_DEAD = 5


class SurveyQueue(Construct):
    """A queue of notifications, and the queue of those that nobody could handle.

    Args:
        scope: The stack.
        construct_id: Id in the stack.
        names: Of the queues and the bucket that may notify.
        alarm_topic_arn: SNS topic told of dead messages, or empty.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, names: Names, alarm_topic_arn: str
    ) -> None:
        super().__init__(scope, construct_id)
        dead = sqs.Queue(
            self,
            "Dead",
            queue_name=names.dead_letter_queue,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(14),
        )
        self._queue = sqs.Queue(
            self,
            "Queue",
            queue_name=names.survey_queue,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            retention_period=cdk.Duration.days(4),
            visibility_timeout=cdk.Duration.seconds(120),  # longer than a sensor's tick may take
            dead_letter_queue=sqs.DeadLetterQueue(
                max_receive_count=RECEIVES_BEFORE_DEAD, queue=dead
            ),
        )
        self._allow_notifications(names.data_bucket_arn)
        alarm(
            self,
            "DeadMessages",
            name=f"{names.dead_letter_queue}-not-empty",
            description="Survey notifications that no sensor tick could handle",
            metric=dead.metric_approximate_number_of_messages_visible(
                period=cdk.Duration.minutes(5), statistic=cloudwatch.Stats.MAXIMUM
            ),
            threshold=0,
            topic_arn=alarm_topic_arn,
        )

    @property
    def url(self) -> str:
        """URL of the queue."""
        return self._queue.queue_url

    def watch(self, bucket: s3.Bucket, prefix: str) -> None:
        """Have the bucket notify of objects made and removed below a prefix.

        Set on the resource itself: the CDK's own `add_event_notification` would add a Lambda
        function for it. The queue's policy must be there first, for S3 tries it.
        """
        resource = bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)  # noqa: S101 - what an s3.Bucket is made of
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            queue_configurations=[
                s3.CfnBucket.QueueConfigurationProperty(
                    event=event,
                    queue=self._queue.queue_arn,
                    filter=s3.CfnBucket.NotificationFilterProperty(
                        s3_key=s3.CfnBucket.S3KeyFilterProperty(
                            rules=[s3.CfnBucket.FilterRuleProperty(name="prefix", value=prefix)]
                        )
                    ),
                )
                for event in ("s3:ObjectCreated:*", "s3:ObjectRemoved:*")
            ]
        )
        resource.node.add_dependency(self._queue)

    def _allow_notifications(self, bucket_arn: str) -> None:
        self._queue.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("s3.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self._queue.queue_arn],
                conditions={
                    "ArnEquals": {"aws:SourceArn": bucket_arn},
                    "StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID},
                },
            )
        )
