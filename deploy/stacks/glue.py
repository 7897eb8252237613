"""Glue: the database of Athena's tables, the crawler of the landing zone, the Spark job."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_glue as glue
from constructs import Construct

from abalone_assets.ingest.landing_zone import AGED
from abalone_assets.resources.etl_engine import s3a_region
from abalone_assets.settings.aws import ids
from abalone_assets.survey import ANIMALS
from deploy.config import DeployError
from deploy.stacks import boundary, job_permissions
from deploy.stacks import names as n
from deploy.stacks.acknowledged import acknowledge
from deploy.stacks.permissions import role

if TYPE_CHECKING:
    from deploy.config import DeployConfig
    from deploy.stacks.names import Names

GLUE_VERSION = "5.1"  # Spark 3.5.6 and Python 3.11, which the tests run
WORKERS = 2
TIMEOUT_MINUTES = 60


class Glue(Construct):
    """The catalog and the preparation on Spark.

    Args:
        scope: The stack.
        construct_id: Id in the stack.
        config: The deployment.
        names: Of the deployment.
    """

    def __init__(
        self, scope: Construct, construct_id: str, *, config: DeployConfig, names: Names
    ) -> None:
        super().__init__(scope, construct_id)
        self._config, self._names = config, names
        self._connection = self._network_connection()
        database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=cdk.Aws.ACCOUNT_ID,
            database_input=glue.CfnDatabase.DatabaseInputProperty(
                name=names.glue_database, description="The assets of the lake, for Athena"
            ),
        )
        crawler = self._crawler()
        crawler.add_resource_dependency(database)
        job = self._job()
        acknowledge(crawler, GL1=_LOGS_REASON)
        acknowledge(job, GL1=_LOGS_REASON, GL3="the job uses no bookmarks; the lake has a manifest")

    def _network_connection(self) -> glue.CfnConnection | None:
        """The network that job and crawler run in, if it is not Glue's own."""
        subnets = ids(self._config.aws.subnets)
        if not subnets:
            return None
        if not self._config.glue_availability_zone:
            raise DeployError(
                f"glue_availability_zone: name the zone of {subnets[0]}, such as us-east-1a; "
                "`make deploy` looks it up"
            )
        place = glue.CfnConnection.PhysicalConnectionRequirementsProperty(
            subnet_id=subnets[0],  # Glue takes one
            security_group_id_list=list(ids(self._config.aws.security_groups)),
            availability_zone=cdk.CfnParameter(
                self,
                "Zone",
                type="AWS::EC2::AvailabilityZone::Name",
                default=self._config.glue_availability_zone,
                description="Zone of the subnet of Glue's job and crawler",
            ).value_as_string,
        )
        return glue.CfnConnection(
            self,
            "Network",
            catalog_id=cdk.Aws.ACCOUNT_ID,
            connection_input=glue.CfnConnection.ConnectionInputProperty(
                name=self._names.glue_connection,
                connection_type="NETWORK",
                physical_connection_requirements=place,
            ),
        )

    def _crawler(self) -> glue.CfnCrawler:
        crawling = role(
            self,
            "CrawlerRole",
            service="glue.amazonaws.com",
            description="Crawler of the landing zone",
            permissions=[
                *job_permissions.glue_crawler(self._names),
                *boundary.glue_crawler(self._names, self._config),
            ],
        )
        crawler = glue.CfnCrawler(
            self,
            "Crawler",
            name=self._names.glue_crawler,
            description="Tables of the files that crews sent; started by the platform",
            role=crawling.role_arn,
            database_name=self._names.glue_database,
            targets=glue.CfnCrawler.TargetsProperty(
                s3_targets=[
                    glue.CfnCrawler.S3TargetProperty(
                        path=f"{self._names.data_uri(n.LANDING_ZONE)}/",
                        # Its tables are of surveys: ages, and animals without rings, are assets.
                        exclusions=[f"{AGED}/**", f"{ANIMALS.prefix}*"],
                        connection_name=self._connection.ref if self._connection else None,
                    )
                ]
            ),
            schema_change_policy=glue.CfnCrawler.SchemaChangePolicyProperty(
                update_behavior="UPDATE_IN_DATABASE", delete_behavior="LOG"
            ),
            # Files that differ in a column's type are one table, not one table each.
            configuration=json.dumps(
                {"Version": 1.0, "Grouping": {"TableGroupingPolicy": "CombineCompatibleSchemas"}}
            ),
        )
        crawler.node.add_dependency(crawling)
        return crawler

    def _job(self) -> glue.CfnJob:
        preparing = role(
            self,
            "JobRole",
            service="glue.amazonaws.com",
            description="Preparation on Spark",
            permissions=[
                *job_permissions.glue_job(self._names),
                *boundary.glue_job(self._names, self._config),
            ],
        )
        return glue.CfnJob(
            self,
            "Job",
            name=self._names.glue_job,
            description="Merges and splits the surveys; each run brings its own script",
            role=preparing.role_arn,
            glue_version=GLUE_VERSION,
            worker_type="G.1X",
            number_of_workers=WORKERS,
            timeout=TIMEOUT_MINUTES,
            max_retries=0,  # Dagster retries, and sees it
            connections=glue.CfnJob.ConnectionsListProperty(connections=[self._connection.ref])
            if self._connection
            else None,
            # A run that was given up on must not overwrite the splits of the one after it.
            execution_property=glue.CfnJob.ExecutionPropertyProperty(max_concurrent_runs=1),
            command=glue.CfnJob.JobCommandProperty(
                name="glueetl",
                python_version="3",
                # Nothing is there: a run passes --scriptLocation, the script of its own version.
                script_location=f"{self._names.data_uri(n.JOBS)}/code/none/prepare.py",
            ),
            default_arguments={
                "--job-language": "python",
                "--job-bookmark-option": "job-bookmark-disable",
                # The S3 connector takes us-east-2 unless it is told; what a run passes wins.
                "--conf": s3a_region(cdk.Aws.REGION),
                # No --enable-metrics: CloudWatch bills each of some thirty metrics.
                "--TempDir": f"{self._names.data_uri(n.JOBS)}/glue-temp/",
            },
        )


_LOGS_REASON = (
    "CloudWatch encrypts every log group at rest, and the bucket every object; a configuration that"
    " says no more needs glue:GetSecurityConfiguration on everything, and makes Glue write to other"
    " log groups, named after it, while the platform follows the usual ones"
)
