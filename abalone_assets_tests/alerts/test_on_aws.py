"""What is told of a landing zone and an endpoint on AWS."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from abalone_assets.alerts.matters import Situation
from abalone_assets.alerts.models import ENDPOINT, endpoint_situation
from abalone_assets.alerts.surveys import LANDING_ZONE, zone_situation
from abalone_assets.automation.alert_sensor import alert_tick
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.releases import Release
from abalone_assets.settings.platform import load_settings

if TYPE_CHECKING:
    import pytest

    from abalone_assets_tests.fakes.standin import AwsStandIn

RELEASED = Release("digest", "deployed", "Approved.", 1, "a run", "2025-03-03")


def test_a_bucket_that_refuses_is_a_landing_zone_that_went_away(
    home: Path, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake = Lake(str(home / "lake"))
    monkeypatch.setenv("ABALONE_LANDING_ZONE_URI", f"{s3}/landing")
    assert zone_situation(load_settings(), lake, 5)[0].matters == ()
    monkeypatch.setenv("ABALONE_LANDING_ZONE_URI", "s3://no-such-bucket/landing")
    situation, misses = zone_situation(load_settings(), lake, 0)
    assert situation == Situation(undecided=frozenset({LANDING_ZONE}))
    situation, _ = zone_situation(load_settings(), lake, misses)
    (matter,) = situation.matters
    assert matter.key == LANDING_ZONE
    assert "s3://no-such-bucket/landing" in matter.text


def test_an_endpoint_that_somebody_deleted_is_one_without_a_model(
    home: Path, aws: AwsStandIn
) -> None:
    settings = load_settings().model_copy(update={"profile": "aws"})
    assert endpoint_situation(settings, None, 5) == (Situation(), 0)
    situation, misses = endpoint_situation(settings, RELEASED, 0)
    assert situation.undecided == {ENDPOINT}
    situation, _ = endpoint_situation(settings, RELEASED, misses)
    (matter,) = situation.matters
    assert matter.title.startswith("endpoint abalone has no model, though one was released")


def test_what_a_look_asks_is_what_the_cost_page_counts(
    home: Path, aws: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    topic = aws.client("sns").create_topic(Name="people")["TopicArn"]
    monkeypatch.setenv("ABALONE_NOTIFY", topic)
    for name in ("LAKE", "LANDING_ZONE", "REGISTRY"):
        monkeypatch.setenv(f"ABALONE_{name}_URI", f"s3://{aws.bucket}/{name.lower()}")
    before, settings = len(aws.calls), load_settings()
    nothing = dg.Definitions().get_repository_def()
    with (
        dg.DagsterInstance.ephemeral() as instance,
        dg.build_sensor_context(instance, repository_def=nothing) as context,
    ):
        alert_tick(context, Lake(settings.lake_uri), settings)
    asked = Counter(call.action for call in aws.calls[before:])
    assert asked == {"s3:ListBucket": 1, "s3:GetObject": 9}
    page = (Path(__file__).parents[2] / "docs" / "cost.md").read_text()
    assert (
        "(`ABALONE_NOTIFY`): each minute a list, which finds the landing zone there, and " in page
    )
    assert "there, and nine reads | 43,200 " in page
