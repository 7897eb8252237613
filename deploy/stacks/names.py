"""The names and ARNs of everything that one stack makes and another, or the package, refers to.

Names are given, not generated: stacks need no exports, and policies can name single resources.
The price: what is retained when its stack is deleted keeps its name, and the stack cannot be made
anew until it is imported or deleted. `make destroy` therefore lets the data stack stand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_cdk import Aws

from deploy.config import LAKE_PREFIX, TEMPLATES_PREFIX

if TYPE_CHECKING:
    from deploy.config import DeployConfig

RAW: Final = "raw"
"""For a base survey that does not come from UCI: `ABALONE_RAW_URI` may name an object there."""

LAKE: Final = LAKE_PREFIX
LANDING_ZONE: Final = "landing_zone"
REGISTRY: Final = "registry"
JOBS: Final = "jobs"
CAPTURED_REQUESTS: Final = "captured_requests"
"""Prefixes in the data bucket of what the platform keeps."""

TEMPLATES: Final = TEMPLATES_PREFIX
"""Prefix there that only whoever deploys writes to."""

TRAINING_JOBS: Final = "trained-model"
EVALUATION_JOBS: Final = "evaluation"
SCORING_JOBS: Final = "scoring"
"""Beginnings of the names of SageMaker jobs: the assets that they make, or what they do."""

COMPUTE_LOGS: Final = "compute_logs"
ACCESS_LOGS: Final = "s3_access"
FLOW_LOGS: Final = "vpc_flow"
LOAD_BALANCER_LOGS: Final = "load_balancer"
"""Prefixes in the logs bucket."""

VARIANT: Final = "AllTraffic"
"""The endpoint's one production variant."""


class Names:
    """Names and ARNs of one deployment, in the account and region that it is deployed to."""

    def __init__(self, config: DeployConfig) -> None:
        name, self.ssm_prefix = config.name, config.ssm_prefix
        self.data_bucket = f"{name}-data-{Aws.ACCOUNT_ID}-{Aws.REGION}"
        self.logs_bucket = f"{name}-logs-{Aws.ACCOUNT_ID}-{Aws.REGION}"
        self.image_repository = name
        self.survey_queue = f"{name}-surveys"
        self.dead_letter_queue = f"{name}-surveys-dead"
        self.glue_database = name.replace("-", "_")  # Athena wants no hyphens
        self.glue_crawler = f"{name}-landing-zone"
        self.glue_job = f"{name}-prepare"
        self.glue_connection = f"{name}-network"
        self.model_package_group = name
        self.mlflow_uri = str(config.settings.get("mlflow_uri", ""))
        self.endpoint = name
        self.cluster = name
        self.run_task_family = f"{name}-run"
        self.job_role = f"{name}-sagemaker-{Aws.REGION}"  # IAM has no regions
        self.namespace = f"{name}.internal"

    def data(self, prefix: str, pattern: str = "/*") -> str:
        """ARN of the objects below a prefix of the data bucket."""
        return f"{_s3(self.data_bucket)}/{prefix}{pattern}"

    def data_uri(self, prefix: str) -> str:
        """The ``s3://`` URI of a prefix of the data bucket."""
        return f"s3://{self.data_bucket}/{prefix}"

    @property
    def data_bucket_arn(self) -> str:
        """ARN of the data bucket itself."""
        return _s3(self.data_bucket)

    @property
    def logs_bucket_arn(self) -> str:
        """ARN of the logs bucket itself."""
        return _s3(self.logs_bucket)

    def logs(self, prefix: str) -> str:
        """ARN of the objects below a prefix of the logs bucket."""
        return f"{self.logs_bucket_arn}/{prefix}/*"

    @property
    def job_role_arn(self) -> str:
        """ARN of the role of the SageMaker jobs and the endpoint."""
        return f"arn:{Aws.PARTITION}:iam::{Aws.ACCOUNT_ID}:role/{self.job_role}"


def arn(service: str, resource: str) -> str:
    """ARN of a resource of this account and region."""
    return f"arn:{Aws.PARTITION}:{service}:{Aws.REGION}:{Aws.ACCOUNT_ID}:{resource}"


def _s3(bucket: str) -> str:
    return f"arn:{Aws.PARTITION}:s3:::{bucket}"
