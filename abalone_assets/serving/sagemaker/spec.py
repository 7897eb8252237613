"""What is known of an endpoint before it is looked at: what it runs on, and by whom it is asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from abalone_assets.serving.sagemaker.configs import Hosting
    from abalone_assets.serving.sagemaker.rollout import Rollout
    from abalone_assets.serving.sagemaker.scaling import Scaling

CANCEL_SECONDS: Final = 60.0
"""How long a cancelled run stays to take its update back; ECS kills a run 120 s after it asked."""

VERIFICATION_SECONDS: Final = 120.0
"""How long a deployment that has just ended is left alone to ask its probes."""


@dataclass(frozen=True)
class EndpointSpec:
    """One endpoint on SageMaker, as the settings have it.

    Attributes:
        name: Its name.
        package_arn: Looks up the model package of a version; SageMaker refuses to deploy one that
            is not approved.
        autoscaling: boto3's client of Application Auto Scaling; None leaves scaling alone.
        scaling: How the instances are scaled; None keeps their number fixed.
        poll_seconds: Wait between two looks at the endpoint.
        cancel_seconds: How long a cancelled deployment waits to take its update back.
        verification_seconds: How long another deployment's version, rolled out but not verified
            yet, is left alone.
    """

    name: str
    hosting: Hosting
    rollout: Rollout
    package_arn: Callable[[int], str]
    sagemaker: Any
    runtime: Any
    cloudwatch: Any
    autoscaling: Any = None
    scaling: Scaling | None = None
    poll_seconds: float = 15.0
    cancel_seconds: float = CANCEL_SECONDS
    verification_seconds: float = VERIFICATION_SECONDS
