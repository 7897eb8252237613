"""How a new version replaces the old one: a canary, watched by alarms.

Source: https://docs.aws.amazon.com/sagemaker/latest/dg/deployment-guardrails.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.failures import translate_errors
from abalone_assets.errors import EndpointError, SettingsError
from abalone_assets.settings.aws import TERMINATION_SECONDS

if TYPE_CHECKING:
    from collections.abc import Collection

ALL_AT_ONCE: Final[dict[str, Any]] = {
    "BlueGreenUpdatePolicy": {
        "TrafficRoutingConfiguration": {"Type": "ALL_AT_ONCE", "WaitIntervalInSeconds": 0}
    }
}
"""A rollback: at once, whatever the alarms say."""

MAX_ALARMS: Final = 10
_ALARM_TYPES: Final = ("MetricAlarm", "CompositeAlarm")


@dataclass(frozen=True)
class Rollout:
    """How traffic shifts to a new version.

    Attributes:
        canary_percent: Share of the capacity that gets traffic first, 1 to 50.
        canary_wait_seconds: How long the alarms watch the canary, and then the whole.
        alarms: Names of CloudWatch alarms; one of them in ALARM rolls the deployment back.
        timeout_seconds: SageMaker rolls back what takes longer: 600 to 28,800.

    Raises:
        SettingsError: There are more than ten alarms.
    """

    canary_percent: int = 50
    canary_wait_seconds: int = 300
    alarms: tuple[str, ...] = ()
    timeout_seconds: int = 3600

    def __post_init__(self) -> None:
        if len(self.alarms) > MAX_ALARMS:
            raise SettingsError(
                f"ABALONE_ENDPOINT_ALARMS names {len(self.alarms)} alarms; SageMaker takes "
                f"{MAX_ALARMS}: combine some in a composite alarm"
            )

    def deployment_config(
        self, instance_count: int, *, without: Collection[str] = ()
    ) -> dict[str, Any]:
        """The ``DeploymentConfig`` of an update.

        Args:
            instance_count: Of the new version; a single instance cannot be shared with a canary, so
                it gets all of the traffic, and the alarms watch that.
            without: Alarms that are not to roll this update back.
        """
        routing: dict[str, Any] = {"Type": "ALL_AT_ONCE"}
        if instance_count > 1:
            size = {"Type": "CAPACITY_PERCENT", "Value": self.canary_percent}
            routing = {"Type": "CANARY", "CanarySize": size}
        routing["WaitIntervalInSeconds"] = self.canary_wait_seconds
        config: dict[str, Any] = {
            "BlueGreenUpdatePolicy": {
                "TrafficRoutingConfiguration": routing,
                "TerminationWaitInSeconds": TERMINATION_SECONDS,
                "MaximumExecutionTimeoutInSeconds": self.timeout_seconds,
            }
        }
        alarms = [{"AlarmName": name} for name in self.alarms if name not in without]
        if alarms:
            config["AutoRollbackConfiguration"] = {"Alarms": alarms}
        return config


def require_alarms(cloudwatch: Any, names: tuple[str, ...]) -> None:  # noqa: ANN401 - boto3 client
    """Make sure that the alarms exist, before anything is made for the deployment.

    What SageMaker makes of a name that no alarm has, its documentation does not say; a deployment
    that nothing watches would be the worst of it.

    Raises:
        EndpointError: One does not exist, or CloudWatch refuses to say.
    """
    known = {alarm["AlarmName"] for alarm in _alarms(cloudwatch, names)}
    missing = [name for name in names if name not in known]
    if missing:
        raise EndpointError(
            f"the CloudWatch alarms {', '.join(missing)}, which must watch the deployment, do not"
            " exist: run `make deploy`, or correct ABALONE_ENDPOINT_ALARMS"
        )


def ringing_alarms(cloudwatch: Any, names: tuple[str, ...]) -> dict[str, str]:  # noqa: ANN401 - boto3 client
    """The alarms that are in ALARM, and the reason of each.

    Raises:
        EndpointError: CloudWatch refuses to say.
    """
    return {
        alarm["AlarmName"]: alarm.get("StateReason") or "no reason given"
        for alarm in _alarms(cloudwatch, names)
        if alarm["StateValue"] == "ALARM"
    }


def told_ringing(cloudwatch: Any, names: tuple[str, ...]) -> str:  # noqa: ANN401 - boto3 client
    """The alarms that are in ALARM, in words; empty when none is.

    Raises:
        EndpointError: CloudWatch refuses to say.
    """
    ringing = ringing_alarms(cloudwatch, names)
    told = ", ".join(f"{name} ({why})" for name, why in ringing.items())
    return f"alarms: {told}" if told else ""


def _alarms(cloudwatch: Any, names: tuple[str, ...]) -> list[dict[str, Any]]:  # noqa: ANN401 - boto3 client
    if not names:
        return []
    with translate_errors(EndpointError, f"CloudWatch alarms {', '.join(names)}"):
        found = cloudwatch.describe_alarms(AlarmNames=list(names), AlarmTypes=list(_ALARM_TYPES))
    return [*found.get("MetricAlarms", []), *found.get("CompositeAlarms", [])]
