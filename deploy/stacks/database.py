"""Dagster's own memory: PostgreSQL on RDS."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_logs as logs
from aws_cdk import aws_rds as rds
from constructs import Construct

from deploy.stacks.acknowledged import acknowledge
from deploy.stacks.network import DATABASE_PORT

if TYPE_CHECKING:
    from deploy.config import DeployConfig
    from deploy.stacks.network import Network

DATABASE = "dagster"


class Database(Construct):
    """A small encrypted instance in subnets without a way out; its password is in Secrets Manager.

    The lake, not this database, is the truth about the data: losing it loses the history of runs.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, config: DeployConfig, network: Network
    ) -> None:
        super().__init__(scope, construct_id)
        identifier = f"{config.name}-dagster"
        log_group = logs.LogGroup(
            self,
            "Logs",
            log_group_name=f"/aws/rds/instance/{identifier}/postgresql",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        instance = rds.DatabaseInstance(
            self,
            "Instance",
            instance_identifier=identifier,
            engine=rds.DatabaseInstanceEngine.postgres(
                # No minor version: RDS upgrades it by itself, and a stack must not take it back.
                version=rds.PostgresEngineVersion.VER_17
            ),
            instance_type=ec2.InstanceType.of(ec2.InstanceClass.T4G, ec2.InstanceSize.MICRO),
            vpc=network.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED),
            security_groups=[network.database],
            port=DATABASE_PORT,
            database_name=DATABASE,
            credentials=rds.Credentials.from_generated_secret(DATABASE),
            allocated_storage=20,
            max_allocated_storage=100,
            storage_type=rds.StorageType.GP3,
            storage_encrypted=True,
            multi_az=config.database_multi_az,
            backup_retention=cdk.Duration.days(7),
            copy_tags_to_snapshot=True,
            cloudwatch_logs_exports=["postgresql"],
            auto_minor_version_upgrade=True,
            publicly_accessible=False,
            deletion_protection=config.retain,
            removal_policy=(
                cdk.RemovalPolicy.SNAPSHOT if config.retain else cdk.RemovalPolicy.DESTROY
            ),
        )
        instance.node.add_dependency(log_group)
        # RDS takes a major version alone, as the CDK knows, and cfn-lint does not.
        resource = instance.node.default_child
        assert isinstance(resource, rds.CfnDBInstance)  # noqa: S101 - what the construct is made of
        resource.add_metadata("cfn-lint", {"config": {"ignore_checks": ["W3691"]}})
        _acknowledge(instance, config)
        secret = instance.secret
        assert secret is not None  # noqa: S101 - generated above
        self.environment = {
            "DAGSTER_POSTGRES_HOST": instance.db_instance_endpoint_address,
            "DAGSTER_POSTGRES_PORT": str(DATABASE_PORT),
            "DAGSTER_POSTGRES_DB": DATABASE,
        }
        self.secrets = {
            "DAGSTER_POSTGRES_USER": ecs.Secret.from_secrets_manager(secret, "username"),
            "DAGSTER_POSTGRES_PASSWORD": ecs.Secret.from_secrets_manager(secret, "password"),
        }


def _acknowledge(instance: rds.DatabaseInstance, config: DeployConfig) -> None:
    acknowledge(
        instance,
        RDS11="security groups, not an unusual port, keep others out",
        SMG4="tasks get the password when they start; docs/deployment.md tells how to rotate it",
    )
    if not config.database_multi_az:
        acknowledge(
            instance,
            RDS3="half the cost; an outage stops new runs, not the endpoint, and loses no data",
        )
    if not config.retain:
        acknowledge(instance, RDS10="a deployment that keeps nothing was asked for")
