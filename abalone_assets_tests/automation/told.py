"""What tests of the alert sensor share: its tick, and what was posted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from abalone_assets.lake.releases import Release
from abalone_assets_tests.automation.support import requests, today
from abalone_assets_tests.support.inbox import Webhook

if TYPE_CHECKING:
    from abalone_assets_tests.support.platform import Platform

ALERTS = "alert_sensor"
DAY = today()


def tick(platform: Platform) -> str:
    assert requests(platform, ALERTS) == []
    return str(platform.reasons[ALERTS])


def observe(platform: Platform) -> None:
    """A tick of `survey_sensor` with its observations, which the daemon stores."""
    for event in platform.tick("survey_sensor").asset_events:
        platform.instance.report_runless_asset_event(event)


def titles(hook: Webhook) -> list[str]:
    return [str(each["title"]).removeprefix("abalone: ") for each in hook.posted]


def finish(platform: Platform, outcome: str, version: int) -> None:
    reason = "Rejected: too far off."
    release = Release("digest", "rejected", reason, version, "a run", "2025-03-03")
    platform.lake.record_release(replace(release, outcome=outcome))  # type: ignore[arg-type]
