"""Stacks: created, updated and deleted, with what happens told as it happens."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.failures import translate_errors
from deploy.config import DeployError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

Say = Callable[[str], None]

BODY_LIMIT: Final = 51_200
"""Bytes of a template that is handed over in the request; a larger one lies in a bucket."""

URL_LIMIT: Final = 1_000_000
"""Bytes of a template that lies in a bucket."""

TIMEOUT_SECONDS: Final = 3600.0
GONE: Final = "DELETE_COMPLETE"
NEVER_FINISHED: Final = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}
"""Statuses of a stack whose creation or deletion failed: it can only be deleted."""

_UNCHANGED: Final = "No updates are to be performed"
_CANCELLED: Final = "cancelled"


@dataclass(frozen=True)
class Template:
    """A synthesised stack.

    Attributes:
        stack: The stack's name.
        body: Its template, as JSON without white space.
        outputs: Those of its outputs whose values are known before it is deployed.
    """

    stack: str
    body: str
    outputs: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_large(self) -> bool:
        """Whether no request takes it, so that it has to lie in a bucket."""
        return len(self.body.encode()) > BODY_LIMIT


def read_assembly(folder: Path) -> list[Template]:
    """The stacks of a cloud assembly, each after those that it depends on.

    Raises:
        DeployError: The folder holds none, or a template is larger than CloudFormation takes.
    """
    manifest = folder / "manifest.json"
    if not manifest.exists():
        raise DeployError(f"{folder}: no cloud assembly; run `make synth`")
    artifacts = json.loads(manifest.read_text())["artifacts"]
    stacks = {
        name: artifact
        for name, artifact in artifacts.items()
        if artifact["type"] == "aws:cloudformation:stack"
    }
    return [_template(folder, name, stacks[name]) for name in _in_order(stacks)]


def _in_order(stacks: dict[str, Any]) -> list[str]:
    ordered: list[str] = []

    def add(name: str) -> None:
        for needed in stacks[name].get("dependencies", []):
            if needed in stacks:
                add(needed)
        if name not in ordered:
            ordered.append(name)

    for name in stacks:
        add(name)
    return ordered


def _template(folder: Path, name: str, artifact: dict[str, Any]) -> Template:
    document = json.loads((folder / artifact["properties"]["templateFile"]).read_text())
    body = json.dumps(document, separators=(",", ":"))
    if len(body.encode()) > URL_LIMIT:
        raise DeployError(f"stack {name}: its template exceeds {URL_LIMIT} bytes; split the stack")
    outputs = {
        key: output["Value"]
        for key, output in document.get("Outputs", {}).items()
        if isinstance(output["Value"], str)
    }
    return Template(artifact["properties"].get("stackName", name), body, outputs)


class Stacks:
    """CloudFormation of one account and region.

    Args:
        cloudformation: boto3 client.
        say: Told, in lines, what happens.
        poll_seconds: Wait between two looks at a stack that is at work.
    """

    def __init__(self, cloudformation: Any, say: Say, *, poll_seconds: float = 5.0) -> None:  # noqa: ANN401 - boto3 client
        self._api, self._say, self._poll_seconds = cloudformation, say, poll_seconds

    def status(self, stack: str) -> str | None:
        """The stack's status, or None when there is none.

        Raises:
            DeployError: AWS refuses to say.
        """
        found = self._describe(stack)
        return None if found is None or found["StackStatus"] == GONE else found["StackStatus"]

    def outputs(self, stack: str) -> dict[str, str]:
        """The stack's outputs for people: those for other stacks are exports, and left out."""
        outputs = (self._describe(stack) or {}).get("Outputs", [])
        return {
            output["OutputKey"]: output["OutputValue"]
            for output in outputs
            if "ExportName" not in output
        }

    def resources(self, stack: str, kind: str) -> list[str]:
        """Physical ids of a stack's resources of one type, such as ``AWS::RDS::DBInstance``."""
        if self.status(stack) is None:
            return []
        with translate_errors(DeployError, f"stack {stack}"):
            pages = self._api.get_paginator("list_stack_resources").paginate(StackName=stack)
            return [
                each["PhysicalResourceId"]
                for page in pages
                for each in page["StackResourceSummaries"]
                if each["ResourceType"] == kind
                and each["ResourceStatus"] != GONE
                and each.get("PhysicalResourceId")  # none where the creation failed at once
            ]

    def unfinished(self, stack: str) -> bool:
        """Whether there is only a remainder of the stack, which can be nothing but deleted.

        Raises:
            DeployError: AWS refuses to say.
        """
        return self.status(stack) in NEVER_FINISHED

    def deploy(self, template: Template, url: str = "") -> bool:
        """Create the stack or bring it up to its template, and wait until that is done.

        A stack that was never finished has to be deleted first: `unfinished` tells.

        Args:
            template: The template.
            url: Where in S3 it lies, if it is large.

        Returns:
            Whether anything changed.

        Raises:
            DeployError: It failed and was rolled back, with the first reason; or AWS refuses.
        """
        stack = template.stack
        creating = self.status(stack) in {None, "REVIEW_IN_PROGRESS"}
        with translate_errors(DeployError, f"stack {stack}"):
            seen = set() if creating else self._newest_events(stack)
            if not self._submit(template, url, creating=creating):
                self._say(f"{stack}: no changes")
                return False
            status, reason = self._wait(stack, seen)
        if status not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
            raise DeployError(f"stack {stack}: {status}: {reason}")
        return True

    def delete(self, stack: str) -> None:
        """Delete the stack and wait until it is gone; one that does not exist is no error.

        Raises:
            DeployError: Something of it could not be deleted, with the reason; or AWS refuses.
        """
        found = self._describe(stack)
        if found is None or found["StackStatus"] == GONE:
            return
        # A deleted stack's name finds nothing any more; its id still does.
        identity = found["StackId"]
        with translate_errors(DeployError, f"stack {stack}"):
            seen = self._newest_events(identity)
            self._api.delete_stack(StackName=stack)
            status, reason = self._wait(identity, seen)
        if status != GONE:
            raise DeployError(f"stack {stack}: {status}: {reason}")

    def _describe(self, stack: str) -> dict[str, Any] | None:
        from botocore.exceptions import ClientError

        with translate_errors(DeployError, f"stack {stack}"):
            try:
                found: dict[str, Any] = self._api.describe_stacks(StackName=stack)["Stacks"][0]
            except ClientError as error:
                if "does not exist" in str(error):
                    return None
                raise
            return found

    def _submit(self, template: Template, url: str, *, creating: bool) -> bool:
        """Hand the template over; whether it changes anything."""
        from botocore.exceptions import ClientError

        submit = self._api.create_stack if creating else self._api.update_stack
        handed = {"TemplateURL": url} if url else {"TemplateBody": template.body}
        try:
            submit(StackName=template.stack, Capabilities=["CAPABILITY_NAMED_IAM"], **handed)
        except ClientError as error:
            if _UNCHANGED not in str(error):
                raise
            return False
        return True

    def _wait(self, stack: str, seen: set[str]) -> tuple[str, str]:
        """Tell of new events until nothing is in progress any more.

        Returns:
            The status then, and the first reason why something failed.
        """
        told, reason = set(seen), ""
        for found in self._looks(lambda: self._describe(stack)):
            for event in self._new_events(stack, told) if found is not None else ():
                told.add(event["EventId"])
                self._say(_line(event))
                reason = reason or _failure(event)
            status = GONE if found is None else str(found["StackStatus"])
            if not status.endswith("_IN_PROGRESS"):
                return status, reason or "see the events above"
        raise DeployError(f"stack {stack}: not done after {TIMEOUT_SECONDS:.0f} s; look again")

    def _looks(self, look: Callable[[], Any]) -> Iterator[Any]:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            yield look()
            time.sleep(self._poll_seconds)

    def _newest_events(self, stack: str) -> set[str]:
        """Ids of the newest events: what is older than they was there before, too."""
        events = self._api.describe_stack_events(StackName=stack)["StackEvents"]
        return {event["EventId"] for event in events}

    def _new_events(self, stack: str, told: set[str]) -> list[dict[str, Any]]:
        """The events since those, oldest first; CloudFormation pages them, newest first."""
        new: list[dict[str, Any]] = []
        for page in self._api.get_paginator("describe_stack_events").paginate(StackName=stack):
            events = page["StackEvents"]
            untold = [event for event in events if event["EventId"] not in told]
            new += untold
            if len(untold) < len(events):
                break
        return new[::-1]


def _failure(event: dict[str, Any]) -> str:
    """What failed and why; empty where nothing did, or only because something else had."""
    reason = event.get("ResourceStatusReason", "")
    if not event["ResourceStatus"].endswith("_FAILED") or _CANCELLED in reason.lower():
        return ""
    return f"{event['LogicalResourceId']}: {reason}"


def _line(event: dict[str, Any]) -> str:
    reason = event.get("ResourceStatusReason", "")
    line = f"{event['StackName']}: {event['LogicalResourceId']} {event['ResourceStatus']}"
    return f"{line} ({reason})" if reason else line
