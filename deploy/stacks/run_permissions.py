"""What this project's code may do: every call of the lineage, and no right to start a task.

It is the role of the run workers and of the code location, whose sensors look at the data too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from abalone_assets.ingest.landing_zone import AGED
from deploy.stacks import names as n
from deploy.stacks.job_permissions import OBJECTS, catalog, watch_alarms
from deploy.stacks.names import arn
from deploy.stacks.permissions import ANY, NO_RESOURCE, Permission

if TYPE_CHECKING:
    from deploy.stacks.names import Names

JOB_NAMES = "a job's name is its asset's and a hash of its inputs"
READ = (n.RAW, n.LAKE, n.LANDING_ZONE, n.REGISTRY, n.JOBS, n.CAPTURED_REQUESTS)
WRITTEN = (n.LAKE, n.LANDING_ZONE, n.REGISTRY, n.JOBS)
DELETED = (n.LAKE, n.JOBS)


def lineage(names: Names) -> list[Permission]:
    """Every call that a run of the lineage, or a sensor, makes."""
    return [
        *_data(names),
        *_settings(names),
        *_preparation(names),
        *_jobs(names),
        *_registry(names),
        *_experiments(names),
        *_endpoint(names),
        compute_logs(names),
    ]


def alerts(topic_arn: str) -> list[Permission]:
    """What `alert_sensor` needs to tell a topic; none when there is none."""
    return [Permission("TellPeople", ["sns:Publish"], [topic_arn])] if topic_arn else []


def compute_logs(names: Names) -> Permission:
    """What runs and sensors print: written by who prints it, read by the web server."""
    return Permission(
        "KeepComputeLogs",
        ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
        [names.logs(n.COMPUTE_LOGS)],
        wildcards="a log's key holds the id of its run",
    )


def _data(names: Names) -> list[Permission]:
    return [
        Permission(
            "ReadData",
            ["s3:GetObject"],
            [names.data(prefix) for prefix in READ],
            wildcards=OBJECTS,
        ),
        Permission(
            "WriteData",
            ["s3:PutObject", "s3:AbortMultipartUpload"],
            [names.data(prefix) for prefix in WRITTEN],
            wildcards=OBJECTS,
        ),
        Permission(
            "DeleteData",
            ["s3:DeleteObject"],
            [names.data(prefix) for prefix in DELETED],
            wildcards=OBJECTS,
        ),
        Permission(
            "DeleteAges",
            ["s3:DeleteObject"],
            [names.data(f"{n.LANDING_ZONE}/{AGED}")],
            wildcards="the ages of a file are called like it",
        ),
        # No condition on the prefix: S3 says 404, not 403, only to who may list the bucket.
        Permission("ListData", ["s3:ListBucket"], [names.data_bucket_arn]),
        Permission(
            "ReceiveNotifications",
            ["sqs:ReceiveMessage", "sqs:DeleteMessage"],
            [arn("sqs", names.survey_queue)],
        ),
    ]


def _settings(names: Names) -> list[Permission]:
    return [
        Permission(
            "ReadSettings",
            ["ssm:GetParametersByPath"],
            [
                arn("ssm", f"parameter{names.ssm_prefix}"),
                arn("ssm", f"parameter{names.ssm_prefix}/*"),
            ],
            wildcards="the parameters below the one path",
        )
    ]


def _preparation(names: Names) -> list[Permission]:
    return [
        Permission(
            "PrepareData",
            ["glue:StartJobRun", "glue:GetJobRun", "glue:GetJobRuns", "glue:BatchStopJobRun"],
            [arn("glue", f"job/{names.glue_job}")],
        ),
        Permission(
            "CrawlLandingZone",
            ["glue:GetCrawler", "glue:StartCrawler"],
            [arn("glue", f"crawler/{names.glue_crawler}")],
        ),
        Permission(
            "KeepCatalog",
            [
                "glue:GetTables",
                "glue:CreateTable",
                "glue:UpdateTable",
                "glue:DeleteTable",
                "glue:GetPartitions",
                "glue:BatchCreatePartition",
                "glue:BatchUpdatePartition",
                "glue:BatchDeletePartition",
            ],
            catalog(names),
            wildcards="a table for each asset of the lake",
        ),
        Permission(
            "ReadJobLogs",
            ["logs:DescribeLogStreams", "logs:GetLogEvents"],
            [
                arn("logs", f"log-group:{group}:*")
                for group in (
                    "/aws-glue/jobs/output",
                    "/aws-glue/jobs/error",
                    "/aws/sagemaker/TrainingJobs",
                    "/aws/sagemaker/ProcessingJobs",
                    "/aws/sagemaker/TransformJobs",
                )
            ],
            wildcards="the service names the log streams, one or more for each job",
        ),
    ]


def _jobs(names: Names) -> list[Permission]:
    training = arn("sagemaker", f"training-job/{n.TRAINING_JOBS}-*")
    processing = arn("sagemaker", f"processing-job/{n.EVALUATION_JOBS}-*")
    return [
        Permission(
            "TrainAndEvaluate",
            [
                "sagemaker:AddTags",
                "sagemaker:ListTags",
                "sagemaker:CreateTrainingJob",
                "sagemaker:DescribeTrainingJob",
                "sagemaker:StopTrainingJob",
                "sagemaker:CreateProcessingJob",
                "sagemaker:DescribeProcessingJob",
                "sagemaker:StopProcessingJob",
            ],
            [training, processing],
            wildcards=JOB_NAMES,
        ),
        Permission(
            "ScoreFiles",
            [
                "sagemaker:AddTags",
                "sagemaker:ListTags",
                "sagemaker:CreateTransformJob",
                "sagemaker:DescribeTransformJob",
                "sagemaker:StopTransformJob",
            ],
            [arn("sagemaker", f"transform-job/{n.SCORING_JOBS}-*")],
            wildcards=JOB_NAMES,
        ),
        Permission(
            "FindOrphanedJobs",
            [
                "sagemaker:ListTrainingJobs",
                "sagemaker:ListProcessingJobs",
                "sagemaker:ListTransformJobs",
            ],
            [ANY],
            wildcards=NO_RESOURCE,
        ),
        Permission(
            "PassJobRole",
            ["iam:PassRole"],
            [names.job_role_arn],
            conditions={"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        ),
    ]


def _registry(names: Names) -> list[Permission]:
    group = names.model_package_group
    return [
        Permission(
            "RegisterModels",
            [
                "sagemaker:AddTags",
                "sagemaker:CreateModelPackage",
                "sagemaker:DescribeModelPackage",
                "sagemaker:DescribeModelPackageGroup",
                "sagemaker:ListModelPackages",
                "sagemaker:UpdateModelPackage",
            ],
            [
                arn("sagemaker", f"model-package-group/{group}"),
                arn("sagemaker", f"model-package/{group}/*"),
            ],
            wildcards="the versions of the one group are numbered",
        ),
        Permission(
            "NoteLineage",
            [
                "sagemaker:AddAssociation",
                "sagemaker:CreateAction",
                "sagemaker:CreateArtifact",
                "sagemaker:CreateContext",
                "sagemaker:DescribeAction",
                "sagemaker:DescribeContext",
                "sagemaker:UpdateAction",
                "sagemaker:UpdateArtifact",
                "sagemaker:UpdateContext",
            ],
            [
                arn("sagemaker", f"action/{group}-*"),
                arn("sagemaker", f"context/{group}-dagster"),
                arn("sagemaker", "artifact/*"),
            ],
            wildcards="an action for each version; SageMaker names artifacts by a hash",
        ),
        Permission(
            "FindLineage",
            ["sagemaker:ListArtifacts", "sagemaker:ListAssociations"],
            [ANY],
            wildcards=NO_RESOURCE,
        ),
    ]


_MLFLOW_CALLS: Final = (
    *("GetExperimentByName", "CreateExperiment"),
    *("SearchRuns", "CreateRun", "GetRun", "UpdateRun", "LogBatch", "SetTag"),
    *("SearchRegisteredModels", "CreateRegisteredModel", "GetRegisteredModel"),
    *("SearchModelVersions", "CreateModelVersion", "SetModelVersionTag"),
    *("SetRegisteredModelAlias", "DeleteRegisteredModelAlias"),
)
"""Named as in AWS's reference, whose developer guide leaves some of them out:
https://docs.aws.amazon.com/service-authorization/latest/reference/list_sagemaker-mlflow.html"""


def _experiments(names: Names) -> list[Permission]:
    """Versions in the one MLflow of SageMaker's that the settings name; any other needs no right.

    An MLflow App checks one action for its whole API, a tracking server one for each call. Files
    go to the server's own bucket, on which whoever made it has to give the right.
    """
    if not names.mlflow_uri.startswith("arn:"):
        return []
    actions = ["sagemaker:CallMlflowAppApi"]
    if ":mlflow-tracking-server/" in names.mlflow_uri:
        actions = [f"sagemaker-mlflow:{call}" for call in _MLFLOW_CALLS]
    return [Permission("WriteExperiments", actions, [names.mlflow_uri])]


def _endpoint(names: Names) -> list[Permission]:
    endpoint = arn("sagemaker", f"endpoint/{names.endpoint}")
    made = [
        arn("sagemaker", f"{kind}/{names.endpoint}-v*") for kind in ("model", "endpoint-config")
    ]
    return [
        Permission(
            "DeployModels",
            [
                "sagemaker:AddTags",
                "sagemaker:ListTags",
                "sagemaker:CreateModel",
                "sagemaker:DescribeModel",
                "sagemaker:DeleteModel",
                "sagemaker:CreateEndpointConfig",
                "sagemaker:DescribeEndpointConfig",
                "sagemaker:DeleteEndpointConfig",
                "sagemaker:CreateEndpoint",
                "sagemaker:DescribeEndpoint",
                "sagemaker:UpdateEndpoint",
                "sagemaker:DeleteEndpoint",
                "sagemaker:InvokeEndpoint",
            ],
            [endpoint, *made],
            wildcards="a version's models and configurations begin with the endpoint's name",
        ),
        Permission(
            "FindOldModels",
            ["sagemaker:ListModels", "sagemaker:ListEndpointConfigs"],
            [ANY],
            wildcards=NO_RESOURCE,
        ),
        watch_alarms(),
    ]
