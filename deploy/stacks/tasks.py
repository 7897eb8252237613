"""The tasks of ECS: one image, four roles that it plays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs

from deploy.stacks.acknowledged import acknowledge
from deploy.stacks.network import GRPC_PORT, WEB_PORT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aws_cdk import aws_iam as iam
    from constructs import Construct

    from deploy.stacks.names import Names

WORKSPACE = "/opt/abalone/workspace.yaml"
MIGRATE = ["python", "-m", "abalone_assets.local.migrate"]
NOT_SECRET = "what is in the environment is no secret; secrets come from Secrets Manager"  # noqa: S105


@dataclass(frozen=True)
class Task:
    """One of the four roles that the image plays.

    Attributes:
        name: Of container, log group and service.
        cpu: In 1/1024 of a vCPU.
        memory: In MiB.
        command: Of the container; None takes the image's own, or what a run is launched with.
        health: Command that succeeds while the container is well, or None.
        port: That it listens on, if any.
        writable: Whether the root file system must be; ECS Exec needs it.
        migrates: Whether the database's schema is brought up to date before it starts.
    """

    name: str
    cpu: int
    memory: int
    command: list[str] | None = None
    health: list[str] | None = None
    port: int | None = None
    writable: bool = False
    migrates: bool = False


CODE = Task(
    "code",
    cpu=512,
    memory=2048,
    health=["CMD", "dagster", "api", "grpc-health-check", "--port", str(GRPC_PORT)],
    port=GRPC_PORT,
)
DAEMON = Task(
    "daemon",
    cpu=256,
    memory=1024,
    command=["dagster-daemon", "run", "--workspace", WORKSPACE],
    health=["CMD", "dagster-daemon", "liveness-check"],
    migrates=True,
)
RUN = Task("run", cpu=1024, memory=4096)


def web(*, by_exec: bool) -> Task:
    """The web server; with `by_exec`, a session through ECS Exec is the only way to it."""
    look = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{WEB_PORT}/server_info')"
    return Task(
        "web",
        cpu=256,
        memory=1024,
        command=["dagster-webserver", "--workspace", WORKSPACE],
        health=["CMD", "python", "-c", look],
        port=WEB_PORT,
        writable=by_exec,
    )


@dataclass(frozen=True)
class TaskDefinitions:
    """Makes task definitions.

    Attributes:
        scope: What they belong to.
        names: Of the deployment.
        image: That all of them run.
        execution_role: Of ECS itself.
        environment: Of all of them.
        secrets: Environment variables that come from Secrets Manager.
    """

    scope: Construct
    names: Names
    image: ecs.ContainerImage
    execution_role: iam.IRole
    environment: Mapping[str, str]
    secrets: Mapping[str, ecs.Secret]

    def make(
        self, task: Task, task_role: iam.IRole, environment: Mapping[str, str] | None = None
    ) -> ecs.FargateTaskDefinition:
        """The definition of a task.

        Args:
            task: The role that the image plays.
            task_role: What the container may do.
            environment: Variables of this task only.
        """
        definition = ecs.FargateTaskDefinition(
            self.scope,
            f"{task.name.title()}Task",
            family=f"{self.names.cluster}-{task.name}",
            cpu=task.cpu,
            memory_limit_mib=task.memory,
            task_role=task_role,
            execution_role=self.execution_role,
            volumes=[ecs.Volume(name="tmp")],
            runtime_platform=ecs.RuntimePlatform(
                cpu_architecture=ecs.CpuArchitecture.X86_64,  # of the image, wherever it is built
                operating_system_family=ecs.OperatingSystemFamily.LINUX,
            ),
        )
        log_group, variables = self._logs(task), {**self.environment, **(environment or {})}
        container = self._add(definition, task, log_group, variables)
        if task.migrates:
            migration = replace(task, name="migrate", command=MIGRATE, health=None, port=None)
            container.add_container_dependencies(
                ecs.ContainerDependency(
                    container=self._add(
                        definition, migration, log_group, variables, essential=False
                    ),
                    condition=ecs.ContainerDependencyCondition.SUCCESS,
                )
            )
        acknowledge(definition, ECS2=NOT_SECRET)
        return definition

    def _add(
        self,
        definition: ecs.FargateTaskDefinition,
        task: Task,
        log_group: logs.LogGroup,
        environment: Mapping[str, str],
        *,
        essential: bool = True,
    ) -> ecs.ContainerDefinition:
        container = definition.add_container(
            task.name,
            container_name=task.name,
            essential=essential,
            image=self.image,
            command=task.command,
            environment=environment,
            secrets=self.secrets,
            readonly_root_filesystem=not task.writable,
            health_check=_health_check(task.health) if task.health else None,
            logging=ecs.LogDrivers.aws_logs(stream_prefix=task.name, log_group=log_group),
            port_mappings=[ecs.PortMapping(container_port=task.port)] if task.port else None,
            stop_timeout=cdk.Duration.seconds(120),
        )
        container.add_mount_points(
            ecs.MountPoint(source_volume="tmp", container_path="/tmp", read_only=False)  # noqa: S108 - a container's own
        )
        return container

    def _logs(self, task: Task) -> logs.LogGroup:
        return logs.LogGroup(
            self.scope,
            f"{task.name.title()}Logs",
            log_group_name=f"/{self.names.cluster}/{task.name}",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )


def _health_check(command: Sequence[str]) -> ecs.HealthCheck:
    return ecs.HealthCheck(
        command=list(command),
        interval=cdk.Duration.seconds(60),
        timeout=cdk.Duration.seconds(30),
        retries=3,
        start_period=cdk.Duration.seconds(120),
    )
