"""What tests against the stand-in share."""

from __future__ import annotations

import io
import tarfile
import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from abalone_assets_tests.fakes.standin import AwsStandIn

    Found = TypeVar("Found")


def wait_for(look: Callable[[], Found | None], seconds: float = 30.0) -> Found:
    """What there is to see, as soon as there is something.

    Raises:
        AssertionError: There is nothing after so many seconds.
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"nothing to see after {seconds} s"
        time.sleep(0.05)
    return found


def wait_for_log(aws: AwsStandIn, group: str, stream: str) -> list[str]:
    """The lines of the stream of that name, or else of the one that begins so, once there are any.

    Raises:
        AssertionError: There are none after a while, or several streams.
    """
    logs = aws.client("logs")

    def lines() -> list[str]:
        try:
            found = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=stream)
        except logs.exceptions.ResourceNotFoundException:
            return []
        names = [each["logStreamName"] for each in found["logStreams"]]
        if not names:
            return []
        [name] = [stream] if stream in names else names  # beside a Glue driver's, its executors'
        events = logs.get_log_events(logGroupName=group, logStreamName=name, startFromHead=True)
        return [event["message"] for event in events["events"]]

    return wait_for(lines)


def packed(members: Mapping[str, bytes]) -> bytes:
    """A ``tar.gz`` of some files."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()
