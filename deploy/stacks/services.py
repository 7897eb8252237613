"""Dagster on ECS Fargate: web server, daemon, code location, and a task for each run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecr as ecr
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_servicediscovery as discovery
from constructs import Construct

from deploy.stacks import boundary, control_permissions, run_permissions
from deploy.stacks.acknowledged import acknowledge, acknowledge_finding
from deploy.stacks.permissions import role
from deploy.stacks.tasks import CODE, DAEMON, RUN, Task, TaskDefinitions, web

if TYPE_CHECKING:
    from deploy.config import DeployConfig
    from deploy.stacks.database import Database
    from deploy.stacks.names import Names
    from deploy.stacks.network import Network

CODE_HOST = "code"
TASKS = "ecs-tasks.amazonaws.com"


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
        self._config, self._names, self._network = config, names, network
        self._cluster = self._make_cluster()
        execution_role = role(
            self,
            "ExecutionRole",
            service=TASKS,
            description="ECS itself: pulls the image, writes logs, reads the password",
            # The CDK adds what the task definitions need besides.
            permissions=boundary.execution(config),
        )
        acknowledge_finding(execution_role, "IAM5[Resource::*]", "to log in to ECR names none")
        self._tasks = TaskDefinitions(
            self,
            names,
            image=self._container_image(config),
            execution_role=execution_role,
            environment=_environment(config, names) | database.environment,
            secrets=database.secrets,
        )
        run = self._run_workers()
        # Only who starts, watches and stops run workers needs to know what they are.
        self._launching = {"DAGSTER_ECS_TASK_DEFINITION": run.task_definition_arn}
        self._code_location(run.task_role)
        self._daemon(run.task_role)
        self.web = self._web_server(by_exec=config.oidc is None)

    def _container_image(self, config: DeployConfig) -> ecs.ContainerImage:
        if config.image:
            warning = "@aws-cdk/aws-ecs:ecrImageRequiresPolicy"
            cdk.Annotations.of(self).acknowledge_warning(warning, "`boundary.execution` allows it")
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
            permissions=[
                *run_permissions.lineage(self._names),
                *run_permissions.alerts(self._config.alarm_topic_arn),
                *boundary.run(self._names, self._config),
            ],
        )
        return self._tasks.make(RUN, run_role)

    def _code_location(self, run_role: iam.IRole) -> None:
        service = self._service(CODE, self._tasks.make(CODE, run_role), self._network.code_location)
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
                *control_permissions.watch(self._names),
                *control_permissions.launch(
                    self._names,
                    self._cluster.cluster_arn,
                    [run_role.role_arn, self._tasks.execution_role.role_arn],
                ),
            ],
        )
        # The old daemon ends before the new one begins: two would launch everything twice.
        definition = self._tasks.make(DAEMON, daemon_role, self._launching)
        self._service(DAEMON, definition, self._network.dagster, healthy=(0, 100))

    def _web_server(self, *, by_exec: bool) -> ecs.FargateService:
        web_role = role(
            self,
            "WebRole",
            service=TASKS,
            description="The web server: watches and stops run workers",
            permissions=control_permissions.watch(self._names),
        )
        task = web(by_exec=by_exec)
        definition = self._tasks.make(task, web_role, self._launching)
        return self._service(task, definition, self._network.dagster, by_exec=by_exec)

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


def _environment(config: DeployConfig, names: Names) -> dict[str, str]:
    """The variables that Dagster's configuration and the platform read in every task."""
    told = {"ABALONE_NOTIFY": config.alarm_topic_arn} if config.alarm_topic_arn else {}
    return {
        **told,
        **config.environment,
        "ABALONE_PROFILE": "aws",
        "ABALONE_HOME": "/tmp/abalone",  # noqa: S108 - a container's own
        "ABALONE_SSM_PREFIX": config.ssm_prefix,
        "ABALONE_ENDPOINT_NAME": names.endpoint,
        "DAGSTER_S3_LOGS_BUCKET": names.logs_bucket,
        "DAGSTER_CODE_LOCATION_HOST": f"{CODE_HOST}.{names.namespace}",
    }
