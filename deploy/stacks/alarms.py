"""CloudWatch alarms: those that a deployment of the endpoint watches, and those for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct

from deploy.stacks.names import VARIANT

if TYPE_CHECKING:
    from deploy.stacks.names import Names

MAX_LATENCY_MICROSECONDS = 1_000_000
SLOW_MINUTES = 2
_MINUTE = cdk.Duration.minutes(1)


def alarm(
    scope: Construct,
    construct_id: str,
    *,
    name: str,
    description: str,
    metric: cloudwatch.IMetric,
    threshold: float,
    topic_arn: str,
    periods: int = 1,
) -> cloudwatch.Alarm:
    """An alarm as soon as the metric exceeds the threshold in so many periods; silence is none."""
    made = cloudwatch.Alarm(
        scope,
        construct_id,
        alarm_name=name,
        alarm_description=description,
        metric=metric,
        threshold=threshold,
        evaluation_periods=periods,
        comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
    )
    if topic_arn:
        topic = sns.Topic.from_topic_arn(scope, f"{construct_id}Topic", topic_arn)
        made.add_alarm_action(actions.SnsAction(topic))
    return made


class EndpointAlarms(Construct):
    """What rolls a deployment back: the endpoint fails in any one minute, or is slow for two.

    A client's own mistakes (4xx) and SageMaker's overhead say nothing about a model and are left
    out; so is ``InvocationModelErrors``, which counts every answer that is not 2xx. A worker loads
    its model at its first request, so that one slow minute says nothing either. Each goes off while
    a canary waits.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, names: Names, topic_arn: str
    ) -> None:
        super().__init__(scope, construct_id)
        endpoint = names.endpoint
        self.names = [f"{endpoint}-endpoint-{kind}" for kind in ("5xx", "latency")]
        errors, latency = self.names
        alarm(
            self,
            "ServerErrors",
            name=errors,
            description=f"The endpoint {endpoint} answered an invocation with 5xx",
            metric=_endpoint_metric(endpoint, "Invocation5XXErrors", cloudwatch.Stats.SUM),
            threshold=0,
            topic_arn=topic_arn,
        )
        alarm(
            self,
            "Latency",
            name=latency,
            description=f"For two minutes, one invocation in a hundred of {endpoint} took over 1 s",
            metric=_endpoint_metric(endpoint, "ModelLatency", cloudwatch.Stats.percentile(99)),
            threshold=MAX_LATENCY_MICROSECONDS,
            topic_arn=topic_arn,
            periods=SLOW_MINUTES,
        )


def _endpoint_metric(endpoint: str, metric: str, statistic: str) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace="AWS/SageMaker",
        metric_name=metric,
        dimensions_map={"EndpointName": endpoint, "VariantName": VARIANT},
        statistic=statistic,
        period=_MINUTE,
    )
