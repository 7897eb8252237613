"""The SQS queue that S3 tells of what landed: where to look, never the truth.

S3's notifications come in any order, more than once, or late, and one that is lost costs no more
than the wait for the next look at everything. Hence nothing here is remembered, and everything that
is no notification is dropped.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote_plus

from abalone_assets.aws.clients import client, in_batches
from abalone_assets.aws.failures import AwsError, translate_errors
from abalone_assets.aws.parameters import resolve

BATCH: Final = 10
"""Messages that SQS hands out or deletes at once, at the most."""

MAX_MESSAGES: Final = 200
"""Messages taken at one look; the others wait for the next."""

TEST_EVENT: Final = "s3:TestEvent"
"""S3 sends one when notifications are set up."""


@dataclass(frozen=True)
class ReceivedMessages:
    """What the queue held.

    Attributes:
        keys: Bucket and key of each object that was written or removed.
        receipts: Handles of all messages, the unusable ones included.
        unusable: How many of them are no notification of S3.
    """

    keys: frozenset[tuple[str, str]]
    receipts: tuple[str, ...]
    unusable: int


def receive(queue_url: str) -> ReceivedMessages:
    """Take what waits, without waiting for more; what is not deleted comes again.

    Args:
        queue_url: That of the queue, or a reference ``ssm:/path/name`` to it.

    Raises:
        AwsError: The queue is missing or refuses.
        SettingsError: Its URL cannot be looked up.
    """
    url, messages = resolve(queue_url), list[dict[str, Any]]()
    with translate_errors(AwsError, f"the queue {url}"):
        for _ in range(MAX_MESSAGES // BATCH):
            answer = client("sqs").receive_message(
                QueueUrl=url, MaxNumberOfMessages=BATCH, WaitTimeSeconds=0
            )
            if not answer.get("Messages"):
                break
            messages += answer["Messages"]
    found = [changed_objects(message["Body"]) for message in messages]
    return ReceivedMessages(
        keys=frozenset().union(*(keys for keys in found if keys is not None)),
        receipts=tuple(message["ReceiptHandle"] for message in messages),
        unusable=found.count(None),
    )


def delete(queue_url: str, received: ReceivedMessages) -> None:
    """Remove the messages from the queue; one that stays is only seen again.

    Raises:
        AwsError: The queue is missing or refuses.
    """
    url = resolve(queue_url)
    with translate_errors(AwsError, f"the queue {url}"):
        for receipts in in_batches(received.receipts, BATCH):
            entries = [
                {"Id": str(number), "ReceiptHandle": receipt}
                for number, receipt in enumerate(receipts)
            ]
            client("sqs").delete_message_batch(QueueUrl=url, Entries=entries)


def changed_objects(body: str) -> frozenset[tuple[str, str]] | None:
    """The bucket and key of each object that a notification tells of.

    The message is S3's `event message structure
    <https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>`_,
    whose keys are URL-encoded as in a form: ``+`` is a space.

    Returns:
        None when the message is no notification of S3.
    """
    try:
        document = json.loads(body)
        if document.get("Event") == TEST_EVENT:
            return frozenset()
        return frozenset(
            (record["s3"]["bucket"]["name"], unquote_plus(record["s3"]["object"]["key"]))
            for record in document["Records"]
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
