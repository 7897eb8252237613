"""The settings that only the profile aws reads.

What the stack made (buckets, roles, queues) is found in the SSM parameters that the stack wrote:
such a field is by default a reference ``ssm:/abalone/<name>``, which
`abalone_assets.aws.parameters.resolve` looks up when somebody needs it. Its environment variable
overrides it, with a literal or with a reference to another parameter.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import Field, field_validator, model_validator

from abalone_assets.settings.environment import EnvironmentSettings, read_environment

SSM_SCHEME: Final = "ssm:"
SSM_PATH_PATTERN: Final = r"(/[A-Za-z0-9_.-]+)+"
REFERENCE_PATTERN: Final = rf"{SSM_SCHEME}{SSM_PATH_PATTERN}/[A-Za-z0-9_.-]+"
NO_ALARMS: Final = "none"
"""Stands for an empty list of alarms: an SSM parameter cannot be empty."""

ZONES: Final = ("lake_uri", "landing_zone_uri", "registry_uri")
"""Settings of every profile that the profile aws finds in SSM."""

TERMINATION_SECONDS: Final = 60
"""How long the old instances stay after the traffic of a deployment has left them."""

STARTING_SECONDS: Final = 600
"""What a deployment needs at most, as a rule, to start its instances and load the model."""

InstanceType = Annotated[str, Field(pattern=r"^ml\.[a-z0-9-]+\.[a-z0-9]+$")]
S3Uri = Annotated[str, Field(pattern=rf"^(s3://[^/]+(/.*)?|{REFERENCE_PATTERN})$")]
RoleArn = Annotated[
    str, Field(pattern=rf"^(arn:aws[a-z-]*:iam::\d{{12}}:role/.+|{REFERENCE_PATTERN})$")
]

EndpointMode = Literal["instances", "autoscaled", "serverless"]
_ID = "(?:[0-9a-f]{8}|[0-9a-f]{17})"
SubnetIds = Annotated[str, Field(pattern=rf"^(subnet-{_ID}(, *subnet-{_ID}){{0,15}})?$")]
SecurityGroupIds = Annotated[str, Field(pattern=rf"^(sg-{_ID}(, *sg-{_ID}){{0,4}})?$")]
KMS_KEY_PATTERN: Final = r"arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:key/[A-Za-z0-9-]+"
KmsKeyArn = Annotated[str, Field(pattern=rf"^({KMS_KEY_PATTERN})?$")]


class AwsSettings(EnvironmentSettings):
    """The platform's settings on AWS; each field is the environment variable ``ABALONE_<FIELD>``.

    The region and the credentials are those of the standard AWS variables and files.
    """

    ssm_prefix: str = Field(
        "/abalone",
        pattern=f"^{SSM_PATH_PATTERN}$",
        description="Path of the SSM parameters that the stack wrote.",
    )
    jobs_uri: S3Uri = Field(
        description="s3:// prefix of what jobs are given and give back: code, Pipes messages."
    )
    capture_uri: S3Uri = Field(
        description="s3:// prefix of what the endpoint was asked and answered."
    )
    survey_queue_url: str = Field(
        description="URL of the SQS queue that S3 tells of landed surveys."
    )
    dagster_url: str = Field(
        "",
        pattern=r"^(https?://[^/\s]+(/\S*)?)?$",
        description="http:// or https:// URL of the deployed Dagster's web server, where "
        "`abalone release` launches; empty outside the deployed image refuses.",
    )
    glue_job: str = Field(description="Name of the Glue job that prepares the data.")
    glue_database: str = Field(description="Name of the Glue database that lists the assets.")
    glue_crawler: str = Field(description="Name of the Glue crawler over the landing zone.")
    job_role_arn: RoleArn = Field(
        description="ARN of the role of the SageMaker jobs and the endpoint."
    )
    model_package_group: str = Field(description="Name of the model package group: the registry.")
    endpoint_alarms: str = Field(
        description="CloudWatch alarms that roll a deployment back, separated by commas, or none; "
        "those that ring already are left out."
    )
    training_instance_type: InstanceType = Field("ml.m5.large", description="Trains a model.")
    processing_instance_type: InstanceType = Field("ml.m5.large", description="Evaluates a model.")
    endpoint_instance_type: InstanceType = Field("ml.m5.large", description="Serves a model.")
    scoring_instance_type: InstanceType = Field(
        "ml.m5.large", description="Scores files of many animals."
    )
    endpoint_instance_count: int = Field(
        2,
        ge=1,
        description="Instances of the endpoint, or the fewest of an autoscaled one; SageMaker "
        "spreads two over two zones.",
    )
    endpoint_mode: EndpointMode = Field(
        "instances",
        description="What the endpoint runs on: `instances`, `autoscaled` instances, or "
        "`serverless`, which costs nothing while nobody asks, without canary and data capture.",
    )
    endpoint_max_instance_count: int = Field(
        4, ge=1, description="Most instances of an autoscaled endpoint."
    )
    endpoint_invocations_per_minute: int = Field(
        1200, ge=1, description="Questions a minute and instance that autoscaling aims at."
    )
    serverless_memory_mb: int = Field(
        2048, ge=1024, le=6144, multiple_of=1024, description="Memory of a serverless endpoint."
    )
    serverless_max_concurrency: int = Field(
        5, ge=1, le=200, description="Most questions that a serverless endpoint answers at a time."
    )
    subnets: SubnetIds = Field(
        "",
        description="Subnets, separated by commas, that SageMaker's jobs and the endpoint run in.",
    )
    security_groups: SecurityGroupIds = Field(
        "", description="Their security groups, separated by commas."
    )
    kms_key_arn: KmsKeyArn = Field(
        "", description="KMS key of the volumes and outputs of SageMaker's jobs and the endpoint."
    )
    network_isolation: bool = Field(
        default=False,
        description="Give the containers of SageMaker's jobs and the endpoint no network.",
    )
    job_max_runtime_seconds: int = Field(
        3600, ge=60, le=432_000, description="A job that runs longer is stopped."
    )
    training_spot: bool = Field(default=False, description="Train on managed spot capacity.")
    training_keep_alive_seconds: int = Field(
        0,
        ge=0,
        le=21_600,
        description="How long a training instance is kept, and paid for, for the next training; "
        "not on spot capacity.",
    )
    poll_seconds: float = Field(
        15.0, gt=0, le=300, description="Wait between two looks at a running job."
    )
    canary_percent: int = Field(
        50, ge=1, le=50, description="Share of the traffic that a new version gets first."
    )
    canary_wait_seconds: int = Field(
        300, ge=0, le=3600, description="How long the alarms watch the canary."
    )
    deployment_timeout_seconds: int = Field(
        3600,
        ge=600,
        le=28_800,
        description="A deployment that takes longer is rolled back; more than two canary waits and "
        f"{TERMINATION_SECONDS + STARTING_SECONDS} s.",
    )
    studio_notes: bool = Field(
        default=True,
        description="Write model card and lineage of a version for SageMaker Studio; what goes "
        "wrong there is a warning.",
    )
    xgboost_image: str = Field("", description="XGBoost's image URI; empty takes SageMaker's.")
    tensorflow_image: str = Field(
        "", description="TensorFlow's image URI; empty takes SageMaker's."
    )

    @model_validator(mode="before")
    @classmethod
    def _refer_to_the_stacks_parameters(cls, given: dict[str, Any]) -> dict[str, Any]:
        prefix = given.get("ssm_prefix", cls.model_fields["ssm_prefix"].default)
        return {name: reference(prefix, name) for name in STACK_VALUES} | given

    @model_validator(mode="after")
    def _leaves_a_deployment_its_time(self) -> AwsSettings:
        require_time_for_waits(self.canary_wait_seconds, self.deployment_timeout_seconds)
        return self

    @model_validator(mode="after")
    def _is_what_sagemaker_offers(self) -> AwsSettings:
        require_offered(self)
        return self

    @field_validator("survey_queue_url")
    @classmethod
    def _is_a_queue(cls, url: str) -> str:
        if not url.startswith(("https://", "http://")) and not is_reference(url):
            raise ValueError("expected the URL of an SQS queue, or ssm:/path/name")
        return url


STACK_VALUES: Final = tuple(
    name for name, field in AwsSettings.model_fields.items() if field.is_required()
)
"""The fields of `AwsSettings` that are found in SSM: those without another default."""

PARAMETERS: Final = tuple(name.replace("_", "-") for name in (*ZONES, *STACK_VALUES))
"""Names of the parameters that the stack writes below its prefix."""


def require_time_for_waits(canary_wait_seconds: int, timeout_seconds: int) -> None:
    """Make sure that a deployment can end in time, before a release is paid for.

    Raises:
        ValueError: It cannot; the message names both variables.
    """
    needed = 2 * canary_wait_seconds + TERMINATION_SECONDS + STARTING_SECONDS
    if timeout_seconds <= needed:
        raise ValueError(
            f"ABALONE_DEPLOYMENT_TIMEOUT_SECONDS={timeout_seconds} must be more than {needed}: two "
            f"waits of ABALONE_CANARY_WAIT_SECONDS={canary_wait_seconds}, {STARTING_SECONDS} s to "
            f"start the new instances and {TERMINATION_SECONDS} s to end the old ones"
        )


def require_offered(aws: AwsSettings) -> None:
    """Make sure that SageMaker offers what was chosen together, before a release is paid for.

    Sources: https://docs.aws.amazon.com/sagemaker/latest/dg/serverless-endpoints.html (feature
    exclusions), https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling.html (no
    burstable instances), https://docs.aws.amazon.com/sagemaker/latest/dg/train-warm-pools.html (no
    spot capacity).

    Raises:
        ValueError: It does not; the message names the variables.
    """
    if bool(aws.subnets) != bool(aws.security_groups):
        raise ValueError(
            "ABALONE_SUBNETS and ABALONE_SECURITY_GROUPS go together: a network interface has both"
        )
    if aws.endpoint_mode == "serverless" and (aws.subnets or aws.network_isolation):
        raise ValueError(
            "ABALONE_ENDPOINT_MODE=serverless runs outside any VPC and is never isolated: set it "
            "to instances or autoscaled, or unset ABALONE_SUBNETS, ABALONE_SECURITY_GROUPS and "
            "ABALONE_NETWORK_ISOLATION"
        )
    if aws.endpoint_mode == "autoscaled":
        least, most = aws.endpoint_instance_count, aws.endpoint_max_instance_count
        if most < least:
            raise ValueError(
                f"ABALONE_ENDPOINT_MAX_INSTANCE_COUNT={most} is less than "
                f"ABALONE_ENDPOINT_INSTANCE_COUNT={least}, the fewest"
            )
        if re.match(r"ml\.t\d", aws.endpoint_instance_type):
            raise ValueError(
                f"ABALONE_ENDPOINT_INSTANCE_TYPE={aws.endpoint_instance_type}: burstable instances "
                "do not scale; take another type, or ABALONE_ENDPOINT_MODE=instances"
            )
    if aws.training_spot and aws.training_keep_alive_seconds:
        raise ValueError(
            "ABALONE_TRAINING_KEEP_ALIVE_SECONDS keeps no spot capacity: unset it, or "
            "ABALONE_TRAINING_SPOT"
        )


def ids(value: str) -> tuple[str, ...]:
    """The ids of a setting that separates them by commas."""
    return tuple(part.strip() for part in value.split(",") if part.strip())


def reference(ssm_prefix: str, field: str) -> str:
    """The reference to the parameter that holds a setting: ``ssm:/abalone/lake-uri``."""
    return f"{SSM_SCHEME}{ssm_prefix}/{field.replace('_', '-')}"


def is_reference(value: str) -> bool:
    """Whether a setting's value is a well-formed reference to an SSM parameter."""
    return re.fullmatch(REFERENCE_PATTERN, value) is not None


def load_aws_settings() -> AwsSettings:
    """Read the environment; looks nothing up.

    Raises:
        SettingsError: A variable is malformed; the message names it.
    """
    return read_environment(AwsSettings)
