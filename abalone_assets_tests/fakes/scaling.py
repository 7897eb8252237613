"""What moto's Application Auto Scaling lacks: the end of a target's policies.

Source: https://docs.aws.amazon.com/autoscaling/application/APIReference/API_DeregisterScalableTarget.html
"""

from __future__ import annotations

from typing import Any

from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse

from abalone_assets_tests.fakes.actions import Request, Service, action


class Scaling(Service):
    """Scalable targets, which end with their policies."""

    response_class = ApplicationAutoScalingResponse

    @action
    def deregister_scalable_target(self, request: Request) -> Any:
        answer = request.moto()
        policies = request.response.applicationautoscaling_backend.policies
        target = request.params["ResourceId"]
        for key in [key for key, each in policies.items() if each.resource_id == target]:
            del policies[key]
        return answer
