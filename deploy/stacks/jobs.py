"""What AWS runs for the platform, and the parameters that tell the platform of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aws_cdk as cdk
from aws_cdk import aws_sagemaker as sagemaker
from aws_cdk import aws_ssm as ssm

from deploy.stacks import boundary, job_permissions
from deploy.stacks import names as n
from deploy.stacks.alarms import EndpointAlarms
from deploy.stacks.budget import Budget
from deploy.stacks.glue import Glue
from deploy.stacks.permissions import role

if TYPE_CHECKING:
    from constructs import Construct

    from deploy.config import DeployConfig


class JobsStack(cdk.Stack):
    """Glue, SageMaker, the endpoint's alarms and the SSM parameters."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: DeployConfig,
        names: n.Names,
        survey_queue_url: str,
        **kwargs: Any,  # noqa: ANN401 - as aws_cdk.Stack's
    ) -> None:
        super().__init__(scope, construct_id, **kwargs)
        Glue(self, "Glue", config=config, names=names)
        role(
            self,
            "SageMakerRole",
            role_name=names.job_role,
            service="sagemaker.amazonaws.com",
            description="Training, processing and the endpoint",
            permissions=[*job_permissions.sagemaker_jobs(names), *boundary.sagemaker(config)],
        )
        sagemaker.CfnModelPackageGroup(
            self,
            "Registry",
            model_package_group_name=names.model_package_group,
            model_package_group_description="Versions of the model that passed the gate",
        )
        alarms = EndpointAlarms(
            self, "EndpointAlarms", names=names, topic_arn=config.alarm_topic_arn
        )
        if config.budget_usd:
            Budget(self, "Budget", config=config)
        parameters = {
            "lake-uri": names.data_uri(n.LAKE),
            "landing-zone-uri": names.data_uri(n.LANDING_ZONE),
            "registry-uri": names.data_uri(n.REGISTRY),
            "jobs-uri": names.data_uri(n.JOBS),
            "capture-uri": names.data_uri(n.CAPTURED_REQUESTS),
            "survey-queue-url": survey_queue_url,
            "glue-job": names.glue_job,
            "glue-database": names.glue_database,
            "glue-crawler": names.glue_crawler,
            "job-role-arn": names.job_role_arn,
            "model-package-group": names.model_package_group,
            "endpoint-alarms": ",".join(alarms.names),
        }
        for name, value in parameters.items():
            ssm.StringParameter(
                self,
                f"Parameter-{name}",
                parameter_name=f"{names.ssm_prefix}/{name}",
                string_value=value,
            )
