"""A new serverless version on an endpoint of its own, proved before anybody else asks it.

A serverless endpoint has no canary; but one that nobody asks costs nothing, so there may be a
second one, ``<endpoint>-candidate``, for the minutes of a deployment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from abalone_assets.errors import EndpointError
from abalone_assets.serving.sagemaker.probing import prove
from abalone_assets.serving.sagemaker.removal import ask_to_delete, candidate_name, remove_endpoint
from abalone_assets.serving.sagemaker.watch import EndpointWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abalone_assets.serving.sagemaker.configs import EndpointConfigs
    from abalone_assets.serving.sagemaker.spec import EndpointSpec


@dataclass(frozen=True)
class Candidate:
    """The endpoint of a configuration that is not in service yet.

    Attributes:
        spec: Of the endpoint that it is to serve in.
        configs: Of that endpoint, too.
        config: The configuration.
        timeout_seconds: How long it may take to start.
        on_progress: Told, in lines, how that goes.
    """

    spec: EndpointSpec
    configs: EndpointConfigs
    config: str
    timeout_seconds: float
    on_progress: Callable[[str], None]

    def prove(self, probes: Sequence[tuple[str, float]]) -> None:
        """Make it, ask it the probes and delete it, whatever it answers.

        Raises:
            EndpointError: It does not start, or answers otherwise than its model when evaluated.
        """
        name, sagemaker = candidate_name(self.spec.name), self.spec.sagemaker
        watch = EndpointWatch(
            name, sagemaker, poll_seconds=self.spec.poll_seconds, on_progress=self.on_progress
        )
        remove_endpoint(watch, sagemaker, self.timeout_seconds)  # left by a killed run
        sagemaker.create_endpoint(
            EndpointName=name, EndpointConfigName=self.config, Tags=self.configs.tags
        )
        try:
            state = watch.until(lambda state: state.is_settled, self.timeout_seconds)
            if not state.serves(self.config):
                raise EndpointError(state.failure.rstrip(".") or f"it is {state}")
            prove(self.spec.runtime, name, probes)
        finally:
            # One that is still being made cannot be deleted; the next deployment does, or destroy.
            ask_to_delete(name, sagemaker)
