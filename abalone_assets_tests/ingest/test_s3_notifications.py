"""S3's notifications through SQS, as the landing zone uses them."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING

import pytest

from abalone_assets.aws.clients import client
from abalone_assets.ingest.landing_zone import LandingZone, Notifications
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.ingest.s3_notifications import changed_objects
from abalone_assets_tests.aws.support import make_queue, put_parameters

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn


OLD, OLDER = "abalone.20240303120000", "abalone.20230101000000"


def notification(*keys: str, bucket: str = "bucket") -> str:
    """What S3 writes, as far as it matters here."""
    records = [
        {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {"bucket": {"name": bucket}, "object": {"key": key, "size": 1}},
        }
        for key in keys
    ]
    return json.dumps({"Records": records})


@pytest.fixture
def queue_url(aws: AwsStandIn) -> str:
    return make_queue(aws, aws.bucket, "landing_zone/")


@pytest.fixture
def zone(aws: AwsStandIn, queue_url: str) -> LandingZone:
    return open_landing_zone(f"s3://{aws.bucket}/landing_zone", queue_url)


def take(zone: LandingZone) -> Notifications:
    """The notifications of one tick that ends well."""
    with zone.notifications() as notified:
        return notified


def waiting(queue_url: str) -> int:
    asked = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=asked)
    return sum(map(int, answer["Attributes"].values()))


def send(queue_url: str, *bodies: str) -> None:
    for body in bodies:
        client("sqs").send_message(QueueUrl=queue_url, MessageBody=body)


TEST_EVENT = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "bucket"})


class TestANotification:
    @pytest.mark.parametrize(
        ("body", "keys"),
        [
            pytest.param(notification("zone/a", "zone/b"), ["zone/a", "zone/b"], id="two objects"),
            pytest.param(
                notification("a+zone/a%2Bb%3D%C3%BC.txt"), ["a zone/a+b=ü.txt"], id="form encoding"
            ),
            pytest.param(TEST_EVENT, [], id="test event"),
        ],
    )
    def test_tells_the_objects_that_changed(self, body: str, keys: list[str]) -> None:
        assert changed_objects(body) == frozenset(("bucket", key) for key in keys)

    @pytest.mark.parametrize(
        "body",
        [
            *("", "hello", "[]", "null", "3", "{}", 100_000 * "["),
            *('{"Records": 3}', '{"Records": [{}]}', '{"Records": [{"s3": null}]}'),
            '{"Records": [{"s3": {"bucket": {"name": "b"}, "object": {"key": 3}}}]}',
        ],
        ids=lambda body: body[:30],
    )
    def test_is_none_of_anything_else(self, body: str) -> None:
        assert changed_objects(body) is None


class TestTheNotifications:
    def test_are_the_days_of_what_landed_or_was_deleted_once(
        self, aws: AwsStandIn, zone: LandingZone, queue_url: str
    ) -> None:
        zone.land(OLD, b"x")
        zone.land(OLDER, b"x")
        assert take(zone) == Notifications(frozenset({date(2024, 3, 3), date(2023, 1, 1)}))
        assert take(zone) == Notifications()
        assert waiting(queue_url) == 0
        aws.s3.delete_object(Bucket=aws.bucket, Key=f"landing_zone/{OLD}")
        assert take(zone).days == {date(2024, 3, 3)}

    def test_come_again_when_a_tick_fails(self, zone: LandingZone, queue_url: str) -> None:
        zone.land(OLD, b"x")
        with pytest.raises(ZeroDivisionError), zone.notifications():
            _ = 1 / 0
        assert waiting(queue_url) > 0

    def test_leave_out_what_is_no_survey_or_lies_elsewhere(
        self, zone: LandingZone, queue_url: str
    ) -> None:
        send(
            queue_url,
            notification("landing_zone/readme.txt", f"elsewhere/{OLD}", bucket="abalone-tests"),
            notification(f"landing_zone/{OLD}", bucket="another-bucket"),
            notification(f"landing_zone/deeper/{OLD}", bucket="abalone-tests"),
        )
        assert take(zone) == Notifications()
        assert waiting(queue_url) == 0

    def test_drop_what_is_no_notification_and_say_so(
        self, zone: LandingZone, queue_url: str
    ) -> None:
        zone.land(OLD, b"x")
        send(queue_url, "hello", "{}")
        notified = take(zone)
        assert notified.days == {date(2024, 3, 3)}
        assert notified.problem == (
            "2 messages in the queue are no notifications of S3 and were dropped"
        )
        assert waiting(queue_url) == 0

    def test_are_taken_in_portions(
        self, zone: LandingZone, queue_url: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("abalone_assets.ingest.s3_notifications.MAX_MESSAGES", 20)
        for _ in range(3):
            entries = [
                {"Id": str(number), "MessageBody": notification(f"landing_zone/{OLD}")}
                for number in range(10)
            ]
            client("sqs").send_message_batch(QueueUrl=queue_url, Entries=entries)
        in_the_queue = waiting(queue_url)
        take(zone)
        assert waiting(queue_url) == in_the_queue - 20

    def test_are_none_without_a_queue(self, aws: AwsStandIn, queue_url: str) -> None:
        zone = open_landing_zone(f"s3://{aws.bucket}/landing_zone")
        zone.land(OLD, b"x")
        before = len(aws.calls)
        assert take(zone) == Notifications()
        assert len(aws.calls) == before


class TestWithoutAWorkingQueue:
    """Notifications only save time, so that nothing of the queue's may stop a tick."""

    def test_a_missing_one_is_told(self, aws: AwsStandIn, queue_url: str) -> None:
        zone = open_landing_zone(f"s3://{aws.bucket}/landing_zone", f"{queue_url}-gone")
        notified = take(zone)
        assert notified.days == frozenset()
        assert notified.problem.startswith(
            "late files are found later, without notifications: the queue "
        )
        assert "NonExistentQueue" in notified.problem

    def test_denied_access_is_told(self, aws: AwsStandIn, zone: LandingZone) -> None:
        aws.faults.deny("ReceiveMessage")
        assert "may not ReceiveMessage" in take(zone).problem

    def test_a_missing_parameter_is_told(self, aws: AwsStandIn) -> None:
        put_parameters({"other": "x"})
        zone = open_landing_zone(f"s3://{aws.bucket}/landing_zone", "ssm:/abalone/survey-queue-url")
        assert "or set ABALONE_SURVEY_QUEUE_URL" in take(zone).problem

    def test_messages_that_cannot_be_deleted_come_again(
        self, aws: AwsStandIn, zone: LandingZone, queue_url: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        zone.land(OLD, b"x")
        aws.faults.deny("DeleteMessageBatch")
        assert take(zone).days == {date(2024, 3, 3)}
        assert "notifications will come again" in caplog.text
        assert waiting(queue_url) > 0


def test_a_look_at_single_old_days_lists_these_and_no_others(
    aws: AwsStandIn, zone: LandingZone
) -> None:
    for name in (OLD, OLDER, "abalone.20240303235959", "abalone.20240304000000"):
        zone.land(name, b"x")
    zone.land("abalone.20250303000000", b"x")
    landing = zone.scan(
        date(2023, 1, 1),
        date(2025, 3, 31),
        date(2025, 3, 1),
        also=[date(2024, 3, 3), date(2024, 5, 5)],
    )
    assert {day: len(files) for day, files in landing.days.items()} == {
        "2024-03-03": 2,
        "2025-03-03": 1,
    }
    assert landing.covers("2024-05-05")
    assert landing.covers("2025-03-02")
    assert not landing.covers("2024-03-04")
    listings = [call for call in aws.calls if call.operation == "ListBucket"]
    assert len(listings) == 3
