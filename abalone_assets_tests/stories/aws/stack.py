"""What the CDK stack makes, made in the stand-in: for tests of the whole profile."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from abalone_assets_tests.aws.support import make_queue
from abalone_assets_tests.fakes.places import OWN_KEY, ROLE

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

ALARM: Final = "abalone-5xx"
GROUP: Final = "abalone"
GLUE_JOB: Final = "abalone-prepare"
DATABASE: Final = "abalone"
CRAWLER: Final = "abalone-landing-zone"
LANDING: Final = "landing_zone/"
QUEUE: Final = "abalone-surveys"


def provision(aws: AwsStandIn) -> dict[str, str]:
    """Make everything that the lineage needs; returns the SSM parameters by their short names."""
    queue_url = make_queue(aws, aws.bucket, LANDING, QUEUE)
    _glue(aws)
    sagemaker = aws.client("sagemaker", access_key=OWN_KEY)
    sagemaker.create_model_package_group(ModelPackageGroupName=GROUP)
    aws.client("cloudwatch", access_key=OWN_KEY).put_metric_alarm(
        AlarmName=ALARM,
        Namespace="AWS/SageMaker",
        MetricName="Invocation5XXErrors",
        Statistic="Sum",
        Period=60,
        EvaluationPeriods=1,
        Threshold=1,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
    )
    data = f"s3://{aws.bucket}"
    parameters = {
        "lake-uri": f"{data}/lake",
        "landing-zone-uri": f"{data}/{LANDING.rstrip('/')}",
        "registry-uri": f"{data}/registry",
        "jobs-uri": f"{data}/jobs",
        "capture-uri": f"{data}/captured_requests",
        "survey-queue-url": queue_url,
        "glue-job": GLUE_JOB,
        "glue-database": DATABASE,
        "glue-crawler": CRAWLER,
        "job-role-arn": ROLE,
        "model-package-group": GROUP,
        "endpoint-alarms": ALARM,
    }
    ssm = aws.client("ssm", access_key=OWN_KEY)
    for name, value in parameters.items():
        ssm.put_parameter(Name=f"/abalone/{name}", Value=value, Type="String")
    return parameters


def _glue(aws: AwsStandIn) -> None:
    glue = aws.client("glue", access_key=OWN_KEY)
    glue.create_database(DatabaseInput={"Name": DATABASE})
    glue.create_crawler(
        Name=CRAWLER,
        Role=ROLE,
        DatabaseName=DATABASE,
        Targets={"S3Targets": [{"Path": f"s3://{aws.bucket}/{LANDING}"}]},
    )
    glue.create_job(
        Name=GLUE_JOB,
        Role=ROLE,
        GlueVersion="5.1",
        WorkerType="G.1X",
        NumberOfWorkers=2,
        Command={
            "Name": "glueetl",
            "PythonVersion": "3",
            "ScriptLocation": f"s3://{aws.bucket}/jobs/code/placeholder.py",
        },
    )
