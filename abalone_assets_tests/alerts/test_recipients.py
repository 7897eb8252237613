from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from abalone_assets.alerts.recipients import (
    AlertError,
    Service,
    Topic,
    recipients_of,
    send_to_all,
)
from abalone_assets_tests.support.inbox import mailbox, webhook

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

TITLE, TEXT = "abalone: a test", "New:\n- <b>abalone.20250101120000</b> is no survey"
SECRET = "mailtos://crew:hunter2@example.com"
CLOSED = "json://127.0.0.1:9/"


def test_a_setting_names_several_and_tells_topics_from_urls() -> None:
    topic = "arn:aws:sns:eu-west-1:123456789012:crew"
    assert recipients_of(f"  {SECRET}\n{topic} ") == [Service(SECRET), Topic(topic)]
    assert recipients_of("") == []


def test_what_nobody_knows_is_refused_without_its_secrets() -> None:
    with pytest.raises(AlertError, match="ABALONE_NOTIFY: nothing://… is no URL") as refused:
        recipients_of("nothing://crew:hunter2@example.com")
    assert "hunter2" not in str(refused.value)
    assert "hunter2" not in Service(SECRET).name


def test_a_mail_server_gets_the_message_and_markup_stays_text() -> None:
    with mailbox() as box:
        Service(box.url).send(TITLE, TEXT)
        Service(f"{box.url}&format=html").send(TITLE, TEXT)
    assert box.subjects == [TITLE, TITLE]
    assert box.messages[0].get_content_type() == "text/plain"
    assert box.messages[0]["To"] == "crew@example.com"
    assert "&lt;b&gt;abalone.20250101120000&lt;/b&gt;&nbsp;is" in box.last_text()


def test_a_webhook_gets_title_and_text() -> None:
    with webhook() as hook:
        Service(hook.url).send(TITLE, TEXT)
    (posted,) = hook.posted
    assert (posted["title"], posted["message"]) == (TITLE, TEXT)


def test_one_who_cannot_be_told_keeps_it_from_nobody_else() -> None:
    with webhook() as hook:
        problems = send_to_all(recipients_of(f"{CLOSED} {hook.url}"), TITLE, TEXT)
    assert len(hook.posted) == 1
    (problem,) = problems
    assert problem.startswith("json://… did not take the message: A Connection error occurred ")


def test_nor_does_one_that_cannot_even_be_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with webhook() as hook:
        problems = send_to_all(
            recipients_of(f"arn:aws:sns:eu-west-1:123456789012:t {hook.url}"), TITLE, TEXT
        )
    assert len(hook.posted) == 1
    (problem,) = problems
    assert problem.startswith("arn:aws:sns:eu-west-1:123456789012:t: ")


def test_what_a_service_says_goes_on_without_the_urls_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with pytest.raises(AlertError) as refused:
        Service("json://crew:hunter2@127.0.0.1:9/t0ken").send(TITLE, TEXT)
    with pytest.raises(AlertError) as unknown:
        Service("tgram://hunter2")
    said = f"{refused.value} {unknown.value} {caplog.text}"
    assert "hunter2" not in said
    assert "t0ken" not in said


def test_it_is_an_error_when_nobody_can_be_told() -> None:
    with webhook() as hook:
        hook.broken = True
        with pytest.raises(AlertError, match=r"^json://… did not take .*; json://…"):
            send_to_all(recipients_of(f"{CLOSED} {hook.url}"), TITLE, TEXT)


@pytest.mark.service
def test_a_topic_passes_the_message_on(aws: AwsStandIn) -> None:
    topic = aws.client("sns").create_topic(Name="crew")["TopicArn"]
    queue = aws.client("sqs").create_queue(QueueName="crew")["QueueUrl"]
    queue_arn = aws.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])
    aws.client("sns").subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=queue_arn["Attributes"]["QueueArn"]
    )
    Topic(topic).send("abalone: " + "ü" * 200, TEXT)
    (received,) = aws.client("sqs").receive_message(QueueUrl=queue)["Messages"]
    passed_on = json.loads(received["Body"])
    assert passed_on["Message"] == TEXT
    assert passed_on["Subject"] == "abalone: " + "?" * 90
    with pytest.raises(AlertError, match=f"^{topic}gone: .*NotFound"):
        Topic(f"{topic}gone").send(TITLE, TEXT)


def test_a_secret_in_what_a_service_says_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def notify(*_: object, **__: object) -> bool:
        logging.getLogger("apprise").warning("no answer to crew:hunter2 at 127.0.0.1")
        return False

    monkeypatch.setattr("apprise.Apprise.notify", notify)
    with pytest.raises(AlertError, match=r"did not take the message: no answer to …:… at …$"):
        Service("json://crew:hunter2@127.0.0.1:9/").send(TITLE, TEXT)
