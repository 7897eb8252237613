"""Who is told, as ``ABALONE_NOTIFY`` names them: services that Apprise knows, and SNS topics."""

from __future__ import annotations

import logging
import re
from abc import ABC, abstractmethod
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from abalone_assets.errors import AbaloneError
from abalone_assets.settings.environment import variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from apprise import Apprise

TOPIC_PREFIX: Final = "arn:aws"
MOST_SUBJECT: Final = 99
"""Characters of a subject that SNS takes, of printable ASCII
(https://docs.aws.amazon.com/sns/latest/api/API_Publish.html)."""


_SHORTEST_SECRET: Final = 4


class AlertError(AbaloneError):
    """Nobody could be told, or nobody knows who that should be."""


class Recipient(ABC):
    """Somebody who is sent messages."""

    @property
    @abstractmethod
    def name(self) -> str:
        """Who it is, without secrets."""

    @abstractmethod
    def send(self, title: str, text: str) -> None:
        """Send a message of plain text.

        Raises:
            AlertError: It was not taken.
        """


@dataclass(frozen=True)
class Service(Recipient):
    """One of `Apprise's services <https://appriseit.com/services/>`_, by its URL.

    Raises:
        AlertError: Apprise knows no such URL.
    """

    url: str

    def __post_init__(self) -> None:
        self._opened()

    @property
    def name(self) -> str:
        """The service's kind: everything else in its URL may be secret."""
        return f"{urlsplit(self.url).scheme}://…"

    def send(self, title: str, text: str) -> None:
        """Send by Apprise."""
        from apprise import NotifyFormat

        # Said to be text, so that a service that shows HTML escapes what names of files may hold.
        service = self._opened()
        with _apprise_log() as lines:
            taken = service.notify(title=title, body=text, body_format=NotifyFormat.TEXT)
        if not taken:
            why = self._without_secrets(lines[0]) if lines else "it does not say why"
            raise AlertError(f"{self.name} did not take the message: {why}")

    def _without_secrets(self, line: str) -> str:
        parts = sorted(re.split(r"[/:@?&=]+", self.url)[1:], key=len, reverse=True)
        for part in parts:
            line = line.replace(part, "…") if len(part) >= _SHORTEST_SECRET else line
        return line

    def _opened(self) -> Apprise:
        from apprise import Apprise

        service = Apprise()
        with _apprise_log():  # which would tell the whole URL
            known = service.add(self.url)
        if not known:
            raise AlertError(
                f"{variable('notify')}: {self.name} is no URL that Apprise knows: "
                "https://appriseit.com/services/ lists them"
            )
        return service


@contextmanager
def _apprise_log() -> Iterator[list[str]]:
    """What Apprise would log, and nobody else should see: it may hold secrets."""
    lines: list[str] = []
    log, handler = logging.getLogger("apprise"), logging.Handler(logging.WARNING)
    handler.emit = lambda record: lines.append(record.getMessage())  # type: ignore[method-assign]
    propagates, log.propagate = log.propagate, False
    log.addHandler(handler)
    try:
        yield lines
    finally:
        log.removeHandler(handler)
        log.propagate = propagates


@dataclass(frozen=True)
class Topic(Recipient):
    """An SNS topic, by its ARN."""

    arn: str

    @property
    def name(self) -> str:
        """The ARN, which is no secret."""
        return self.arn

    def send(self, title: str, text: str) -> None:
        """Publish it, with a subject that SNS takes."""
        from abalone_assets.aws.clients import client

        subject = title.encode("ascii", "replace").decode()[:MOST_SUBJECT]
        try:
            sns = client("sns")
        except AbaloneError as error:  # no boto3, region or account
            raise AlertError(f"{self.arn}: {error}") from error
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            sns.publish(TopicArn=self.arn, Subject=subject, Message=text)
        except (BotoCoreError, ClientError) as error:
            raise AlertError(f"{self.arn}: {error}") from error


def recipients_of(names: str) -> list[Recipient]:
    """The recipients that the setting names, separated by blanks.

    Raises:
        AlertError: One of them is neither a topic's ARN nor the URL of a known service.
    """
    return [
        Topic(name) if name.startswith(TOPIC_PREFIX) else Service(name) for name in names.split()
    ]


def send_to_all(recipients: Sequence[Recipient], title: str, text: str) -> list[str]:
    """Send a message to everybody; one who cannot be told keeps it from nobody else.

    Returns:
        Why some could not be told.

    Raises:
        AlertError: Nobody could be.
    """
    problems = []
    for recipient in recipients:
        try:
            recipient.send(title, text)
        except AlertError as error:
            problems.append(str(error))
    if len(problems) == len(recipients):
        raise AlertError("; ".join(problems) or f"{variable('notify')} names nobody")
    return problems
