"""Where to roll back to: what deployments remember in tags of the endpoint itself.

A deployment that crashed must lose neither the rollback target nor the knowledge that nobody has
proved what it left behind; the endpoint is the one thing that all deployments share.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from abalone_assets.serving.sagemaker.configs import EndpointConfigs
    from abalone_assets.serving.sagemaker.watch import EndpointState

PREVIOUS_TAG: Final = "PreviousConfig"
"""The configuration to roll back to from the one that was deployed last."""

VERIFIED_TAG: Final = "VerifiedConfig"
"""The configuration that answered its probes last."""


class RollbackTarget:
    """The configuration that one endpoint rolls back to, and whether what serves was verified."""

    def __init__(self, configs: EndpointConfigs, sagemaker: Any) -> None:  # noqa: ANN401 - made at run time
        self._configs = configs
        self._sagemaker = sagemaker

    def is_verified(self, state: EndpointState) -> bool:
        """Whether what serves has answered its probes; so has an endpoint that serves nothing."""
        serving = state.serving_config
        return not serving or self._tags(state).get(VERIFIED_TAG) == serving

    def find(self, state: EndpointState, config: str) -> str:
        """The configuration to roll back to if another one is found wrong; empty when none is.

        It is the one that was verified last, rather than one that serves unproved.

        Args:
            state: The endpoint's state before the other is deployed, or while it serves.
            config: The other.
        """
        tags = self._tags(state)
        known = (tags.get(VERIFIED_TAG), state.serving_config, tags.get(PREVIOUS_TAG))
        others = (each for each in known if each and each != config)
        return next((each for each in others if self._configs.exists(each)), "")

    def keep(self, state: EndpointState, target: str) -> None:
        """Remember where to roll back to, before the endpoint is updated."""
        if target:
            self._tag(state, PREVIOUS_TAG, target)

    def keep_verified(self, state: EndpointState) -> None:
        """Remember that what serves has answered its probes."""
        self._tag(state, VERIFIED_TAG, state.serving_config)

    def _tag(self, state: EndpointState, key: str, value: str) -> None:
        self._sagemaker.add_tags(ResourceArn=state.arn, Tags=[{"Key": key, "Value": value}])

    def _tags(self, state: EndpointState) -> dict[str, str]:
        if not state.arn:
            return {}
        tags = self._sagemaker.list_tags(ResourceArn=state.arn)["Tags"]
        return {tag["Key"]: tag["Value"] for tag in tags}
