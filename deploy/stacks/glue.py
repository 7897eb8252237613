"""Glue: the database of Athena's tables, the crawler of the landing zone, the Spark job."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_glue as glue
from constructs import Construct

from abalone_assets.resources.etl_engine import s3a_region
from deploy.stacks import job_permissions
from deploy.stacks import names as n
from deploy.stacks.acknowledged import acknowledge
from deploy.stacks.permissions import role

if TYPE_CHECKING:
    from deploy.stacks.names import Names

GLUE_VERSION = "5.1"  # Spark 3.5.6 and Python 3.11, which the tests run
WORKERS = 2
TIMEOUT_MINUTES = 60


class Glue(Construct):
    """The catalog and the preparation on Spark.

    Args:
        scope: The stack.
        construct_id: Id in the stack.
        names: Of the deployment.
    """

    def __init__(self, scope: Construct, construct_id: str, *, names: Names) -> None:
        super().__init__(scope, construct_id)
        self._names = names
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

    def _crawler(self) -> glue.CfnCrawler:
        crawling = role(
            self,
            "CrawlerRole",
            service="glue.amazonaws.com",
            description="Crawler of the landing zone",
            permissions=job_permissions.glue_crawler(self._names),
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
                        path=f"{self._names.data_uri(n.LANDING_ZONE)}/"
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
            permissions=job_permissions.glue_job(self._names),
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
                "--enable-metrics": "true",
                "--enable-observability-metrics": "true",
                "--TempDir": f"{self._names.data_uri(n.JOBS)}/glue-temp/",
            },
        )


_LOGS_REASON = (
    "CloudWatch encrypts every log group at rest, and the bucket every object; a configuration that"
    " says no more needs glue:GetSecurityConfiguration on everything, and makes Glue write to other"
    " log groups, named after it, while the platform follows the usual ones"
)
