from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets_tests.deploy.iam import (
    RARELY_NEEDED,
    SNAPSHOT,
    denied,
    described,
    policy_of,
    role_policy,
)
from abalone_assets_tests.deploy.support import OWN_IMAGE, OWN_XGBOOST, TOPIC
from abalone_assets_tests.fakes.calls import Call
from abalone_assets_tests.fakes.places import ACCOUNT, REGION
from abalone_assets_tests.fakes.policies import Need

if TYPE_CHECKING:
    from abalone_assets_tests.deploy.support import Assembly

PLACE = f"{REGION}:{ACCOUNT}"
DATA = f"arn:aws:s3:::abalone-data-{ACCOUNT}-{REGION}"
JOB_ROLE = f"arn:aws:iam::{ACCOUNT}:role/abalone-sagemaker-{REGION}"


def test_the_snapshot_of_the_roles_is_up_to_date(assembly: Assembly) -> None:
    assert json.loads(SNAPSHOT.read_text()) == described(assembly), (
        "look at what changed: python -m abalone_assets_tests.deploy.iam; git diff"
    )


def call(action: str, resource: str = "*", **params: Any) -> Call:
    service, _, operation = action.partition(":")
    return Call(service, operation, params, resource, "test")


def update_of(config: str) -> Call:
    return call("sagemaker:UpdateEndpoint", EndpointName="abalone", EndpointConfigName=config)


TRAINING = f"arn:aws:sagemaker:{PLACE}:training-job/trained-model-x-1"
TRANSFORM_JOBS = f"arn:aws:sagemaker:{PLACE}:transform-job"
TAGS = [{"Key": "a", "Value": "b"}]


@pytest.mark.parametrize(
    ("role", "allowed", "refused"),
    [
        pytest.param(
            "run",
            [
                call("s3:GetObject", f"{DATA}/landing_zone/abalone.20250314061500"),
                call("s3:PutObject", f"{DATA}/lake/_manifest.json"),
                call("ssm:GetParametersByPath", f"arn:aws:ssm:{PLACE}:parameter/abalone"),
                call("sqs:ReceiveMessage", f"arn:aws:sqs:{PLACE}:abalone-surveys"),
                call("glue:StartJobRun", f"arn:aws:glue:{PLACE}:job/abalone-prepare"),
                call("glue:CreateTable", DatabaseName="abalone", TableInput={"Name": "t"}),
                call("logs:GetLogEvents", logGroupName="/aws-glue/jobs/output", logStreamName="x"),
                call("cloudwatch:DescribeAlarms"),
                call("sagemaker:CreateTrainingJob", TRAINING, RoleArn=JOB_ROLE, Tags=TAGS),
                call("sagemaker:CreateTransformJob", f"{TRANSFORM_JOBS}/scoring-x-1", Tags=TAGS),
                call("sagemaker:CreateAction", f"arn:aws:sagemaker:{PLACE}:action/abalone-v1"),
                update_of("abalone-v1"),
            ],
            [
                call(
                    "sagemaker:CreateTransformJob",
                    f"arn:aws:sagemaker:{PLACE}:transform-job/another-1",
                ),
                call("sagemaker:CreateAction", f"arn:aws:sagemaker:{PLACE}:action/another"),
                call("s3:DeleteObject", f"{DATA}/registry/models/x/model.tar.gz"),
                call("s3:DeleteObject", f"{DATA}/landing_zone/abalone.20250314061500"),
                call("s3:GetObject", "arn:aws:s3:::someone-elses/lake/x"),
                call("glue:StartJobRun", f"arn:aws:glue:{PLACE}:job/another"),
                call("sagemaker:CreateTrainingJob", TRAINING, RoleArn=f"{JOB_ROLE}-another"),
                update_of("another"),
                call("sagemaker:DeleteEndpoint", f"arn:aws:sagemaker:{PLACE}:endpoint/another"),
                call(
                    "sagemaker:DeleteModelPackage", f"arn:aws:sagemaker:{PLACE}:model-package/a/1"
                ),
                call("ecs:RunTask", f"arn:aws:ecs:{PLACE}:task-definition/abalone-run:1"),
                call("secretsmanager:GetSecretValue", "*"),
            ],
        ),
        pytest.param(
            "daemon",
            [call("ecs:StopTask", f"arn:aws:ecs:{PLACE}:task/abalone/0123")],
            [
                call("s3:GetObject", f"{DATA}/lake/x"),
                call("ecs:StopTask", f"arn:aws:ecs:{PLACE}:task/another/0123"),
                call("ecs:RunTask", f"arn:aws:ecs:{PLACE}:task-definition/another:1"),
            ],
        ),
        pytest.param(
            "sagemaker",
            [
                call("s3:GetObject", f"{DATA}/registry/models/x/model.tar.gz"),
                call("s3:PutObject", f"{DATA}/captured_requests/abalone/AllTraffic/x.jsonl"),
            ],
            [
                call("s3:PutObject", f"{DATA}/registry/models/x/model.tar.gz"),
                call("s3:GetObject", f"{DATA}/landing_zone/x"),
                call("s3:DeleteObject", f"{DATA}/lake/x"),
                call("sagemaker:CreateTrainingJob", f"arn:aws:sagemaker:{PLACE}:training-job/x"),
            ],
        ),
        pytest.param(
            "crawler",
            [call("s3:GetObject", f"{DATA}/landing_zone/x")],
            [
                call("s3:PutObject", f"{DATA}/landing_zone/x"),
                call("s3:GetObject", f"{DATA}/lake/x"),
            ],
        ),
    ],
)
def test_roles_may_do_their_work_and_no_other(
    role: str, allowed: list[Call], refused: list[Call]
) -> None:
    granted = policy_of(role)

    assert not denied(granted, allowed)
    assert [each.action for each in refused if not denied(granted, [each])] == []


def test_the_endpoints_role_sees_every_alarm_that_rolls_a_deployment_back(
    assembly: Assembly,
) -> None:
    [alarms] = [
        parameter["Properties"]["Value"].split(",")
        for parameter in assembly.resources("AWS::SSM::Parameter")
        if parameter["Properties"]["Name"].endswith("/endpoint-alarms")
    ]

    granted = role_policy(assembly.templates["jobs"], "SageMakerRole")

    assert len(alarms) == 2
    for alarm in alarms:
        arn = f"arn:aws:cloudwatch:{PLACE}:alarm:{alarm}"
        assert granted.allows(Need("cloudwatch:DescribeAlarms", arn))


def test_what_is_rarely_needed_is_granted_at_all() -> None:
    assert RARELY_NEEDED.keys() <= policy_of("run").actions()


@pytest.mark.parametrize(
    ("uri", "actions"),
    [
        ("", set()),
        ("https://mlflow.example.com", set()),
        (f"arn:aws:sagemaker:{PLACE}:mlflow-app/app-1", {"sagemaker:CallMlflowAppApi"}),
        (
            f"arn:aws:sagemaker:{PLACE}:mlflow-tracking-server/ours",
            {
                "sagemaker-mlflow:GetExperimentByName",
                "sagemaker-mlflow:CreateExperiment",
                "sagemaker-mlflow:SearchRuns",
                "sagemaker-mlflow:CreateRun",
                "sagemaker-mlflow:GetRun",
                "sagemaker-mlflow:LogBatch",
                "sagemaker-mlflow:SetTag",
                "sagemaker-mlflow:UpdateRun",
                "sagemaker-mlflow:SearchRegisteredModels",
                "sagemaker-mlflow:CreateRegisteredModel",
                "sagemaker-mlflow:GetRegisteredModel",
                "sagemaker-mlflow:SearchModelVersions",
                "sagemaker-mlflow:CreateModelVersion",
                "sagemaker-mlflow:SetModelVersionTag",
                "sagemaker-mlflow:SetRegisteredModelAlias",
                "sagemaker-mlflow:DeleteRegisteredModelAlias",
            },
        ),
    ],
)
def test_runs_may_write_to_the_one_mlflow_that_the_settings_name(
    uri: str, actions: set[str]
) -> None:
    from deploy.config import DeployConfig
    from deploy.stacks.names import Names
    from deploy.stacks.run_permissions import lineage

    names = Names(DeployConfig(settings={"mlflow_uri": uri}))
    found = [each for each in lineage(names) if each.sid == "WriteExperiments"]
    assert {action for each in found for action in each.actions} == actions
    assert all(each.resources == [uri] for each in found)


def test_runs_and_sensors_may_tell_the_one_topic_that_is_given(oidc_assembly: Assembly) -> None:
    from deploy.stacks.run_permissions import alerts

    assert alerts("") == []
    run = role_policy(oidc_assembly.templates["platform"], "DagsterRunRole")
    assert run.allows(Need("sns:Publish", TOPIC))
    assert not run.allows(Need("sns:Publish", f"{TOPIC}-of-others"))
    assert "sns:Publish" not in policy_of("run").actions()


@pytest.mark.parametrize(
    ("stack", "role", "image", "repository"),
    [
        (
            "platform",
            "DagsterExecutionRole",
            OWN_IMAGE,
            "arn:aws:ecr:eu-west-1:210987654321:repository/shared/abalone",
        ),
        (
            "jobs",
            "SageMakerRole",
            OWN_XGBOOST,
            f"arn:aws:ecr:{PLACE}:repository/mirror/sagemaker-xgboost",
        ),
    ],
)
def test_who_runs_an_image_of_ones_own_may_pull_it(
    company_assembly: Assembly, stack: str, role: str, image: str, repository: str
) -> None:
    granted = role_policy(company_assembly.templates[stack], role)

    assert image in json.dumps(company_assembly.templates["platform"])
    assert granted.allows(Need("ecr:GetAuthorizationToken", "*"))
    for action in ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer"):
        assert granted.allows(Need(f"ecr:{action}", repository))
        assert not granted.allows(Need(f"ecr:{action}", f"{repository}-of-others"))
