"""The survey sensor on S3: a late file of an old day is seen within one tick, or a little later."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets.automation import look
from abalone_assets.automation.survey_sensor import survey_tick
from abalone_assets.ingest.days import parse_days
from abalone_assets.ingest.frames import to_parquet
from abalone_assets.ingest.landing_zone import LandingZone
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest_store import commit_days
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.automation.support import Clock, name_of, ranges
from abalone_assets_tests.aws.support import make_queue
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets_tests.fakes.standin import AwsStandIn

OLD = "2024-03-03"


@dataclass
class Watch:
    """The survey sensor, ticked by hand; what it asks for is ingested only when a test says so."""

    instance: dg.DagsterInstance
    zone: LandingZone
    lake: Lake
    cursor: str | None = None

    def tick(self) -> dg.SensorResult:
        context = dg.build_sensor_context(
            self.instance, cursor=self.cursor, repository_def=dg.Definitions().get_repository_def()
        )
        result = survey_tick(context, self.zone, self.lake, load_settings())
        self.cursor = result.cursor
        return result

    def asked(self) -> list[tuple[str, str]]:
        return ranges(self.tick().run_requests or [])

    def land(self, day: str, *, seed: int = 0) -> None:
        self.zone.land(name_of(day), survey_rows(2, seed=seed))

    def ingest(self, *days: str) -> None:
        for day in days:
            parsed = parse_days(self.zone, [day])
            self.lake.store.write(self.lake.key("new_surveys", day), to_parquet(parsed.rows[day]))
            commit_days(self.lake.store, parsed.entries)


@pytest.fixture
def queue_url(aws: AwsStandIn) -> str:
    return make_queue(aws, aws.bucket, "landing_zone/")


@pytest.fixture
def watch(
    aws: AwsStandIn, queue_url: str, home: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> Iterator[Watch]:
    """A sensor that has looked at everything and looks again in ten minutes."""
    monkeypatch.setenv("ABALONE_RECONCILE_SECONDS", "600")
    zone = open_landing_zone(f"s3://{aws.bucket}/landing_zone", queue_url)
    with dg.DagsterInstance.ephemeral() as instance:
        watch = Watch(instance, zone, Lake(str(home / "lake")))
        assert watch.asked() == []
        yield watch


def test_without_a_queue_it_waits_for_the_next_look_at_everything(
    watch: Watch, aws: AwsStandIn, clock: Clock
) -> None:
    watch.zone = open_landing_zone(f"s3://{aws.bucket}/landing_zone")
    watch.land(OLD)
    assert watch.asked() == []
    clock.advance(seconds=601)
    assert watch.asked() == [(OLD, OLD)]


def test_a_notification_is_taken_once_but_the_day_is_asked_for_until_the_lake_has_it(
    watch: Watch,
) -> None:
    watch.land(OLD)
    assert [watch.asked() for _ in range(3)] == [[(OLD, OLD)]] * 3
    watch.ingest(OLD)
    assert watch.asked() == []
    assert json.loads(watch.cursor or "")["pending"] == []


def test_an_old_file_that_is_written_again_or_deleted_is_seen_too(
    watch: Watch, aws: AwsStandIn
) -> None:
    for day in ("2024-01-01", OLD):  # of several days, one may be deleted
        watch.land(day)
    watch.ingest("2024-01-01", OLD)
    assert watch.asked() == []
    watch.land(OLD, seed=1)
    assert watch.asked() == [(OLD, OLD)]
    watch.ingest(OLD)
    aws.s3.delete_object(Bucket=aws.bucket, Key=f"landing_zone/{name_of(OLD)}")
    assert watch.asked() == [(OLD, OLD)]


def test_a_mistyped_prefix_takes_nothing_out_of_the_lake(
    watch: Watch, aws: AwsStandIn, clock: Clock
) -> None:
    """S3 lists a prefix that is not there as an empty one."""
    for day in ("2024-01-01", OLD):
        watch.land(day)
    watch.ingest("2024-01-01", OLD)
    right = watch.zone
    watch.zone = open_landing_zone(f"s3://{aws.bucket}/landing-zone")
    for _ in range(2):
        clock.advance(seconds=601)
        result = watch.tick()
        assert result.run_requests == []
        assert "the files of 2 survey days, 2024-01-01 to" in str(result.skip_reason)
        assert f"s3://{aws.bucket}/landing-zone" in str(result.skip_reason)
    watch.zone = right
    clock.advance(seconds=601)
    assert watch.asked() == []
    assert watch.lake.manifest().days_with_rows == ["2024-01-01", OLD]


def test_only_the_notified_days_are_listed(watch: Watch, aws: AwsStandIn) -> None:
    for day in ("2024-01-01", OLD):
        watch.land(day)
    watch.ingest("2024-01-01", OLD)
    watch.tick()
    watch.land(OLD, seed=1)
    before = len(aws.calls)
    assert watch.asked() == [(OLD, OLD)]
    listings = [call for call in aws.calls[before:] if call.operation == "ListBucket"]
    assert len(listings) == 2


def test_notifications_of_many_days_make_it_look_at_everything(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "MAX_OLD_DAYS", 2)
    before = json.loads(watch.cursor or "")["reconciled_at"]
    for day in ("2024-01-01", "2024-03-01", "2024-06-01"):
        watch.land(day)
    assert watch.asked() == [(day, day) for day in ("2024-01-01", "2024-03-01", "2024-06-01")]
    remembered = json.loads(watch.cursor or "")
    assert remembered["reconciled_at"] > before
    assert remembered["pending"] == ["2024-01-01", "2024-03-01"]


def test_notifications_outside_the_partitions_are_ignored(watch: Watch) -> None:
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    for day in (date(2022, 12, 31), tomorrow):
        watch.land(day.isoformat())
    result = watch.tick()
    assert result.run_requests == []
    assert result.skip_reason is not None


def test_a_broken_queue_is_told_and_recent_days_are_ingested_all_the_same(
    watch: Watch, aws: AwsStandIn, capfd: pytest.CaptureFixture[str]
) -> None:
    aws.faults.deny("ReceiveMessage")
    told = "late files are found later, without notifications: the queue "
    assert told in str(watch.tick().skip_reason)
    today = datetime.now(UTC).date().isoformat()
    watch.land(today)
    assert watch.asked() == [(today, today)]
    assert told in capfd.readouterr().err


def test_a_tick_that_fails_loses_no_notification(
    watch: Watch, aws: AwsStandIn, queue_url: str
) -> None:
    from abalone_assets.aws.clients import client
    from abalone_assets.errors import StorageError

    client("sqs").set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "0"})
    watch.land(OLD)
    aws.faults.deny("ListBucket", times=1)
    with pytest.raises(StorageError, match="access denied"):
        watch.tick()
    assert watch.asked() == [(OLD, OLD)]
