"""A SageMaker endpoint that serves one version: deployed blue/green, proved, or taken back."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.failures import (
    error_code,
    exists_already,
    is_busy,
    is_missing,
    translate_errors,
)
from abalone_assets.errors import AbaloneError, EndpointError
from abalone_assets.serving.endpoint import (
    Deployment,
    Endpoint,
    WrongAnswerError,
    body_of,
    check_answers,
    require_probes,
)
from abalone_assets.serving.pointer import check_endpoint_name
from abalone_assets.serving.sagemaker.configs import EndpointConfigs
from abalone_assets.serving.sagemaker.removal import ask_to_delete, remove_endpoint
from abalone_assets.serving.sagemaker.rollback_target import RollbackTarget
from abalone_assets.serving.sagemaker.rollout import ALL_AT_ONCE, require_alarms, ringing_alarms
from abalone_assets.serving.sagemaker.watch import BROKEN, EndpointWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from abalone_assets.serving.sagemaker.configs import Hosting
    from abalone_assets.serving.sagemaker.rollout import Rollout
    from abalone_assets.serving.sagemaker.watch import EndpointState

_CSV: Final = "text/csv"

ROLLBACK_SECONDS: Final = 1800.0
"""How much longer than its timeout a deployment may take: SageMaker rolls back in that time."""

CANCEL_SECONDS: Final = 60.0
"""How long a cancelled run stays to take its update back; ECS kills a run 120 s after it asked."""

VERIFICATION_SECONDS: Final = 120.0
"""How long a deployment that has just ended is left alone to ask its probes."""


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
    poll_seconds: float = 15.0
    cancel_seconds: float = CANCEL_SECONDS
    verification_seconds: float = VERIFICATION_SECONDS

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


@dataclass(frozen=True)
class _Begun:
    """How a deployment began.

    Attributes:
        replaced: The configuration that served then; empty when none did.
        previous: The one to return to; empty when there is none.
        is_new: Whether there was no endpoint.
        was_live: Whether the version served already.
    """

    replaced: str
    previous: str
    is_new: bool = False
    was_live: bool = False


class EndpointDeployment:
    """One version on its way to one endpoint; see `SageMakerEndpoint.deploy`."""

    def __init__(
        self,
        endpoint: SageMakerEndpoint,
        version: int,
        package_arn: str,
        probes: Sequence[tuple[str, float]],
        on_progress: Callable[[str], None],
    ) -> None:
        self.version = version
        self.package_arn = package_arn
        self.probes = probes
        self.endpoint = endpoint
        self.sagemaker = endpoint.sagemaker
        self.rollout = endpoint.rollout
        self.configs = EndpointConfigs(endpoint.name, endpoint.sagemaker)
        self.config = self.configs.name_of(version, package_arn, endpoint.hosting)
        self.target = RollbackTarget(self.configs, endpoint.sagemaker)
        self.watch = EndpointWatch(
            endpoint.name,
            endpoint.sagemaker,
            poll_seconds=endpoint.poll_seconds,
            on_progress=on_progress,
        )
        self.started_at = datetime.now(UTC)

    def run(self) -> Deployment:
        """Begin, wait, verify, clean up."""
        started = time.monotonic()
        with translate_errors(EndpointError, f"endpoint {self.watch.name}"):
            begun = self._begin()
            try:
                self._wait_until_live(begun)
                self._verify(begun)
            except EndpointError:
                raise
            except BaseException:  # such as a cancelled run: nothing unproved stays, if possible
                self._take_back(begun)
                raise
            self._clean_up(begun)
            previous = self.configs.version_of(begun.previous) if begun.previous else None
        how = "was live already" if begun.was_live else "is live"
        return Deployment(
            version=self.version,
            previous=previous,
            served=True,
            url=f"{self.endpoint.runtime.meta.endpoint_url}/endpoints/{self.watch.name}",
            seconds=time.monotonic() - started,
            message=f"version {self.version} {how}",
        )

    def _begin(self) -> _Begun:
        """Wait for this deployment's turn and start it, unless it runs or is live already."""
        deadline = time.monotonic() + self._timeout
        while time.monotonic() < deadline:
            state = self._turn()
            previous = self.target.find(state, self.config)
            if state.pending == self.config:
                self._say(f"version {self.version} is being rolled out already; joining in")
                is_new = state.status == "Creating"
                return _Begun(state.serving_config, previous, is_new=is_new)
            if state.serves(self.config):
                return _Begun(state.serving_config, previous, was_live=True)
            if state.status in BROKEN:
                self._say(f"it is {state.status} ({state.failure}); deleting it")
                remove_endpoint(self.watch, self.sagemaker, self._timeout)
            elif self._start(state, previous):
                return _Begun(state.serving_config, previous, is_new=state.is_missing)
            else:
                self.watch.pause()
        raise EndpointError(
            f"endpoint {self.watch.name} was busy with other deployments for {self._timeout:g} s;"
            " try again"
        )

    def _turn(self) -> EndpointState:
        """The endpoint's state once no other deployment changes or verifies it."""
        state = self.watch.until(self._is_ready, self._timeout)
        deadline = time.monotonic() + self.endpoint.verification_seconds
        while self._is_left_alone(state) and time.monotonic() < deadline:
            self.watch.pause()
            state = self.watch.until(self._is_ready, self._timeout)
        return state

    def _is_ready(self, state: EndpointState) -> bool:
        return state.is_settled or state.pending == self.config

    def _is_left_alone(self, state: EndpointState) -> bool:
        """Whether another deployment may be asking its probes; one that crashed never will."""
        mine = self.config in {state.pending, state.config}
        return not mine and not self.target.is_verified(state)

    def _start(self, state: EndpointState, previous: str) -> bool:
        """Create or update the endpoint; False when another deployment was faster."""
        from botocore.exceptions import ClientError

        self.configs.ensure(self.version, self.package_arn, self.endpoint.hosting)
        names = {"EndpointName": self.watch.name, "EndpointConfigName": self.config}
        try:
            if state.is_missing:
                self.sagemaker.create_endpoint(**names, Tags=self.configs.tags)
            else:
                self.target.keep(state, previous)
                self.sagemaker.update_endpoint(**names, DeploymentConfig=self._deployment_config())
        except ClientError as error:
            # Missing: its clean-up has just deleted the configuration, or somebody the endpoint.
            if is_busy(error) or exists_already(error) or is_missing(error):
                return False
            raise
        self._say(f"version {self.version} is being rolled out as {self.config}")
        return True

    def _deployment_config(self) -> dict[str, Any]:
        """How to update; an alarm that the live version rings already must not keep it live."""
        ringing = ringing_alarms(self.endpoint.cloudwatch, self.rollout.alarms)
        for name, reason in ringing.items():
            self._say(
                f"alarm {name} rings already ({reason}); it cannot judge version {self.version}"
                " and is left out"
            )
        if ringing and len(ringing) == len(set(self.rollout.alarms)):
            self._say(f"no alarm is left; version {self.version} is judged by its probes alone")
        return self.rollout.deployment_config(self.endpoint.hosting.instance_count, without=ringing)

    def _wait_until_live(self, begun: _Begun) -> None:
        try:
            state = self.watch.until(lambda state: state.is_settled, self._timeout)
        except EndpointError as error:
            raise EndpointError(
                f"{error}; SageMaker goes on with version {self.version} by itself: deploy again to"
                " have it verified"
            ) from error
        if not state.serves(self.config):
            raise EndpointError(f"{self._why_not_live(state, begun)}; {self._now_serving(state)}")

    def _why_not_live(self, state: EndpointState, begun: _Begun) -> str:
        if state.is_missing:
            return f"endpoint {self.watch.name} was deleted during the deployment"
        if state.serving_config not in {"", begun.replaced, self.config}:
            return f"version {self.version} was superseded by another deployment"
        reason = state.failure.rstrip(".") or f"endpoint {self.watch.name} is {state}"
        ringing = ringing_alarms(self.endpoint.cloudwatch, self.rollout.alarms)
        told = ", ".join(f"{name} ({why})" for name, why in ringing.items())
        alarms = f"; alarms: {told}" if told else ""
        return f"version {self.version} was not taken: {reason}{alarms}"

    def _now_serving(self, state: EndpointState) -> str:
        if not state.serving_config:
            return "nothing serves; the next deployment starts anew"
        version = self.configs.version_of(state.serving_config)
        return f"version {version} serves" if version else f"{state.serving_config} serves"

    def _verify(self, begun: _Begun) -> None:
        self._say(f"asking {len(self.probes)} probes")
        try:
            self.target.keep_verified(self._proved())
        except EndpointError as error:
            raise EndpointError(
                f"version {self.version} is not verified: {error}; {self._after(error, begun)}"
            ) from error

    def _proved(self) -> EndpointState:
        predictions = _predict(self.endpoint.runtime, self.watch.name, body_of(self.probes))
        check_answers(f"endpoint {self.watch.name}", self.probes, predictions)
        state = self.watch.look()
        if not state.serves(self.config):  # then another version may have answered
            raise EndpointError(f"version {self.version} was superseded by another deployment")
        return state

    def _after(self, error: EndpointError, begun: _Begun) -> str:
        """Go back, unless that would take down a version which may be right; says which."""
        replaceable = isinstance(error, WrongAnswerError) and begun.previous
        if begun.was_live and not replaceable:
            return f"version {self.version} was live before and is not taken back"
        try:
            return self._go_back(begun)
        except AbaloneError as failure:
            return f"going back failed: {failure}"

    def _go_back(self, begun: _Begun) -> str:
        """Return to what served before and wait until it does; says how that went."""
        with translate_errors(EndpointError, f"endpoint {self.watch.name}"):
            if not self._ask_to_go_back(begun):
                return f"version {self.version} does not serve any more"
            if begun.is_new:
                self.watch.until(lambda state: state.is_missing, self._timeout)
                return "nothing serves: the new endpoint was deleted"
            state = self.watch.until(lambda state: state.is_settled, self._timeout)
            return self._now_serving(state) + (" again" if state.serves(begun.previous) else "")

    def _ask_to_go_back(self, begun: _Begun) -> bool:
        """Start the rollback; False when the endpoint is no longer this deployment's."""
        from botocore.exceptions import ClientError

        if not self.watch.look().serves(self.config):
            return False
        if begun.is_new:
            return ask_to_delete(self.watch.name, self.sagemaker)
        try:
            self.sagemaker.update_endpoint(
                EndpointName=self.watch.name,
                EndpointConfigName=begun.previous,
                DeploymentConfig=ALL_AT_ONCE,
            )
        except ClientError as error:
            if is_busy(error):
                return False
            raise
        self._say(f"going back to {begun.previous}")
        return True

    def _take_back(self, begun: _Begun) -> None:
        """Undo a deployment that was cut short, as far as SageMaker lets that be in a moment."""
        if begun.was_live:
            return
        self._say("the deployment was cut short; taking it back")
        try:
            with translate_errors(EndpointError, f"endpoint {self.watch.name}"):
                self.watch.until(lambda state: state.is_settled, self.endpoint.cancel_seconds)
                if not self._ask_to_go_back(begun):
                    self._say(f"version {self.version} does not serve; nothing to take back")
        except AbaloneError as error:
            self._say(f"{error}; SageMaker goes on, and the next deployment verifies it")

    def _clean_up(self, begun: _Begun) -> None:
        """Delete what no deployment needs; a failure is told, the version is live all the same."""
        try:
            if not self.watch.look().serves(self.config):
                return  # another deployment has begun, and may need anything
            with translate_errors(EndpointError, "clean-up"):
                keep = {self.config, begun.previous} - {""}
                for resource in self.configs.delete_unused(keep, self.started_at):
                    self._say(f"{resource.kind} {resource.name} deleted: nothing uses it")
        except AbaloneError as error:
            self._say(str(error))

    @property
    def _timeout(self) -> float:
        return self.rollout.timeout_seconds + ROLLBACK_SECONDS

    def _say(self, line: str) -> None:
        self.watch.on_progress(f"endpoint {self.watch.name}: {line}")


def _predict(runtime: Any, endpoint: str, body: str) -> list[float]:  # noqa: ANN401 - boto3 client
    """The rings that the endpoint predicts.

    Raises:
        WrongAnswerError: It answers no numbers.
        EndpointError: It refuses, or cannot be asked.
    """
    from botocore.exceptions import ClientError

    with translate_errors(EndpointError, f"endpoint {endpoint}"):
        try:
            answer = runtime.invoke_endpoint(
                EndpointName=endpoint, ContentType=_CSV, Accept=_CSV, Body=body.encode()
            )
            text = answer["Body"].read().decode(errors="replace")
        except ClientError as error:
            if error_code(error) != "ModelError":
                raise
            raise EndpointError(f"endpoint {endpoint}: {_models_words(error)}") from error
    try:
        return [float(field) for field in text.split()]
    except ValueError as error:
        raise WrongAnswerError(f"endpoint {endpoint} answered no predictions: {error}") from error


def _models_words(error: Any) -> str:  # noqa: ANN401 - ModelError has fields of its own
    """The model's own words, where it was the model that refused."""
    message = str(error.response.get("OriginalMessage") or error)
    try:
        document = json.loads(message)
    except ValueError:
        return message
    return str(document.get("message", message)) if isinstance(document, dict) else message
