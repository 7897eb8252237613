"""A SageMaker endpoint that serves one version: deployed blue/green, proved, or taken back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.failures import translate_errors
from abalone_assets.errors import EndpointError
from abalone_assets.serving.pointer import check_endpoint_name
from abalone_assets.serving.sagemaker.configs import EndpointConfigs, Hosting
from abalone_assets.serving.sagemaker.deployment import EndpointDeployment
from abalone_assets.serving.sagemaker.removal import delete_endpoint, leftovers
from abalone_assets.serving.sagemaker.rollout import Rollout, require_alarms
from abalone_assets.serving.sagemaker.watch import EndpointWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abalone_assets.serving.deployment import Deployment

__all__ = [
    "Hosting",
    "Rollout",
    "SageMakerEndpoint",
    "delete_endpoint",
    "leftovers",
    "live_version",
]

CANCEL_SECONDS: Final = 60.0
"""How long a cancelled run stays to take its update back; ECS kills a run 120 s after it asked."""

VERIFICATION_SECONDS: Final = 120.0
"""How long a deployment that has just ended is left alone to ask its probes."""


def live_version(name: str, sagemaker: Any) -> int | None:  # noqa: ANN401 - boto3 makes its clients at run time
    """The version that answers requests; during an update, the one that it replaces.

    None when there is no endpoint, when it does not work, or when it serves no version of ours.

    Args:
        name: The endpoint's name.
        sagemaker: boto3's client of ``sagemaker``.

    Raises:
        EndpointError: AWS refuses to say.
    """
    watch = EndpointWatch(name, sagemaker, poll_seconds=0.0, on_progress=lambda _: None)
    serving = watch.look().serving_config
    with translate_errors(EndpointError, f"endpoint {name}"):
        return EndpointConfigs(name, sagemaker).version_of(serving) if serving else None


class SageMakerEndpoint:
    """One endpoint, whether it exists yet or not.

    Args:
        name: Its name.
        hosting: On what it runs.
        rollout: How a new version replaces the old one.
        sagemaker: boto3's client of ``sagemaker``.
        runtime: boto3's client of ``sagemaker-runtime``.
        cloudwatch: boto3's client of ``cloudwatch``.
        poll_seconds: Wait between two looks at the endpoint.
        cancel_seconds: How long a cancelled deployment waits to take its update back.
        verification_seconds: How long another deployment's version, rolled out but not verified
            yet, is left alone.

    Raises:
        EndpointError: SageMaker would not accept the name.
    """

    def __init__(
        self,
        name: str,
        hosting: Hosting,
        rollout: Rollout,
        *,
        sagemaker: Any,  # noqa: ANN401 - boto3 makes its clients at run time
        runtime: Any,  # noqa: ANN401 - boto3 makes its clients at run time
        cloudwatch: Any,  # noqa: ANN401 - boto3 makes its clients at run time
        poll_seconds: float = 15.0,
        cancel_seconds: float = CANCEL_SECONDS,
        verification_seconds: float = VERIFICATION_SECONDS,
    ) -> None:
        self.name = check_endpoint_name(name)
        self.hosting = hosting
        self.rollout = rollout
        self._configs = EndpointConfigs(name, sagemaker)
        self._sagemaker = sagemaker
        self._runtime = runtime
        self._cloudwatch = cloudwatch
        self._poll_seconds = poll_seconds
        self._cancel_seconds = cancel_seconds
        self._verification_seconds = verification_seconds

    def live_version(self) -> int | None:
        """The version that answers requests; see the function `live_version`."""
        return live_version(self.name, self._sagemaker)

    def deploy(
        self,
        version: int,
        package_arn: str,
        probes: Sequence[tuple[str, float]],
        on_progress: Callable[[str], None] = lambda _: None,
    ) -> Deployment:
        """Make the endpoint serve a version, or leave it with the one before.

        Waits for any update that is in progress, and for its verification; one to this very version
        is joined, not repeated.
        A version that serves already is verified and left alone, unless it answers wrongly and
        there is one before it to return to. Afterwards what no deployment needs is deleted: all
        but the live and the previous configuration.

        SageMaker has no call that stops an update. A cancelled deployment therefore waits for a
        moment for it to end and takes it back; what takes longer goes on under the eyes of its
        alarms, and the next deployment verifies it first.

        Args:
            version: The version's number.
            package_arn: Its model package; SageMaker refuses one that is not approved.
            probes: CSV lines and the rings that the version must predict for them, within 1e-4.
            on_progress: Told, in lines, how it goes.

        Raises:
            EndpointError: No probe was given, an alarm does not exist, or the version was refused,
                late or wrong; the message says why, and what serves now.
        """
        if not probes:
            raise EndpointError("a deployment needs at least one probe to prove the new version")
        require_alarms(self._cloudwatch, self.rollout.alarms)
        return EndpointDeployment(
            version=version,
            package_arn=package_arn,
            probes=probes,
            hosting=self.hosting,
            rollout=self.rollout,
            configs=self._configs,
            watch=self._watch(on_progress),
            sagemaker=self._sagemaker,
            runtime=self._runtime,
            cloudwatch=self._cloudwatch,
            cancel_seconds=self._cancel_seconds,
            verification_seconds=self._verification_seconds,
            started_at=datetime.now(UTC),
        ).run()

    def _watch(self, on_progress: Callable[[str], None]) -> EndpointWatch:
        return EndpointWatch(
            self.name, self._sagemaker, poll_seconds=self._poll_seconds, on_progress=on_progress
        )
