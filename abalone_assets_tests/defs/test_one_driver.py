"""Sensors and schedules of a second daemon, such as one on an instance of its own."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from abalone_assets_tests.automation.support import RELEASE_SENSOR, requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets_tests.support.platform import Platform

DRIVER = """
from abalone_assets.local.driver_lock import driver_lock
from abalone_assets.settings.platform import load_settings

with driver_lock(load_settings(), "abalone dev"):
    print("drives", flush=True)
    input()
"""


@contextmanager
def another_drives() -> Iterator[int]:
    """Another process drives the home of the environment; its id."""
    with subprocess.Popen(
        [sys.executable, "-c", DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as driver:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "drives\n"
        yield driver.pid
        driver.communicate("\n")


def evaluated(platform: Platform, schedule: dg.ScheduleDefinition) -> str | None:
    """Why a schedule asks for nothing."""
    resources = platform.definitions.resources or {}
    with dg.build_schedule_context(
        platform.instance,
        repository_def=platform.definitions.get_repository_def(),
        resources={name: resources[name] for name in schedule.required_resource_keys},
    ) as context:
        return schedule.evaluate_tick(context).skip_message


def test_the_sensors_of_another_daemon_ask_for_nothing(platform: Platform) -> None:
    """Nor do its schedules; each of them says why."""
    assert len(requests(platform, RELEASE_SENSOR)) == 1
    repository = platform.definitions.get_repository_def()
    with another_drives() as process:
        for sensor in repository.sensor_defs:
            assert requests(platform, sensor.name) == []
        told = platform.reasons | {
            schedule.name: evaluated(platform, schedule) for schedule in repository.schedule_defs
        }
    reason = f"{platform.home} is driven by `abalone dev` (process {process}), whose sensors ask"
    assert told == dict.fromkeys(told, f"{reason} for runs")
    assert {"survey_sensor", "mlflow_sensor", "nightly_release", "verify_schedule"} <= told.keys()
    assert len(requests(platform, RELEASE_SENSOR)) == 1
