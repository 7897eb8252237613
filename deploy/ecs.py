"""Dagster on ECS: stopped, services first, then every task that is left; and started again."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.aws.failures import translate_errors
from deploy.config import DeployError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from deploy.cloudformation import Say

TIMEOUT_SECONDS: Final = 900.0
DESIRED: Final = 1
"""Tasks of each service, as the stack has it."""

DESCRIBED_AT_ONCE: Final = 10
"""Services in one DescribeServices request."""


@dataclass(frozen=True)
class Cluster:
    """The tasks of one cluster.

    Attributes:
        name: Of the cluster.
        ecs: boto3 client.
        say: Told, in lines, what happens.
        poll_seconds: Wait between two looks.
    """

    name: str
    ecs: Any
    say: Say
    poll_seconds: float = 5.0

    def start(self, services: Sequence[str]) -> None:
        """Have services run that were scaled to nothing.

        To CloudFormation they are as their template says: it does not look at what runs.

        Raises:
            DeployError: AWS refuses.
        """
        with translate_errors(DeployError, f"ECS cluster {self.name}"):
            for found in self._described(services):
                if found["desiredCount"] == 0:
                    name = found["serviceName"]
                    self.ecs.update_service(cluster=self.name, service=name, desiredCount=DESIRED)
                    self.say(f"service {name}: it was stopped; starting it again")

    def stop(self, services: Sequence[str]) -> None:
        """Scale services to nothing, then stop what they started, and wait until nothing runs.

        The services first: a daemon that still runs would start run workers behind our back, and
        those make jobs and endpoints.

        Raises:
            DeployError: Something does not end, or AWS refuses.
        """
        deadline = time.monotonic() + TIMEOUT_SECONDS
        with translate_errors(DeployError, f"ECS cluster {self.name}"):
            for service in services:
                self.ecs.update_service(cluster=self.name, service=service, desiredCount=0)
            while running := self._running(services):
                self._wait(deadline, f"services {', '.join(running)}")
            asked: set[str] = set()
            while tasks := list(self._tasks()):
                for task in set(tasks) - asked:
                    self.ecs.stop_task(cluster=self.name, task=task, reason="make destroy")
                    self.say(f"task {_short(task)}: stopping")
                asked.update(tasks)
                self._wait(deadline, f"tasks {', '.join(map(_short, tasks))}")

    def _running(self, services: Sequence[str]) -> list[str]:
        """Services that still have tasks."""
        return [
            found["serviceName"]
            for found in self._described(services)
            if found["runningCount"] + found["pendingCount"]
        ]

    def _described(self, services: Sequence[str]) -> Iterator[dict[str, Any]]:
        for at in range(0, len(services), DESCRIBED_AT_ONCE):
            yield from self.ecs.describe_services(
                cluster=self.name, services=services[at : at + DESCRIBED_AT_ONCE]
            )["services"]

    def _tasks(self) -> Iterator[str]:
        """Tasks that have not ended; ECS lists those that are ending as stopped already."""
        for wanted in ("RUNNING", "STOPPED"):
            pages = self.ecs.get_paginator("list_tasks").paginate(
                cluster=self.name, desiredStatus=wanted
            )
            for page in pages:
                if arns := page["taskArns"]:
                    found = self.ecs.describe_tasks(cluster=self.name, tasks=arns)["tasks"]
                    yield from (t["taskArn"] for t in found if t["lastStatus"] != "STOPPED")

    def _wait(self, deadline: float, what: str) -> None:
        if time.monotonic() > deadline:
            raise DeployError(
                f"ECS cluster {self.name}: {what} not ended after {TIMEOUT_SECONDS:.0f} s;"
                " run it again"
            )
        time.sleep(self.poll_seconds)


def _short(task: str) -> str:
    return task.rpartition("/")[2]
