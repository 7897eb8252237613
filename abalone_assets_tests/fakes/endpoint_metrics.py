"""What CloudWatch counts of an endpoint's answers, and the alarms that this sets off at once.

The rules are those of https://docs.aws.amazon.com/sagemaker/latest/dg/monitoring-cloudwatch.html,
"Endpoint invocation metrics".
"""

from __future__ import annotations

from typing import Final

from moto.cloudwatch.models import cloudwatch_backends

from abalone_assets_tests.fakes.places import ACCOUNT, REGION

COUNTED: Final = {
    "Invocation4XXErrors": range(400, 500),
    "Invocation5XXErrors": range(500, 600),
    # Requests "which did not result in 2XX HTTP response": the client's mistakes as well.
    "InvocationModelErrors": range(300, 600),
}
"""Metrics, and the statuses of a container's answers that add one to them."""


def count_invocation(endpoint: str, variant: str, status: int) -> None:
    """Ring the alarms that one answer of this status is enough for."""
    place = {"EndpointName": endpoint, "VariantName": variant}
    for alarm in cloudwatch_backends[ACCOUNT][REGION].alarms.values():
        statuses = COUNTED.get(alarm.metric_name, ())
        watched = {each.name: each.value for each in alarm.dimensions}
        if status in statuses and watched.items() <= place.items():
            reason = f"1 {alarm.metric_name} of {endpoint}: it answered {status}"
            alarm.update_state(reason, "{}", "ALARM")
