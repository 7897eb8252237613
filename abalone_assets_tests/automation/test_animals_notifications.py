"""Files of animals of old days on S3: ``survey_sensor`` hears of them, ``animals_sensor`` looks."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets.ageing.intake import Intake
from abalone_assets.automation import look
from abalone_assets.automation.animals_sensor import animals_tick
from abalone_assets.automation.survey_sensor import survey_tick
from abalone_assets.errors import StorageError
from abalone_assets.ingest.animals_pending import PENDING_KEY, add_pending, pending_days
from abalone_assets.ingest.memory import Memory, Patience
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.lake.animals import Animals
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest_store import commit_days
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.ageing.support import animals, animals_name
from abalone_assets_tests.automation.support import Clock, ranges
from abalone_assets_tests.aws.support import make_queue

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets.ingest.landing_zone import LandedFile, LandingZone
    from abalone_assets.survey import FileKind
    from abalone_assets_tests.fakes.standin import AwsStandIn

OLD, OLDER, OLDEST = "2024-03-03", "2024-02-02", "2024-01-01"


@dataclass
class Watch:
    """Both sensors, ticked by hand; what is asked for is taken in only when a test says so."""

    instance: dg.DagsterInstance
    zone: LandingZone
    lake: Lake
    cursors: dict[str, str | None] = field(default_factory=dict)

    def listen(self) -> dg.SensorResult:
        """Have the sensor of surveys tick, whose queue it is."""
        result = survey_tick(self._context("surveys"), self.zone, self.lake, load_settings())
        self.cursors["surveys"] = result.cursor
        return result

    def asked(self) -> list[tuple[str, str]]:
        """The ranges that the sensor of animals asks for."""
        context = self._context("animals")
        result = animals_tick(context, self.zone, self.lake, load_settings(), lambda: None)
        self.cursors["animals"] = result.cursor
        return ranges(result.run_requests or [])

    def _context(self, sensor: str) -> dg.SensorEvaluationContext:
        return dg.build_sensor_context(
            self.instance,
            cursor=self.cursors.get(sensor),
            repository_def=dg.Definitions().get_repository_def(),
        )

    def land(self, day: str, *, seed: int = 0) -> None:
        self.zone.land(animals_name(day), animals(3, seed=seed))

    def take_in(self, *days: str) -> None:
        records = Animals(self.lake)
        for day in days:
            taking = Intake(self.zone, records, records.manifest(), Memory(), Patience())
            entries = {name: taken.entry for name, taken in taking.days([day])}
            commit_days(records.records, entries)


@pytest.fixture
def watch(
    aws: AwsStandIn, home: Path, monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> Iterator[Watch]:
    """Sensors that have looked at everything and look again in ten minutes."""
    monkeypatch.setenv("ABALONE_RECONCILE_SECONDS", "600")
    queue_url = make_queue(aws, aws.bucket, "landing_zone/")
    zone = open_landing_zone(f"s3://{aws.bucket}/landing_zone", queue_url)
    with dg.DagsterInstance.ephemeral() as instance:
        watch = Watch(instance, zone, Lake(str(home / "lake")))
        watch.listen()
        assert watch.asked() == []
        yield watch


def test_a_notification_of_an_old_day_leads_the_sensor_of_animals_there(watch: Watch) -> None:
    watch.land(OLD)
    assert watch.asked() == []  # nobody has told it yet
    assert not watch.listen().run_requests
    assert [watch.asked() for _ in range(3)] == [[(OLD, OLD)]] * 3
    watch.take_in(OLD)
    assert watch.asked() == []
    assert pending_days(watch.lake.store) == frozenset()


def test_animals_make_the_sensor_of_surveys_look_at_no_day(watch: Watch, aws: AwsStandIn) -> None:
    watch.land(OLD)
    before = len(aws.calls)
    watch.listen()
    listings = [call for call in aws.calls[before:] if call.operation == "ListBucket"]
    assert len(listings) == 1


def test_a_file_that_is_deleted_is_seen_too(watch: Watch, aws: AwsStandIn) -> None:
    for day in (OLD, OLDER):  # of several days, one may be deleted
        watch.land(day)
    watch.listen()
    watch.take_in(OLD, OLDER)
    assert watch.asked() == []
    aws.s3.delete_object(Bucket=aws.bucket, Key=f"landing_zone/{animals_name(OLD)}")
    watch.listen()
    assert watch.asked() == [(OLD, OLD)]


def test_an_old_day_that_a_look_at_everything_found_is_looked_at_until_it_is_in_the_lake(
    watch: Watch, clock: Clock
) -> None:
    watch.zone = open_landing_zone(watch.zone.uri)  # without a queue
    watch.land(OLD)
    clock.advance(seconds=601)
    assert [watch.asked() for _ in range(2)] == [[(OLD, OLD)]] * 2
    watch.take_in(OLD)
    assert watch.asked() == []


def test_notifications_of_many_days_are_a_look_at_everything(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "MAX_OLD_DAYS", 2)
    for day in (OLDEST, OLDER, OLD):
        watch.land(day)
    watch.listen()
    assert watch.asked() == [(day, day) for day in (OLDEST, OLDER, OLD)]
    assert pending_days(watch.lake.store) == {date.fromisoformat(day) for day in (OLDEST, OLDER)}


def test_a_notification_that_nobody_could_put_down_comes_again(
    watch: Watch, monkeypatch: pytest.MonkeyPatch, aws: AwsStandIn
) -> None:
    from abalone_assets.aws.clients import client

    watch.land(OLD)
    (queue_url,) = client("sqs").list_queues()["QueueUrls"]
    client("sqs").set_queue_attributes(QueueUrl=queue_url, Attributes={"VisibilityTimeout": "0"})
    with monkeypatch.context() as patch:
        patch.setattr(type(watch.lake.store), "update_json", _refuse)
        with pytest.raises(StorageError, match="full"):
            watch.listen()
    assert watch.asked() == []
    watch.listen()
    assert watch.asked() == [(OLD, OLD)]


def _refuse(*_: object, **__: object) -> None:
    raise StorageError("full")


def test_days_told_while_a_look_goes_on_are_not_forgotten(
    watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, list_day = watch.lake.store, watch.zone.list_day
    add_pending(store, [date.fromisoformat(OLD)])

    def listing_while_told(day: date, kind: FileKind) -> Iterator[LandedFile]:
        add_pending(store, [date.fromisoformat(OLDER)])
        return list_day(day, kind)

    monkeypatch.setattr(watch.zone, "list_day", listing_while_told)
    assert watch.asked() == []
    assert pending_days(store) == {date.fromisoformat(OLDER)}


def test_what_cannot_be_understood_costs_the_wait_for_the_next_look_at_everything(
    watch: Watch, clock: Clock
) -> None:
    watch.land(OLD)
    watch.lake.store.write_json(PENDING_KEY, {"days": ["yesterday"]})
    assert watch.asked() == []
    clock.advance(seconds=601)
    assert watch.asked() == [(OLD, OLD)]
    assert pending_days(watch.lake.store) == {date.fromisoformat(OLD)}
