"""One version on its way to a SageMaker endpoint: rolled out, proved, or taken back."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.failures import exists_already, is_busy, is_missing, translate_errors
from abalone_assets.errors import AbaloneError, EndpointError
from abalone_assets.serving.endpoint import Deployment, WrongAnswerError
from abalone_assets.serving.sagemaker.candidate import Candidate
from abalone_assets.serving.sagemaker.configs import EndpointConfigs
from abalone_assets.serving.sagemaker.probing import prove
from abalone_assets.serving.sagemaker.removal import ask_to_delete, remove_endpoint
from abalone_assets.serving.sagemaker.rollback_target import RollbackTarget
from abalone_assets.serving.sagemaker.rollout import ALL_AT_ONCE, ringing_alarms, told_ringing
from abalone_assets.serving.sagemaker.scaling import EndpointScaling
from abalone_assets.serving.sagemaker.update import EndpointUpdate
from abalone_assets.serving.sagemaker.watch import BROKEN, EndpointWatch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from abalone_assets.serving.sagemaker.spec import EndpointSpec
    from abalone_assets.serving.sagemaker.watch import EndpointState

ROLLBACK_SECONDS: Final = 1800.0
"""How much longer than its timeout a deployment may take: SageMaker rolls back in that time."""


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
        endpoint: EndpointSpec,
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
        self.scaling = EndpointScaling(endpoint.name, endpoint.autoscaling, endpoint.scaling)
        self.update = EndpointUpdate(self.configs, self.scaling, endpoint.sagemaker, self._say)
        self.started_at = datetime.now(UTC)
        self._watched: Collection[str] = ()
        """Alarms that this deployment watches itself, for SageMaker does not."""

    def run(self) -> Deployment:
        """Begin, wait, verify, clean up."""
        started = time.monotonic()
        with translate_errors(EndpointError, f"endpoint {self.watch.name}"):
            try:
                begun = self._begin()
            except EndpointError:
                self._try_to_scale()
                raise
            try:
                self._wait_until_live(begun)
                self._verify(begun)
            except EndpointError:
                self._try_to_scale()
                raise
            except BaseException:  # such as a cancelled run: nothing unproved stays, if possible
                self._take_back(begun)
                raise
            self._clean_up(begun)
            self._scale()
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

        self.update.require_possible(state, self.endpoint.hosting)
        self.configs.ensure(self.version, self.package_arn, self.endpoint.hosting)
        try:
            if state.is_missing:
                self.sagemaker.create_endpoint(
                    EndpointName=self.watch.name,
                    EndpointConfigName=self.config,
                    Tags=self.configs.tags,
                )
            else:
                self._prove_beside(state)
                self.target.keep(state, previous)
                self.update.start(state, self.config, self._deployment_config(state))
        except ClientError as error:
            # Missing: its clean-up has just deleted the configuration, or somebody the endpoint.
            if is_busy(error) or exists_already(error) or is_missing(error):
                return False
            raise
        self._say(f"version {self.version} is being rolled out as {self.config}")
        return True

    def _prove_beside(self, state: EndpointState) -> None:
        """Ask a serverless version its probes before it takes any traffic."""
        if self.endpoint.hosting.serverless is None:
            return
        self._say(f"asking version {self.version} its probes on an endpoint of its own first")
        candidate = Candidate(
            self.endpoint, self.configs, self.config, self._timeout, self.watch.on_progress
        )
        try:
            candidate.prove(self.probes)
        except EndpointError as error:
            raise EndpointError(
                f"version {self.version} was not taken: {error}; {self._now_serving(state)}"
            ) from error

    def _deployment_config(self, state: EndpointState) -> dict[str, Any] | None:
        """How to update; an alarm that the live version rings already must not keep it live.

        None where SageMaker watches nothing: then this deployment does.
        """
        ringing = ringing_alarms(self.endpoint.cloudwatch, self.rollout.alarms)
        for name, reason in ringing.items():
            self._say(
                f"alarm {name} rings already ({reason}); it cannot judge version {self.version}"
                " and is left out"
            )
        if ringing and len(ringing) == len(set(self.rollout.alarms)):
            self._say(f"no alarm is left; version {self.version} is judged by its probes alone")
        if not self.update.is_guarded(state, self.config):
            self._watched = [name for name in self.rollout.alarms if name not in ringing]
            return None
        keeps = self.update.keeps_instances(state, self.config)
        count = state.instances if keeps else self.endpoint.hosting.instance_count
        return self.rollout.deployment_config(count, without=ringing)

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
        told = told_ringing(self.endpoint.cloudwatch, self.rollout.alarms)
        return f"version {self.version} was not taken: {'; '.join(filter(None, (reason, told)))}"

    def _now_serving(self, state: EndpointState) -> str:
        if not state.serving_config:
            return "nothing serves; the next deployment starts anew"
        version = self.configs.version_of(state.serving_config)
        return f"version {version} serves" if version else f"{state.serving_config} serves"

    def _verify(self, begun: _Begun) -> None:
        self._say(f"asking {len(self.probes)} probes")
        try:
            state = self._proved()
            self._watch_alarms()
            self.target.keep_verified(state)
        except EndpointError as error:
            raise EndpointError(
                f"version {self.version} is not verified: {error}; {self._after(error, begun)}"
            ) from error

    def _proved(self) -> EndpointState:
        prove(self.endpoint.runtime, self.watch.name, self.probes)
        state = self.watch.look()
        if not state.serves(self.config):  # then another version may have answered
            raise EndpointError(f"version {self.version} was superseded by another deployment")
        return state

    def _watch_alarms(self) -> None:
        """Watch, for as long as a canary would be, the alarms that SageMaker does not watch.

        Raises:
            EndpointError: One rings.
        """
        deadline = time.monotonic() + self.rollout.canary_wait_seconds
        while self._watched:
            if told := told_ringing(self.endpoint.cloudwatch, tuple(self._watched)):
                raise EndpointError(told)
            if time.monotonic() >= deadline:
                return
            self.watch.pause()

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

        state = self.watch.look()
        if not state.serves(self.config):
            return False
        if begun.is_new:
            return ask_to_delete(self.watch.name, self.sagemaker)
        try:
            if self.update.can_return(self.config, begun.previous):
                guarded = self.update.is_guarded(state, begun.previous)
                self.update.start(state, begun.previous, ALL_AT_ONCE if guarded else None)
            else:
                self._make_anew(begun.previous)
        except ClientError as error:
            if is_busy(error):
                return False
            raise
        self._say(f"going back to {begun.previous}")
        return True

    def _make_anew(self, config: str) -> None:
        """Replace the endpoint by one of a serverless configuration, which no update leads to."""
        self._say("SageMaker leads back to a serverless version only by making the endpoint anew")
        remove_endpoint(self.watch, self.sagemaker, self._timeout)
        self.sagemaker.create_endpoint(
            EndpointName=self.watch.name, EndpointConfigName=config, Tags=self.configs.tags
        )

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

    def _scale(self) -> None:
        """Scale the instances as the settings say, whichever version serves on them.

        Raises:
            EndpointError: AWS refuses.
        """
        if self.endpoint.hosting.serverless is not None:
            return
        state = self.watch.look()
        if state.is_settled and state.instances and (told := self.scaling.set()):
            self._say(told)

    def _try_to_scale(self) -> None:
        """The same where another error counts more: an update may have ended the scaling."""
        try:
            self._scale()
        except EndpointError as error:
            self._say(str(error))

    @property
    def _timeout(self) -> float:
        return self.rollout.timeout_seconds + ROLLBACK_SECONDS

    def _say(self, line: str) -> None:
        self.watch.on_progress(f"endpoint {self.watch.name}: {line}")
