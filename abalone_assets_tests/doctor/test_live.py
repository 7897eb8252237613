"""`abalone doctor --live` on the stand-in: the whole, and what it says and costs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from abalone_assets.doctor.live.permissions import ACTIONS
from abalone_assets_tests.deploy.iam import required_permissions
from abalone_assets_tests.doctor.live import (
    PRODUCTION,
    STEPS,
    keys,
    left,
    live,
    touched_production,
)

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

pytestmark = pytest.mark.service

DEPLOYMENT = Path(__file__).parents[2] / "docs" / "deployment.md"
FREE = {"sts:GetCallerIdentity"}


def test_the_whole_passes_and_leaves_nothing(proved: AwsStandIn) -> None:
    before = keys(proved)
    result = live("--yes")
    assert list(result.outcomes) == STEPS, result.said
    assert "failed" not in result.outcomes.values(), result.document
    assert result.exit_code == 0
    assert left(proved) == []
    assert keys(proved) == before
    assert {key.rpartition("/")[0] + "/" for key in before} >= set(PRODUCTION)
    assert touched_production(proved.calls) == []

    document = result.document["live"]
    assert 0 < document["jobs_usd"] <= document["cost_bound_usd"] < 1
    assert document["unknown_prices"] == []
    assert len(document["seconds"]) == len(STEPS)
    assert re.search(
        r"^\[ \d:\d\d\] training job: ok, \d+ s: blend, s3://", result.said, re.MULTILINE
    )
    assert "started SageMaker training job abalone-doctor-" in result.said
    assert result.said.index("altogether at most USD") < result.said.index("[ 0:00]")

    called = {need.action for need in required_permissions(own(proved))} - FREE
    assert called == set(ACTIONS) - set(WHEN_CUT_SHORT)


WHEN_CUT_SHORT = {
    "glue:BatchStopJobRun": "a trial was cut short while Glue prepared",
    "sagemaker:StopProcessingJob": "a trial was cut short while SageMaker evaluated",
    "sagemaker:StopTrainingJob": "a trial was cut short while SageMaker trained",
}
"""What a trial without mishaps does not call; test_live_interrupts.py sees these called."""


def own(proved: AwsStandIn) -> list[object]:
    return [call for call in proved.calls if call.caller == "test"]


def test_the_documented_permissions_are_those_that_it_needs() -> None:
    section = DEPLOYMENT.read_text().split("### Prove an proved")[1].split("\n### ")[0]
    table = [line for line in section.splitlines() if line.startswith("| `")]
    documented = {action for line in table for action in re.findall(r"`(\w[\w-]*:\w+)`", line)}
    assert documented == set(ACTIONS)
