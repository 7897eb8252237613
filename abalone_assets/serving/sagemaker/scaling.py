"""An endpoint's instances under Application Auto Scaling.

Scaling belongs to the endpoint's variant, not to a configuration: it is set by the settings of
whoever deploys last, and survives the versions. SageMaker refuses an update that changes the
instance type of a scaled variant, so it is released before such a one. Source:
https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-scaling-update.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from abalone_assets.aws.failures import error_code, translate_errors
from abalone_assets.errors import EndpointError
from abalone_assets.serving.protocol import VARIANT

METRIC: Final = "SageMakerVariantInvocationsPerInstance"
"""Invocations a minute, on the average of the instances."""

SCALE_IN_SECONDS: Final = 600
SCALE_OUT_SECONDS: Final = 60
"""Waits after a change: an instance takes minutes to start, and costs by the hour."""

RETAINED: Final[dict[str, Any]] = {
    "RetainAllVariantProperties": True,
    # Of the new configuration; only the count of instances is autoscaling's.
    "ExcludeRetainedVariantProperties": [
        {"VariantPropertyType": "DesiredWeight"},
        {"VariantPropertyType": "DataCaptureConfig"},
    ],
}
"""An update's parameters that keep as many instances as autoscaling has made of them."""


@dataclass(frozen=True)
class Scaling:
    """Between which bounds the instances are scaled, and by what.

    Attributes:
        least: Fewest instances.
        most: Most instances.
        invocations_per_minute: Of each instance, that scaling aims at.
    """

    least: int
    most: int
    invocations_per_minute: int


class EndpointScaling:
    """The scaling of one endpoint's variant.

    Args:
        endpoint: The endpoint's name.
        autoscaling: boto3's client of Application Auto Scaling; None leaves scaling alone.
        wanted: How to scale; None for a fixed number of instances.
    """

    def __init__(self, endpoint: str, autoscaling: Any, wanted: Scaling | None) -> None:  # noqa: ANN401 - boto3 client
        self.wanted = wanted
        self._autoscaling = autoscaling
        self._what = f"autoscaling of endpoint {endpoint}"
        self._target = {
            "ServiceNamespace": "sagemaker",
            "ResourceId": f"endpoint/{endpoint}/variant/{VARIANT}",
            "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
        }
        self._policy = f"{endpoint}-invocations"

    def is_on(self) -> bool:
        """Whether the instances are scaled; who wants none of it need not be allowed to know.

        Raises:
            EndpointError: AWS refuses to say.
        """
        if self._autoscaling is None:
            return False
        from botocore.exceptions import ClientError

        with translate_errors(EndpointError, self._what):
            try:
                found = self._autoscaling.describe_scalable_targets(
                    ServiceNamespace=self._target["ServiceNamespace"],
                    ResourceIds=[self._target["ResourceId"]],
                    ScalableDimension=self._target["ScalableDimension"],
                )
            except ClientError as error:
                if self.wanted is None and error_code(error) == "AccessDeniedException":
                    return False
                raise
        return bool(found["ScalableTargets"])

    def set(self) -> str:
        """Scale as wanted, or no more; says what changed, nothing when nothing did.

        Raises:
            EndpointError: AWS refuses.
        """
        if self._autoscaling is None:
            return ""
        if self.wanted is None:
            return "its instances are scaled no more" if self.release() else ""
        with translate_errors(EndpointError, self._what):
            # The same again changes nothing.
            self._autoscaling.register_scalable_target(
                **self._target, MinCapacity=self.wanted.least, MaxCapacity=self.wanted.most
            )
            self._autoscaling.put_scaling_policy(
                **self._target,
                PolicyName=self._policy,
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration={
                    "TargetValue": float(self.wanted.invocations_per_minute),
                    "PredefinedMetricSpecification": {"PredefinedMetricType": METRIC},
                    "ScaleInCooldown": SCALE_IN_SECONDS,
                    "ScaleOutCooldown": SCALE_OUT_SECONDS,
                },
            )
        return (
            f"{self.wanted.least} to {self.wanted.most} instances, scaled to "
            f"{self.wanted.invocations_per_minute} questions a minute each"
        )

    def release(self) -> bool:
        """Scale no more, which deletes the policy and its alarms; False when it did not.

        Raises:
            EndpointError: AWS refuses.
        """
        if not self.is_on():
            return False
        from botocore.exceptions import ClientError

        with translate_errors(EndpointError, self._what):
            try:
                self._autoscaling.deregister_scalable_target(**self._target)
            except ClientError as error:
                if error_code(error) != "ObjectNotFoundException":
                    raise
        return True
