"""The stacks, deployed to moto: what a service holds then, not what a template says.

moto keeps no record of a database's protection, a service's network, a repository's scans: for
those, for buckets and for log delivery, `test_synth` looks at the templates. That buckets are
private, that their accesses are logged and that buckets and queues want TLS, cdk-nag sees to.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.aws.clients import client
from abalone_assets.aws.parameters import forget, resolve, resolve_list
from abalone_assets.ingest.s3_notifications import receive
from abalone_assets.settings.aws import PARAMETERS
from abalone_assets_tests.deploy.cloudformation_models import complete_moto
from abalone_assets_tests.deploy.support import push_image, quick_stacks
from abalone_assets_tests.fakes.places import ACCOUNT, REGION, TEST_KEY, credentials
from deploy.config import DeployConfig, DeployError
from deploy.deploy import Deployer
from deploy.log_groups import LogGroups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets_tests.deploy.support import Assembly
    from abalone_assets_tests.fakes.server import MotoServer

pytestmark = pytest.mark.xdist_group("cdk")

DATA = f"abalone-data-{ACCOUNT}-{REGION}"


@pytest.fixture(scope="module")
def account(moto_server: MotoServer) -> Iterator[None]:
    """An empty account, for all tests of this module."""
    moto_server.reset()
    with pytest.MonkeyPatch.context() as patch:
        complete_moto(patch)
        for name, value in credentials(moto_server.url, TEST_KEY).items():
            patch.setenv(name, value)
        yield
        forget()


@pytest.fixture(scope="module")
def refusal(account: None, assembly: Assembly) -> str:
    """What `make deploy` says before there is an image."""
    with pytest.raises(DeployError) as refused:
        _deployer().deploy(assembly.folder)
    return str(refused.value)


@pytest.fixture(scope="module")
def outputs(refusal: str, assembly: Assembly) -> dict[str, str]:
    """The outputs of `make deploy` with an image: everything is deployed."""
    push_image(DeployConfig().image_tag)
    return _deployer().deploy(assembly.folder)


def _deployer() -> Deployer:
    return Deployer(DeployConfig(), quick_stacks(), client, lambda _: None)


def test_without_an_image_data_and_jobs_stand_and_one_is_told_how_to_push_it(refusal: str) -> None:
    assert "there is no image" in refusal
    commands = refusal.partition(": aws ecr get-login-password | docker login ")[2]
    assert "docker build --platform linux/amd64 " in commands
    assert "--build-arg COMMIT=$(git describe --always --dirty --abbrev=40 " in commands
    assert f"docker push {ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/abalone:" in commands
    assert f"abalone:{DeployConfig().image_tag}" in refusal


def test_a_landed_survey_becomes_a_notification_and_other_objects_do_not(
    outputs: dict[str, str],
) -> None:
    s3 = client("s3")
    s3.put_object(Bucket=DATA, Key="lake/x.parquet", Body=b"1")
    s3.put_object(Bucket=DATA, Key="landing_zone/abalone.20250314061500", Body=b"1")

    received = receive("ssm:/abalone/survey-queue-url")
    assert received.keys == {(DATA, "landing_zone/abalone.20250314061500")}


def test_queues_are_encrypted_and_dead_messages_raise_an_alarm(
    outputs: dict[str, str],
) -> None:
    attributes = {name: _queue(name) for name in ("abalone-surveys", "abalone-surveys-dead")}
    [alarm] = _alarms("abalone-surveys-dead-not-empty")

    assert {found["SqsManagedSseEnabled"] for found in attributes.values()} == {"true"}
    redrive = json.loads(attributes["abalone-surveys"]["RedrivePolicy"])
    assert redrive["deadLetterTargetArn"].endswith(":abalone-surveys-dead")
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": "abalone-surveys-dead"}]


def test_only_the_data_bucket_of_this_account_may_send_notifications(
    outputs: dict[str, str],
) -> None:
    policy = json.loads(_queue("abalone-surveys")["Policy"])
    [sending] = [s for s in policy["Statement"] if s["Effect"] == "Allow"]

    assert sending["Action"] == "sqs:SendMessage"
    assert sending["Condition"] == {
        "ArnEquals": {"aws:SourceArn": f"arn:aws:s3:::{DATA}"},
        "StringEquals": {"aws:SourceAccount": ACCOUNT},
    }


def test_the_platform_finds_every_parameter(outputs: dict[str, str]) -> None:
    forget()
    values = {name: resolve(f"ssm:/abalone/{name}") for name in PARAMETERS}

    assert values["lake-uri"] == f"s3://{DATA}/lake"
    assert values["jobs-uri"] == f"s3://{DATA}/jobs"
    assert values["job-role-arn"] == f"arn:aws:iam::{ACCOUNT}:role/abalone-sagemaker-{REGION}"
    assert all(values.values())


def test_what_the_parameters_name_exists(outputs: dict[str, str]) -> None:
    forget()
    named = {name: resolve(f"ssm:/abalone/{name}") for name in PARAMETERS}
    glue, alarms = client("glue"), resolve_list("ssm:/abalone/endpoint-alarms")

    assert glue.get_database(Name=named["glue-database"])["Database"]
    assert glue.get_crawler(Name=named["glue-crawler"])["Crawler"]
    assert glue.get_job(JobName=named["glue-job"])["Job"]
    assert client("iam").get_role(RoleName=named["job-role-arn"].rpartition("/")[2])["Role"]
    group = {"ModelPackageGroupName": named["model-package-group"]}
    assert client("sagemaker").describe_model_package_group(**group)
    assert {alarm["AlarmName"] for alarm in _alarms(*alarms)} == set(alarms)
    assert len(alarms) == 2


def test_the_alarms_watch_the_endpoints_variant_minute_by_minute(outputs: dict[str, str]) -> None:
    alarms = _alarms(*resolve_list("ssm:/abalone/endpoint-alarms"))

    assert {a["MetricName"] for a in alarms} == {"Invocation5XXErrors", "ModelLatency"}
    for alarm in alarms:
        assert {d["Name"]: d["Value"] for d in alarm["Dimensions"]} == {
            "EndpointName": "abalone",
            "VariantName": "AllTraffic",
        }
        assert (alarm["Period"], alarm["TreatMissingData"]) == (60, "notBreaching")
        # A worker loads its model at its first request: one slow minute is no slow model.
        minutes = 2 if alarm["MetricName"] == "ModelLatency" else 1
        assert alarm["EvaluationPeriods"] == minutes


def test_the_glue_job_runs_the_spark_that_the_tests_run(outputs: dict[str, str]) -> None:
    job = client("glue").get_job(JobName="abalone-prepare")["Job"]

    assert (job["GlueVersion"], job["WorkerType"], job["NumberOfWorkers"]) == ("5.1", "G.1X", 2)
    assert (job["Timeout"], job["MaxRetries"]) == (60, 0)
    assert job["ExecutionProperty"]["MaxConcurrentRuns"] == 1
    assert "SecurityConfiguration" not in job
    region = client("glue").meta.region_name
    told = job["DefaultArguments"]["--conf"]
    assert told == f"spark.hadoop.fs.s3a.endpoint.region={region}"
    assert "--enable-metrics" not in job["DefaultArguments"]


def test_the_crawler_reads_the_landing_zone(outputs: dict[str, str]) -> None:
    crawler = client("glue").get_crawler(Name="abalone-landing-zone")["Crawler"]

    assert crawler["Targets"]["S3Targets"][0]["Path"] == f"s3://{DATA}/landing_zone/"
    assert crawler["DatabaseName"] == "abalone"
    assert "CrawlerSecurityConfiguration" not in crawler
    grouping = json.loads(crawler["Configuration"])["Grouping"]
    assert grouping == {"TableGroupingPolicy": "CombineCompatibleSchemas"}


def test_the_database_is_encrypted_private_and_backed_up(outputs: dict[str, str]) -> None:
    [database] = client("rds").describe_db_instances()["DBInstances"]

    assert database["StorageEncrypted"]
    assert not database["PubliclyAccessible"]
    assert database["BackupRetentionPeriod"] == 7
    assert database["DBInstanceClass"] == "db.t4g.micro"


def test_three_services_run_and_runs_have_a_task_definition(outputs: dict[str, str]) -> None:
    ecs = client("ecs")
    arns = ecs.list_services(cluster="abalone")["serviceArns"]
    services = ecs.describe_services(cluster="abalone", services=arns)["services"]
    task = ecs.describe_task_definition(taskDefinition="abalone-run")["taskDefinition"]

    assert {service["serviceName"] for service in services} == {"web", "daemon", "code"}
    assert {service["desiredCount"] for service in services} == {1}
    assert task["containerDefinitions"][0]["name"] == "run"
    assert outputs == {"Cluster": "abalone", "ImageTag": DeployConfig().image_tag}


def test_services_that_a_cut_short_destruction_stopped_run_again(
    outputs: dict[str, str], assembly: Assembly
) -> None:
    ecs, told = client("ecs"), list[str]()
    arns = ecs.list_services(cluster="abalone")["serviceArns"]
    for arn in arns:
        ecs.update_service(cluster="abalone", service=arn, desiredCount=0)

    Deployer(DeployConfig(), quick_stacks(), client, told.append).deploy(assembly.folder)

    services = ecs.describe_services(cluster="abalone", services=arns)["services"]
    assert {service["desiredCount"] for service in services} == {1}
    assert {line for line in told if line.startswith("service ")} == {
        f"service {name}: it was stopped; starting it again" for name in ("web", "daemon", "code")
    }


def test_logs_end_after_a_month(outputs: dict[str, str]) -> None:
    groups = {
        group["logGroupName"]: group.get("retentionInDays")
        for group in client("logs").describe_log_groups()["logGroups"]
    }

    assert groups == {
        **{f"/abalone/{task}": 30 for task in ("web", "daemon", "code", "run")},
        "/aws/rds/instance/abalone-dagster/postgresql": 30,
        **dict.fromkeys(LogGroups(DeployConfig(), client, lambda _: None).names, 30),
    }


def test_roles_are_taken_on_by_services_of_this_account_only(outputs: dict[str, str]) -> None:
    roles = client("iam").list_roles()["Roles"]
    trusts = [role["AssumeRolePolicyDocument"]["Statement"][0] for role in roles]

    assert {trust["Principal"]["Service"] for trust in trusts} == {
        "ecs-tasks.amazonaws.com",
        "glue.amazonaws.com",
        "sagemaker.amazonaws.com",
    }
    for trust in trusts:
        assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_everything_is_tagged_with_its_project(outputs: dict[str, str]) -> None:
    [database] = client("rds").describe_db_instances()["DBInstances"]
    tags = client("s3").get_bucket_tagging(Bucket=DATA)["TagSet"]

    for found in (tags, database["TagList"]):
        assert {"Key": "Project", "Value": "abalone-assets"} in found


def _queue(name: str) -> dict[str, str]:
    sqs = client("sqs")
    url = sqs.get_queue_url(QueueName=name)["QueueUrl"]
    attributes: dict[str, str] = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])[
        "Attributes"
    ]
    return attributes


def _alarms(*names: str) -> list[dict[str, Any]]:
    alarms: list[dict[str, Any]] = client("cloudwatch").describe_alarms(AlarmNames=list(names))[
        "MetricAlarms"
    ]
    return alarms
