"""`abalone doctor --live` on the stand-in: the whole, and what it says and costs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from abalone_assets.doctor.live.cost import costs, total
from abalone_assets.doctor.live.permissions import ACTIONS
from abalone_assets.settings.aws import load_aws_settings
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
    from abalone_assets_tests.fakes.calls import Call
    from abalone_assets_tests.fakes.standin import AwsStandIn

pytestmark = pytest.mark.service

DEPLOYMENT = Path(__file__).parents[2] / "docs" / "deployment.md"
FREE = {"sts:GetCallerIdentity"}


def test_the_whole_passes_and_leaves_nothing(proved: AwsStandIn) -> None:
    before = keys(proved)
    result = live("--yes")
    assert list(result.outcomes) == STEPS, result.said
    assert set(result.outcomes.values()) == {"ok"}, result.document
    assert result.finding("bad row")["found"].startswith("refused (400): ")
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
    assert called == set(ACTIONS) - set(WHEN_CUT_SHORT) - set(WHERE_CHOSEN)


WHEN_CUT_SHORT = {
    "glue:BatchStopJobRun": "a trial was cut short while Glue prepared",
    "sagemaker:StopProcessingJob": "a trial was cut short while SageMaker evaluated",
    "sagemaker:StopTrainingJob": "a trial was cut short while SageMaker trained",
}
"""What a trial without mishaps does not call; test_live_interrupts.py sees these called."""


WHERE_CHOSEN = {
    "application-autoscaling:DeregisterScalableTarget": "the endpoint is autoscaled",
    "application-autoscaling:PutScalingPolicy": "the same",
    "application-autoscaling:RegisterScalableTarget": "the same",
    "cloudwatch:DeleteAlarms": "the same; AWS checks it, and a call has not that name",
    "cloudwatch:PutMetricAlarm": "the same",
    "iam:CreateServiceLinkedRole": "the same",
    "sagemaker:UpdateEndpointWeightsAndCapacities": "the same",
    "kms:CreateGrant": "the deployment has a key; AWS checks it, and a call has not that name",
    "kms:Decrypt": "the same",
    "kms:DescribeKey": "the same",
    "kms:GenerateDataKey": "the same",
}
"""What a trial with the settings as they are needs not; test_live_choices.py has the others."""


def own(proved: AwsStandIn) -> list[Call]:
    return [call for call in proved.calls if call.caller == "test"]


def section() -> list[list[str]]:
    """The cells of the tables in the documentation's section."""
    text = DEPLOYMENT.read_text().split("### Prove an account")[1].split("\n### ")[0]
    rows = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip().strip("*") for cell in row] for row in rows]


def test_the_documented_costs_are_those_of_the_default_settings() -> None:
    parts = costs(load_aws_settings(), {"WorkerType": "G.1X", "NumberOfWorkers": 2})
    documented = {row[0]: row[3:] for row in section() if len(row) == 5}
    steps = ("Glue job", "training job", "processing job", "endpoint created", "endpoint updated")
    for step, part in zip(steps, parts, strict=True):
        assert documented[step] == [f"{part.bound:.3f}", f"{part.expected:.3f}"]
    bound, expected, unknown = total(parts)
    assert documented["sum"] == [f"{bound + 0.01:.2f}", f"{expected + 0.01:.2f}"]
    assert unknown == []


def test_the_documented_permissions_are_those_that_it_needs() -> None:
    listed = [cell for row in section() if len(row) == 2 for cell in row[:1]]
    documented = {action for cell in listed for action in re.findall(r"`(\w[\w-]*:\w+)`", cell)}
    assert documented == set(ACTIONS)
