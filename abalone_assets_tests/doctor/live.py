"""What the tests of `abalone doctor --live` share: the account, the command, what is left of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from abalone_assets_tests.cli.support import abalone
from abalone_assets_tests.fakes.places import OWN_KEY
from abalone_assets_tests.stories.aws.stack import provision

if TYPE_CHECKING:
    from collections.abc import Iterable

    from abalone_assets_tests.fakes.calls import Call
    from abalone_assets_tests.fakes.standin import AwsStandIn

QUICK_POLL = "0.05"
STEPS = [
    "earlier trials",
    "trial",
    "data",
    "Glue job",
    "training job",
    "processing job",
    "model package",
    "endpoint created",
    "good row",
    "bad row",
    "endpoint updated",
    "clean-up",
]
PRODUCTION = ("lake/", "landing_zone/", "registry/", "captured_requests/abalone/", "jobs/pipes/")
"""Prefixes of what releases keep."""


@dataclass(frozen=True)
class Result:
    """How the command ended."""

    exit_code: int
    document: dict[str, Any]
    said: str

    @property
    def outcomes(self) -> dict[str, str]:
        return {each["subject"]: each["outcome"] for each in self.document["findings"]}

    def finding(self, subject: str) -> dict[str, str]:
        return next(each for each in self.document["findings"] if each["subject"] == subject)

    @property
    def failed(self) -> dict[str, str]:
        """The one finding that failed."""
        (found,) = [each for each in self.document["findings"] if each["outcome"] == "failed"]
        return dict(found)


def live(*more: str) -> Result:
    """Run the command in this process."""
    result = abalone("doctor", "--live", "--json", *more)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Result(result.exit_code, json.loads(result.stdout), result.stderr)


def deployed(aws: AwsStandIn) -> None:
    """Make what the stack makes, and some of what releases do."""
    provision(aws)
    for prefix in PRODUCTION:
        aws.s3.put_object(Bucket=aws.bucket, Key=f"{prefix}kept", Body=b"")


def left(aws: AwsStandIn) -> list[str]:
    """Everything of any trial that still is in the account."""
    sagemaker = aws.client("sagemaker", access_key=OWN_KEY)
    names = [
        *_names(sagemaker.list_endpoints()["Endpoints"], "EndpointName"),
        *_names(sagemaker.list_endpoint_configs()["EndpointConfigs"], "EndpointConfigName"),
        *_names(sagemaker.list_models()["Models"], "ModelName"),
        *_names(
            sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"],
            "ModelPackageGroupName",
        ),
        *_names(sagemaker.list_model_packages()["ModelPackageSummaryList"], "ModelPackageArn"),
        *_running(sagemaker, "Training"),
        *_running(sagemaker, "Processing"),
        *_names(
            aws.client("logs", access_key=OWN_KEY).describe_log_groups(
                logGroupNamePrefix="/aws/sagemaker/Endpoints"
            )["logGroups"],
            "logGroupName",
        ),
        *_scaling(aws),
        *(f"{arn} {entity}" for arn, entity in aws.lineage.entities.items()),
        *keys(aws),
    ]
    glue = aws.client("glue", access_key=OWN_KEY)
    runs = glue.get_job_runs(JobName="abalone-prepare")["JobRuns"]
    active = [
        run["Id"] for run in runs if run["JobRunState"] in {"STARTING", "RUNNING", "STOPPING"}
    ]
    return [name for name in names if "doctor" in name] + active


def _scaling(aws: AwsStandIn) -> list[str]:
    scaling = aws.client("application-autoscaling", access_key=OWN_KEY)
    targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    policies = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    return _names([*targets, *policies], "ResourceId")


def keys(aws: AwsStandIn) -> list[str]:
    """Every key in the bucket."""
    found = aws.s3.list_objects_v2(Bucket=aws.bucket)
    return [each["Key"] for each in found.get("Contents", [])]


def _names(entries: Iterable[dict[str, Any]], key: str) -> list[str]:
    return [entry[key] for entry in entries if key in entry]


def _running(sagemaker: Any, kind: str) -> list[str]:
    jobs = getattr(sagemaker, f"list_{kind.lower()}_jobs")()[f"{kind}JobSummaries"]
    return [
        job[f"{kind}JobName"]
        for job in jobs
        if job[f"{kind}JobStatus"] in {"InProgress", "Stopping"}
    ]


def touched_production(calls: Iterable[Call]) -> list[str]:
    """Calls that changed, or asked, what releases own."""
    changing = ("Create", "Update", "Delete", "Put", "Add", "Invoke")
    return [
        f"{call.action} {call.resource}"
        for call in calls
        if call.operation.startswith(changing)
        and call.action != "s3:DeleteObject"  # a batch; the record has no keys
        and "abalone-doctor-" not in call.resource
        and "abalone-doctor-" not in json.dumps(call.params, default=str)
    ]
