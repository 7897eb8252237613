"""Log groups that services make by themselves end after a month, and go with the deployment."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.aws.clients import client
from abalone_assets.resources.job_sweep import JOB_NAME_PREFIXES
from abalone_assets_tests.fakes.places import ACCOUNT, REGION
from deploy.config import DeployConfig
from deploy.log_groups import CRAWLERS, RETENTION_DAYS, SAGEMAKER_JOBS, LogGroups
from deploy.sagemaker_jobs import NAME_PREFIXES

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

OURS = f"arn:aws:iam::{ACCOUNT}:role/abalone-sagemaker-{REGION}"
OUTPUT = "/aws-glue/jobs/output"


@pytest.fixture
def groups(aws: AwsStandIn) -> LogGroups:
    """Of a deployment in an empty account."""
    return LogGroups(DeployConfig(), client, lambda _: None)


def retentions() -> dict[str, int | None]:
    found = client("logs").describe_log_groups()["logGroups"]
    return {group["logGroupName"]: group.get("retentionInDays") for group in found}


def streams(group: str) -> set[str]:
    found = client("logs").describe_log_streams(logGroupName=group)["logStreams"]
    return {stream["logStreamName"] for stream in found}


def write(group: str, *names: str) -> None:
    for name in names:
        client("logs").create_log_stream(logGroupName=group, logStreamName=name)


def processed(aws: AwsStandIn, name: str, role: str) -> None:
    """A processing job that is over."""
    aws.faults.fail_next_job("done")
    cluster: Any = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    client("sagemaker").create_processing_job(
        ProcessingJobName=name,
        RoleArn=role,
        AppSpecification={"ImageUri": "image"},
        ProcessingResources={"ClusterConfig": cluster},
    )


def test_every_group_is_there_before_its_service_makes_it_and_ends_after_a_month(
    groups: LogGroups,
) -> None:
    groups.retain()

    assert retentions() == dict.fromkeys(groups.names, RETENTION_DAYS)
    assert {
        "/aws-glue/jobs/error",
        "/aws/sagemaker/TrainingJobs",
        "/aws/sagemaker/Endpoints/abalone",
    } < set(groups.names)
    groups.retain()


def test_a_group_without_retention_gets_one_and_another_choice_is_kept(groups: LogGroups) -> None:
    logs = client("logs")
    for name in (OUTPUT, CRAWLERS):
        logs.create_log_group(logGroupName=name)
    logs.put_retention_policy(logGroupName=CRAWLERS, retentionInDays=365)

    groups.retain()

    assert retentions()[OUTPUT] == RETENTION_DAYS
    assert retentions()[CRAWLERS] == 365


def test_what_only_this_deployment_has_written_goes_with_it(
    aws: AwsStandIn, groups: LogGroups
) -> None:
    groups.retain()
    processed(aws, "evaluation-ours", OURS)
    write(SAGEMAKER_JOBS["Processing"], "evaluation-ours/algo-1-1")
    write(CRAWLERS, "abalone-landing-zone")
    write("/aws/sagemaker/Endpoints/abalone", "AllTraffic/i-1")

    groups.delete()

    assert retentions() == {}
    assert groups.left() == []
    groups.delete()


def test_what_others_have_written_stays_and_is_told(aws: AwsStandIn, groups: LogGroups) -> None:
    groups.retain()
    for name, role in (("evaluation-ours", OURS), ("evaluation-theirs", f"{OURS}-2/theirs")):
        processed(aws, name, role)
        write(SAGEMAKER_JOBS["Processing"], f"{name}/algo-1-1")
    write(CRAWLERS, "abalone-landing-zone", "another-crawler")
    write(OUTPUT, "jr_of_another_job")

    groups.delete()

    assert streams(SAGEMAKER_JOBS["Processing"]) == {"evaluation-theirs/algo-1-1"}
    assert streams(CRAWLERS) == {"another-crawler"}
    assert streams(OUTPUT) == {"jr_of_another_job"}
    assert groups.left() == [
        f"log group {name}" for name in (OUTPUT, CRAWLERS, SAGEMAKER_JOBS["Processing"])
    ]


def test_of_all_jobs_of_the_account_those_are_asked_for_that_have_names_of_ours(
    aws: AwsStandIn, groups: LogGroups
) -> None:
    groups.retain()
    ours = ("evaluation-ours", "abalone-doctor-0a1b2c-01234567-processing")
    for name in (*ours, "somebody-elses", "another-evaluation-1"):
        processed(aws, name, OURS)
    aws.calls.clear()

    groups.delete()

    asked = [call.params for call in aws.calls if call.action == "sagemaker:DescribeProcessingJob"]
    assert {params["ProcessingJobName"] for params in asked} == set(ours)
    assert (*JOB_NAME_PREFIXES, "abalone-doctor-") == NAME_PREFIXES


def test_the_streams_of_the_glue_jobs_runs_go_with_it(aws: AwsStandIn, groups: LogGroups) -> None:
    groups.retain()
    glue = client("glue")
    glue.create_job(Name="abalone-prepare", Role=OURS, Command={"Name": "glueetl"})
    aws.faults.fail_next_job("done")
    run = glue.start_job_run(JobName="abalone-prepare")["JobRunId"]
    write(OUTPUT, run, "jr_of_another_job")

    groups.delete()

    assert streams(OUTPUT) == {"jr_of_another_job"}
