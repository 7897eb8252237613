"""What state an endpoint is in, and waiting for another."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.failures import explain, found, is_transient, translate_errors
from abalone_assets.errors import EndpointError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MISSING: Final = "missing"
SERVING: Final = frozenset({"InService", "UpdateRollbackFailed"})
BROKEN: Final = frozenset({"Failed", "OutOfService"})
"""Deleting is all that SageMaker does with such an endpoint."""

_SERVES_NOTHING: Final = BROKEN | {MISSING, "Creating", "Deleting"}


@dataclass(frozen=True)
class EndpointState:
    """What SageMaker says of an endpoint.

    Attributes:
        status: Its ``EndpointStatus``, or ``missing``.
        config: The configuration that serves, or is to serve first; empty for a missing endpoint.
        pending: The configuration that is being rolled out, as far as it is known.
        stage: What the roll-out does now, such as ``Baking``.
        failure: Why the last roll-out failed.
        arn: The endpoint's ARN.
        instances: How many it is to have now, as autoscaling left it; 0 when it has none.
    """

    status: str
    config: str = ""
    pending: str = ""
    stage: str = ""
    failure: str = ""
    arn: str = ""
    instances: int = 0

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> EndpointState:
        """The state in an answer of ``DescribeEndpoint``."""
        status, config = description["EndpointStatus"], description["EndpointConfigName"]
        pending = description.get("PendingDeploymentSummary") or {}
        variants = pending.get("ProductionVariants") or description.get("ProductionVariants") or []
        stages = [stage for variant in variants for stage in variant.get("VariantStatus") or []]
        return cls(
            status=status,
            config=config,
            pending=config if status == "Creating" else pending.get("EndpointConfigName", ""),
            stage=stages[0]["Status"] if stages else "",
            failure=description.get("FailureReason") or "",
            arn=description.get("EndpointArn", ""),
            instances=sum(
                variant.get("DesiredInstanceCount") or 0
                for variant in description.get("ProductionVariants") or []
            ),
        )

    @property
    def is_missing(self) -> bool:
        """Whether there is no such endpoint."""
        return self.status == MISSING

    @property
    def is_settled(self) -> bool:
        """Whether nothing is going on, so that SageMaker takes an order."""
        return self.is_missing or self.status in SERVING | BROKEN

    @property
    def serving_config(self) -> str:
        """The configuration that answers requests; empty when none does."""
        return "" if self.status in _SERVES_NOTHING else self.config

    def serves(self, config: str) -> bool:
        """Whether this configuration, and no part of another, answers requests."""
        return self.status == "InService" and self.config == config

    def __str__(self) -> str:
        return f"{self.status}, {self.stage}" if self.stage else self.status


class EndpointWatch:
    """Looks at one endpoint until it is as wanted.

    Args:
        on_progress: Told, in a line, whenever the state changes.
    """

    def __init__(
        self,
        name: str,
        sagemaker: Any,  # noqa: ANN401 - boto3 makes its clients at run time
        *,
        poll_seconds: float,
        on_progress: Callable[[str], None],
    ) -> None:
        self.name = name
        self.on_progress = on_progress
        self._sagemaker = sagemaker
        self._poll_seconds = poll_seconds
        self._told = ""

    def look(self) -> EndpointState:
        """The endpoint's state now.

        Raises:
            EndpointError: AWS refuses to say.
        """
        with translate_errors(EndpointError, f"endpoint {self.name}"):
            return self._look()

    def until(self, done: Callable[[EndpointState], bool], seconds: float) -> EndpointState:
        """Look again and again, undeterred by throttling and outages.

        Raises:
            EndpointError: It took longer, or AWS refuses to say.
        """
        deadline = time.monotonic() + seconds
        last = "unknown"
        while True:
            state = self._look_patiently()
            if state is not None:
                last = str(state)
                self._tell(last)
                if done(state):
                    return state
            if time.monotonic() > deadline:
                raise EndpointError(f"endpoint {self.name} is still {last} after {seconds:g} s")
            self.pause()

    def pause(self) -> None:
        """Wait for the next look."""
        time.sleep(self._poll_seconds)

    def _look_patiently(self) -> EndpointState | None:
        from botocore.exceptions import BotoCoreError, ClientError

        with translate_errors(EndpointError, f"endpoint {self.name}"):
            try:
                return self._look()
            except (BotoCoreError, ClientError) as error:
                if not is_transient(error):
                    raise
                self._tell(f"no answer yet: {explain(error)}")
                return None

    def _look(self) -> EndpointState:
        described = found(self._sagemaker.describe_endpoint, EndpointName=self.name)
        return EndpointState.of(described) if described else EndpointState(MISSING)

    def _tell(self, line: str) -> None:
        if line != self._told:
            self._told = line
            self.on_progress(f"endpoint {self.name}: {line}")
