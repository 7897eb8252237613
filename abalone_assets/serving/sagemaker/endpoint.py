"""A SageMaker endpoint that serves one version: deployed blue/green, proved, or taken back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abalone_assets.aws.failures import translate_errors
from abalone_assets.errors import EndpointError
from abalone_assets.serving.endpoint import Deployment, Endpoint, require_probes
from abalone_assets.serving.pointer import check_endpoint_name
from abalone_assets.serving.sagemaker.configs import EndpointConfigs
from abalone_assets.serving.sagemaker.deployment import EndpointDeployment
from abalone_assets.serving.sagemaker.rollout import require_alarms
from abalone_assets.serving.sagemaker.spec import EndpointSpec
from abalone_assets.serving.sagemaker.watch import EndpointWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


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
class SageMakerEndpoint(EndpointSpec, Endpoint):
    """One endpoint on SageMaker.

    Waits for any update that is in progress, and for its verification; one to the very version that
    is to be deployed is joined, not repeated. After a deployment what none needs is deleted: all
    but the live and the previous configuration.

    SageMaker has no call that stops an update. A cancelled deployment therefore waits for a moment
    for it to end and takes it back; what takes longer goes on under the eyes of its alarms, and the
    next deployment verifies it first.

    Raises:
        EndpointError: SageMaker would not accept the name.
    """

    def __post_init__(self) -> None:
        check_endpoint_name(self.name)

    def live_version(self) -> int | None:
        """The version that answers requests; see the function `live_version`."""
        return live_version(self.name, self.sagemaker)

    def ensure_model(self, version: int) -> str:
        """The name of a version's SageMaker model, which other jobs than the endpoint run, too.

        Like all that a deployment makes, it is deleted by a later one that does not need it.

        Raises:
            EndpointError: SageMaker refuses, such as a version that is not approved.
        """
        configs = EndpointConfigs(self.name, self.sagemaker)
        return configs.ensure_model(version, self.package_arn(version), self.hosting)

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
