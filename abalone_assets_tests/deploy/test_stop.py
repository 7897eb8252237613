"""Dagster is stopped before anything is taken from it: nothing runs, until it is started again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from moto.ecs.models import EC2ContainerServiceBackend

from abalone_assets.aws.clients import client
from deploy import ecs as module
from deploy.config import DeployError
from deploy.ecs import Cluster

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn


@pytest.fixture
def ecs(aws: AwsStandIn) -> Any:
    """A client of an account with a cluster, a service and one task."""
    made = client("ecs")
    made.create_cluster(clusterName="abalone")
    container = {"name": "run", "image": "abalone", "cpu": 256, "memory": 512}
    made.register_task_definition(
        family="abalone-run",
        networkMode="awsvpc",
        requiresCompatibilities=["FARGATE"],
        cpu="256",
        memory="512",
        containerDefinitions=[container],
    )
    made.create_service(
        cluster="abalone", serviceName="daemon", taskDefinition="abalone-run", desiredCount=1
    )
    start()
    return made


def start() -> None:
    ec2 = client("ec2")
    network = {
        "subnets": [ec2.describe_subnets()["Subnets"][0]["SubnetId"]],
        "securityGroups": [ec2.describe_security_groups()["SecurityGroups"][0]["GroupId"]],
    }
    client("ecs").run_task(
        cluster="abalone",
        taskDefinition="abalone-run",
        launchType="FARGATE",
        networkConfiguration={"awsvpcConfiguration": network},
    )


def statuses(ecs: Any) -> list[str]:
    tasks = ecs.describe_tasks(cluster="abalone", tasks=task_arns(ecs))["tasks"]
    return [task["lastStatus"] for task in tasks]


def task_arns(ecs: Any) -> list[str]:
    return [
        arn
        for wanted in ("RUNNING", "STOPPED")
        for arn in ecs.list_tasks(cluster="abalone", desiredStatus=wanted)["taskArns"]
    ]


def test_what_a_daemon_started_at_the_last_moment_is_stopped_too(ecs: Any) -> None:
    told: list[str] = []

    def say(line: str) -> None:
        if not told:
            start()
        told.append(line)

    Cluster("abalone", ecs, say, poll_seconds=0.01).stop(["daemon"])

    [service] = ecs.describe_services(cluster="abalone", services=["daemon"])["services"]
    assert service["desiredCount"] == 0
    assert statuses(ecs) == ["STOPPED", "STOPPED"]
    assert len(told) == 2


def test_what_was_stopped_is_started_again_and_what_runs_is_left_alone(ecs: Any) -> None:
    told: list[str] = []
    ecs.create_service(
        cluster="abalone", serviceName="web", taskDefinition="abalone-run", desiredCount=2
    )
    ecs.update_service(cluster="abalone", service="daemon", desiredCount=0)

    Cluster("abalone", ecs, told.append).start(["daemon", "web"])

    services = ecs.describe_services(cluster="abalone", services=["daemon", "web"])["services"]
    counts = {service["serviceName"]: service["desiredCount"] for service in services}
    assert counts == {"daemon": 1, "web": 2}
    assert told == ["service daemon: it was stopped; starting it again"]


def test_it_waits_until_a_task_has_ended(ecs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = _end_slowly(monkeypatch, after=3)

    Cluster("abalone", ecs, lambda _: None, poll_seconds=0.01).stop(["daemon"])

    assert len(looks) == 3
    assert looks[-1] == "STOPPED"


def test_a_task_that_does_not_end_is_named(ecs: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _end_slowly(monkeypatch, after=1000)
    monkeypatch.setattr(module, "TIMEOUT_SECONDS", 0.1)
    [task] = task_arns(ecs)

    with pytest.raises(DeployError, match=f"tasks {task.rpartition('/')[2]} not ended"):
        Cluster("abalone", ecs, lambda _: None, poll_seconds=0.01).stop(["daemon"])


def _end_slowly(monkeypatch: pytest.MonkeyPatch, *, after: int) -> list[str]:
    """Let a stopped task take its time, as ECS does; returns what is seen of it."""
    describe, looks = EC2ContainerServiceBackend.describe_tasks, list[str]()

    def describe_slowly(self: Any, *arguments: Any) -> Any:
        tasks = describe(self, *arguments)
        for task in tasks:
            if task.desired_status == "STOPPED":
                task.last_status = "STOPPED" if len(looks) >= after - 1 else "STOPPING"
                looks.append(task.last_status)
        return tasks

    monkeypatch.setattr(EC2ContainerServiceBackend, "describe_tasks", describe_slowly)
    return looks
