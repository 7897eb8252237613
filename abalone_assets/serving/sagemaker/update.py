"""Bringing an endpoint from one configuration to another, as far as SageMaker lets that be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abalone_assets.errors import EndpointError
from abalone_assets.serving.sagemaker.scaling import RETAINED

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from abalone_assets.serving.sagemaker.configs import EndpointConfigs, Hosting
    from abalone_assets.serving.sagemaker.scaling import EndpointScaling
    from abalone_assets.serving.sagemaker.watch import EndpointState


@dataclass(frozen=True)
class EndpointUpdate:
    """Updates of one endpoint.

    Attributes:
        say: Told, in a line, what is done besides.
    """

    configs: EndpointConfigs
    scaling: EndpointScaling
    sagemaker: Any
    say: Callable[[str], None]

    def require_possible(self, state: EndpointState, hosting: Hosting) -> None:
        """Make sure that SageMaker takes the endpoint from what it runs on to the hosting.

        It updates no endpoint of instances to a serverless one, only the other way round:
        https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints-update.html

        Raises:
            EndpointError: It does not; the message says what a person can do.
        """
        if hosting.serverless is not None and state.instances:
            name = self.configs.endpoint
            raise EndpointError(
                f"endpoint {name} runs on instances, and SageMaker makes no serverless endpoint of"
                f" such a one: delete it (aws sagemaker delete-endpoint --endpoint-name {name}) and"
                " deploy again, which leaves some minutes without answers, or set"
                " ABALONE_ENDPOINT_MODE=instances"
            )

    def is_guarded(self, state: EndpointState, config: str) -> bool:
        """Whether SageMaker itself shifts the traffic step by step and watches the alarms.

        It does so between instances: a canary is a share of them.
        """
        return not any(self.configs.is_serverless(each) for each in (state.config, config))

    def can_return(self, config: str, previous: str) -> bool:
        """Whether an update leads back from a configuration to the one before."""
        return self.configs.is_serverless(config) or not self.configs.is_serverless(previous)

    def keeps_instances(self, state: EndpointState, config: str) -> bool:
        """Whether as many instances go on as autoscaling has made of them."""
        if self.scaling.wanted is None or not self.scaling.is_on():
            return False
        return self._same_type(state, config)

    def start(
        self, state: EndpointState, config: str, deployment: Mapping[str, Any] | None
    ) -> None:
        """Start the update.

        Args:
            state: The endpoint's state now.
            config: The new configuration.
            deployment: The ``DeploymentConfig``, if any.

        Raises:
            ClientError: SageMaker refuses, such as when another update goes on.
            EndpointError: AWS refuses to end the scaling.
        """
        keeps = self.keeps_instances(state, config)
        if not self._same_type(state, config) and self.scaling.release():
            self.say("its instances are not scaled while their type changes")
        self.sagemaker.update_endpoint(
            EndpointName=self.configs.endpoint,
            EndpointConfigName=config,
            **({"DeploymentConfig": deployment} if deployment else {}),
            **(RETAINED if keeps else {}),
        )

    def _same_type(self, state: EndpointState, config: str) -> bool:
        """Whether both run on instances of one type."""
        old, new = map(self.configs.instance_type_of, (state.config, config))
        return bool(new) and old == new
