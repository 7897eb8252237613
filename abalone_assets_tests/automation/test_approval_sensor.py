"""The approval sensor: when it asks for a deployment, and what it says when it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets.automation.runs import DECISION_TAG, DEPLOY_JOB
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.serving.live_version import live_version
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.automation.support import INGEST, RELEASE, Clock, launch, requests
from abalone_assets_tests.serving.support import new_registry

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.support.platform import Platform

SENSOR = "approval_sensor"
RETRY_SECONDS = 10


@pytest.fixture
def registry(home: Path) -> FolderRegistry:
    """Versions 1 and 2 are approved by the gate, 3 is rejected; 2 is live."""
    registry = new_registry(home)
    for approved in (True, True, False):
        add(registry, approved=approved)
    publish_pointer(registry.store, "abalone", 2)
    return registry


def add(registry: FolderRegistry, *, approved: bool = True) -> int:
    return registry.register(
        b"an archive",
        evaluation={"probes": [["M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15", 9.5]]},
        decision={"approved": approved, "reason": "as measured"},
        release_digest="release",
    ).version


def reason(platform: Platform) -> str:
    """Why the sensor asks for nothing."""
    assert requests(platform, SENSOR) == []
    return str(platform.reasons[SENSOR])


def test_what_the_gate_decides_is_left_to_the_releases(
    registry: FolderRegistry, platform: Platform
) -> None:
    assert reason(platform) == "no person has decided otherwise than the gate"
    add(registry)  # and its release failed to deploy it
    assert reason(platform) == "no person has decided otherwise than the gate"


def test_an_empty_registry_asks_for_nothing(platform: Platform) -> None:
    assert reason(platform) == "no person has decided otherwise than the gate"


@pytest.mark.parametrize(
    ("word", "version", "live"), [("approve", 1, 1), ("approve", 3, 3), ("reject", 2, 1)]
)
def test_what_a_person_decided_is_deployed_once(
    registry: FolderRegistry, platform: Platform, word: str, version: int, live: int
) -> None:
    getattr(registry, word)(version, because="checked", by="ana")
    (request,) = requests(platform, SENSOR)
    assert platform.run(DEPLOY_JOB, request).success
    assert live_version(load_settings()) == live
    said = reason(platform)
    assert said.startswith(f"version {live} is live. {word.capitalize()}")
    assert said.endswith(": checked.")


def test_the_rejection_of_the_last_approved_version_leaves_it_live_and_says_so(
    registry: FolderRegistry, platform: Platform
) -> None:
    for version in (1, 2):
        registry.reject(version, because="broken scale", by="ana")
    assert reason(platform).startswith(
        "no version is approved, the endpoint keeps version 2. Rejected by ana on "
    )


def test_the_next_version_that_the_gate_approves_ends_a_persons_choice(
    registry: FolderRegistry, platform: Platform
) -> None:
    registry.approve(1, because="checked", by="ana")
    publish_pointer(registry.store, "abalone", 1)
    add(registry)
    assert reason(platform) == "no person has decided otherwise than the gate"


@pytest.mark.parametrize("job", [RELEASE, DEPLOY_JOB])
def test_it_waits_for_runs_that_deploy(
    registry: FolderRegistry, platform: Platform, job: str
) -> None:
    registry.approve(1, because="checked", by="ana")
    run = launch(platform, dg.RunRequest(), job)
    assert reason(platform) == ("version 1 is to replace version 2, but 1 deployment in flight")
    platform.instance.report_run_canceled(run)
    launch(platform, dg.RunRequest(), INGEST)  # deploys nothing
    assert len(requests(platform, SENSOR)) == 1


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The sensor's clock."""
    return Clock.installed(monkeypatch)


def fail(platform: Platform, request: dg.RunRequest, *, times: int) -> None:
    """Leave so many runs that failed to do what the sensor asked for."""
    job = platform.definitions.resolve_job_def(DEPLOY_JOB)
    for _ in range(times):
        platform.instance.create_run_for_job(
            job, tags=dict(request.tags), status=dg.DagsterRunStatus.FAILURE
        )


def test_a_deployment_that_fails_is_tried_again_later_and_later_another_at_once(
    registry: FolderRegistry, platform: Platform, clock: Clock
) -> None:
    registry.approve(1, because="checked", by="ana")
    (request,) = requests(platform, SENSOR)
    assert request.tags[DECISION_TAG].startswith("1 since ")
    fail(platform, request, times=2)
    clock.advance(seconds=RETRY_SECONDS)
    assert "2 deployments failed; the next is tried at" in reason(platform)
    clock.advance(seconds=RETRY_SECONDS)
    assert len(requests(platform, SENSOR)) == 1
    clock.reset()
    registry.approve(3, because="checked too", by="ana")
    assert len(requests(platform, SENSOR)) == 1


def test_after_many_failures_it_waits_a_day_and_no_longer(
    registry: FolderRegistry, platform: Platform, clock: Clock
) -> None:
    registry.approve(1, because="checked", by="ana")
    (request,) = requests(platform, SENSOR)
    fail(platform, request, times=20)
    clock.advance(seconds=23 * 3600)
    assert "20 deployments failed" in reason(platform)
    clock.advance(seconds=3700)
    assert len(requests(platform, SENSOR)) == 1
