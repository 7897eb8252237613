"""The decisions of the sensor that makes the endpoint obey people."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from abalone_assets.automation.runs import DECISION_TAG, DEPLOY_JOB, MAX_PAID_BACK_OFF, Runs
from abalone_assets.errors import counted
from abalone_assets.registry.versions import desired_of, person_behind

if TYPE_CHECKING:
    from abalone_assets.resources.models import EndpointHost, ModelRegistryResource
    from abalone_assets.settings.platform import Settings


def approval_tick(
    context: dg.SensorEvaluationContext,
    registry: ModelRegistryResource,
    host: EndpointHost,
    settings: Settings,
) -> dg.SensorResult:
    """Ask for a deployment when the endpoint does not serve what a person has decided.

    What the gate has decided is the release's to deploy, and a failed release is tried again by its
    own sensor.
    """
    candidates = registry.open().candidates()
    desired, decided = desired_of(candidates), person_behind(candidates)
    if decided is None:
        return _skip("no person has decided otherwise than the gate")
    live = host.open().live_version()
    if desired is None:
        kept = f"the endpoint keeps version {live}" if live else "nothing is deployed"
        return _skip(f"no version is approved, {kept}. {decided}")
    if desired.version == live:
        return _skip(f"version {live} is live. {decided}")
    wanted = f"version {desired.version} is to replace {f'version {live}' if live else 'nothing'}"
    runs, tag = Runs.seen_by(context), f"{desired.version} since {decided.at}"
    if in_flight := runs.deployments_in_flight():
        return _skip(f"{wanted}, but {counted(len(in_flight), 'deployment')} in flight")
    if reason := _reason_to_back_off(runs, tag, settings):
        return _skip(f"{wanted}, but {reason}")
    return dg.SensorResult(run_requests=[dg.RunRequest(tags={DECISION_TAG: tag})])


def _reason_to_back_off(runs: Runs, tag: str, settings: Settings) -> str | None:
    failed = runs.failures(DEPLOY_JOB, {DECISION_TAG: tag})
    if failed is None:
        return None
    retry_at = failed.retry_at(timedelta(seconds=settings.retry_seconds), MAX_PAID_BACK_OFF)
    return failed.reason_to_wait(retry_at, datetime.now(UTC), "deployment", DEPLOY_JOB)


def _skip(reason: str) -> dg.SensorResult:
    return dg.SensorResult(skip_reason=reason)
