"""A SageMaker endpoint that serves one version: deployed blue/green, proved, or taken back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abalone_assets.aws.failures import translate_errors
from abalone_assets.errors import EndpointError
from abalone_assets.serving.endpoint import Deployment, Endpoint, require_probes
from abalone_assets.serving.pointer import check_endpoint_name
from abalone_assets.serving.sagemaker.configs import EndpointConfigs
from abalone_assets.serving.sagemaker.deployment import (
    CANCEL_SECONDS,
    VERIFICATION_SECONDS,
    EndpointDeployment,
)
from abalone_assets.serving.sagemaker.rollout import require_alarms
from abalone_assets.serving.sagemaker.watch import EndpointWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abalone_assets.serving.sagemaker.configs import Hosting
    from abalone_assets.serving.sagemaker.rollout import Rollout
    from abalone_assets.serving.sagemaker.scaling import Scaling


def live_version(name: str, sagemaker: Any) -> int | None:  # noqa: ANN401 - boto3 makes its clients at run time
    """The version that answers requests; during an update, the one that it replaces.

    None when there is no endpoint, when it does not work, or when it serves no version of ours.

    Raises:
        EndpointError: AWS refuses to say.
    """
    watch = EndpointWatch(name, sagemaker, poll_seconds=0.0, on_progress=lambda _: None)
    serving = watch.look().serving_config
    with translate_errors(EndpointError, f"endpoint {name}"):
        return EndpointConfigs(name, sagemaker).version_of(serving) if serving else None


@dataclass(frozen=True)
class SageMakerEndpoint(Endpoint):
    """One endpoint on SageMaker.

    Waits for any update that is in progress, and for its verification; one to the very version that
    is to be deployed is joined, not repeated. After a deployment what none needs is deleted: all
    but the live and the previous configuration.

    SageMaker has no call that stops an update. A cancelled deployment therefore waits for a moment
    for it to end and takes it back; what takes longer goes on under the eyes of its alarms, and the
    next deployment verifies it first.

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

    Raises:
        EndpointError: SageMaker would not accept the name.
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

    def __post_init__(self) -> None:
        check_endpoint_name(self.name)

    def live_version(self) -> int | None:
        """The version that answers requests; see the function `live_version`."""
        return live_version(self.name, self.sagemaker)

    def deploy(
        self,
        version: int,
        probes: Sequence[tuple[str, float]],
        on_progress: Callable[[str], None] = lambda _: None,
    ) -> Deployment:
        """Create or update the endpoint, blue/green behind alarms, and ask it the probes."""
        require_probes(probes)
        package_arn = self.package_arn(version)
        require_alarms(self.cloudwatch, self.rollout.alarms)
        return EndpointDeployment(self, version, package_arn, probes, on_progress).run()
