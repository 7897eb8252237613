"""Dagster on ECS Fargate: web server, daemon, code location, and a task for each run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from aws_cdk import aws_servicediscovery as discovery
from constructs import Construct

from deploy.stacks import run_permissions
from deploy.stacks.acknowledged import acknowledge, acknowledge_finding
from deploy.stacks.network import GRPC_PORT, WEB_PORT
from deploy.stacks.permissions import role

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deploy.config import DeployConfig
    from deploy.stacks.database import Database
    from deploy.stacks.names import Names
    from deploy.stacks.network import Network

WORKSPACE = "/opt/abalone/workspace.yaml"
CODE_HOST = "code"
TASKS = "ecs-tasks.amazonaws.com"
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
    """

    name: str
    cpu: int
    memory: int
    command: list[str] | None = None
    health: list[str] | None = None
    port: int | None = None
    writable: bool = False


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
)
RUN = Task("run", cpu=1024, memory=4096)


def _web(*, by_exec: bool) -> Task:
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


class Services(Construct):
    """Cluster, roles, task definitions and services.

    Args:
        scope: The stack.
        construct_id: Id in the stack.
        config: The deployment.
        names: Of the deployment.
        network: VPC and security groups.
        database: Dagster's storage.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: DeployConfig,
        names: Names,
        network: Network,
        database: Database,
    ) -> None:
        super().__init__(scope, construct_id)
        self._names, self._network, self._database = names, network, database
        self._image = self._container_image(config)
        self._cluster = self._make_cluster()
        self._environment = {
            "ABALONE_PROFILE": "aws",
            "ABALONE_HOME": "/tmp/abalone",  # noqa: S108 - a container's own
            "ABALONE_SSM_PREFIX": config.ssm_prefix,
            "ABALONE_ENDPOINT_NAME": names.endpoint,
            "DAGSTER_S3_LOGS_BUCKET": names.logs_bucket,
            "DAGSTER_CODE_LOCATION_HOST": f"{CODE_HOST}.{names.namespace}",
            **database.environment,
        }
        self._execution_role = role(
            self,
            "ExecutionRole",
            service=TASKS,
            description="ECS itself: pulls the image, writes logs, reads the password",
            permissions=[],  # the CDK adds just what the task definitions need
        )
        run = self._run_workers()
        self._environment["DAGSTER_ECS_TASK_DEFINITION"] = run.task_definition_arn
        self._code_location(run.task_role)
        self._daemon(run.task_role)
        self.web = self._web_server(by_exec=config.oidc is None)
        acknowledge_finding(
            self._execution_role, "IAM5[Resource::*]", "logging in to ECR names no resource"
        )

    def _container_image(self, config: DeployConfig) -> ecs.ContainerImage:
        if config.image:
            return ecs.ContainerImage.from_registry(config.image)
        repository = ecr.Repository.from_repository_name(
            self, "Images", self._names.image_repository
        )
        return ecs.ContainerImage.from_ecr_repository(repository, config.image_tag)

    def _make_cluster(self) -> ecs.Cluster:
        cluster = ecs.Cluster(
            self,
            "Cluster",
            cluster_name=self._names.cluster,
            vpc=self._network.vpc,
            # Sessions only forward a port; there is nothing to log, and no right to log it.
            execute_command_configuration=ecs.ExecuteCommandConfiguration(
                logging=ecs.ExecuteCommandLogging.NONE
            ),
            default_cloud_map_namespace=ecs.CloudMapNamespaceOptions(
                name=self._names.namespace, type=discovery.NamespaceType.DNS_PRIVATE
            ),
        )
        acknowledge(cluster, ECS4="Dagster and the logs tell what its few tasks do, at no cost")
        return cluster

    def _run_workers(self) -> ecs.FargateTaskDefinition:
        run_role = role(
            self,
            "RunRole",
            service=TASKS,
            description="What executes this project's code: run workers and the code location",
            permissions=run_permissions.lineage(self._names),
        )
        return self._task(RUN, run_role, family=self._names.run_task_family)

    def _code_location(self, run_role: iam.IRole) -> None:
        service = self._service(CODE, self._task(CODE, run_role), self._network.code_location)
        service.enable_cloud_map(
            name=CODE_HOST,
            dns_record_type=discovery.DnsRecordType.A,
            dns_ttl=cdk.Duration.seconds(10),
        )

    def _daemon(self, run_role: iam.IRole) -> None:
        daemon_role = role(
            self,
            "DaemonRole",
            service=TASKS,
            description="The daemon: starts, watches and stops run workers",
            permissions=[
                *run_permissions.watch(self._names),
                *run_permissions.launch(
                    self._names,
                    self._cluster.cluster_arn,
                    [run_role.role_arn, self._execution_role.role_arn],
                ),
            ],
        )
        # The old daemon ends before the new one begins: two would launch everything twice.
        self._service(
            DAEMON, self._task(DAEMON, daemon_role), self._network.dagster, healthy=(0, 100)
        )

    def _web_server(self, *, by_exec: bool) -> ecs.FargateService:
        web_role = role(
            self,
            "WebRole",
            service=TASKS,
            description="The web server: watches and stops run workers",
            permissions=run_permissions.watch(self._names),
        )
        web = _web(by_exec=by_exec)
        return self._service(web, self._task(web, web_role), self._network.dagster, by_exec=by_exec)

    def _task(
        self, task: Task, task_role: iam.IRole, *, family: str | None = None
    ) -> ecs.FargateTaskDefinition:
        definition = ecs.FargateTaskDefinition(
            self,
            f"{task.name.title()}Task",
            family=family or f"{self._names.cluster}-{task.name}",
            cpu=task.cpu,
            memory_limit_mib=task.memory,
            task_role=task_role,
            execution_role=self._execution_role,
            # A volume keeps the owner and mode that the image gave the folder, if it says VOLUME.
            volumes=[ecs.Volume(name="tmp")],
        )
        container = definition.add_container(
            task.name,
            container_name=task.name,
            image=self._image,
            command=task.command,
            environment=dict(self._environment),
            secrets=self._database.secrets,
            readonly_root_filesystem=not task.writable,
            health_check=_health_check(task.health) if task.health else None,
            logging=ecs.LogDrivers.aws_logs(stream_prefix=task.name, log_group=self._logs(task)),
            port_mappings=[ecs.PortMapping(container_port=task.port)] if task.port else None,
            stop_timeout=cdk.Duration.seconds(120),
        )
        container.add_mount_points(
            ecs.MountPoint(source_volume="tmp", container_path="/tmp", read_only=False)  # noqa: S108
        )
        acknowledge(definition, ECS2=NOT_SECRET)
        return definition

    def _logs(self, task: Task) -> logs.LogGroup:
        return logs.LogGroup(
            self,
            f"{task.name.title()}Logs",
            log_group_name=f"/{self._names.cluster}/{task.name}",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )

    def _service(
        self,
        task: Task,
        definition: ecs.FargateTaskDefinition,
        group: ec2.SecurityGroup,
        *,
        healthy: tuple[int, int] = (100, 200),
        by_exec: bool = False,
    ) -> ecs.FargateService:
        least, most = healthy
        return ecs.FargateService(
            self,
            task.name.title(),
            service_name=task.name,
            cluster=self._cluster,
            task_definition=definition,
            desired_count=1,
            min_healthy_percent=least,
            max_healthy_percent=most,
            circuit_breaker=ecs.DeploymentCircuitBreaker(rollback=True),
            enable_execute_command=by_exec,
            security_groups=[group],
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            propagate_tags=ecs.PropagatedTagSource.SERVICE,
        )


def _health_check(command: Sequence[str]) -> ecs.HealthCheck:
    return ecs.HealthCheck(
        command=list(command),
        interval=cdk.Duration.seconds(60),
        timeout=cdk.Duration.seconds(30),
        retries=3,
        start_period=cdk.Duration.seconds(120),
    )
