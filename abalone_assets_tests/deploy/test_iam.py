from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets_tests.deploy.describe_roles import SNAPSHOT, described, policy_of
from abalone_assets_tests.deploy.iam import (
    RARELY_NEEDED,
    Need,
    Policy,
    as_deployed,
    denied,
    required_permissions,
    role_policy,
    unused_actions,
)
from abalone_assets_tests.fakes.calls import Call
from abalone_assets_tests.fakes.places import ACCOUNT, BUCKET, REGION, ROLE

if TYPE_CHECKING:
    from abalone_assets_tests.deploy.support import Assembly

PLACE = f"{REGION}:{ACCOUNT}"
DATA = f"arn:aws:s3:::abalone-data-{ACCOUNT}-{REGION}"
JOB_ROLE = f"arn:aws:iam::{ACCOUNT}:role/abalone-sagemaker-{REGION}"


def test_the_snapshot_of_the_roles_is_up_to_date(assembly: Assembly) -> None:
    assert json.loads(SNAPSHOT.read_text()) == described(assembly), (
        "look at what changed: python -m abalone_assets_tests.deploy.describe_roles; git diff"
    )


def test_calls_of_the_stand_in_get_the_names_of_the_stacks() -> None:
    made = call("sagemaker:CreateTrainingJob", f"arn:aws:s3:::{BUCKET}/x", RoleArn=ROLE)

    [renamed] = as_deployed([made])

    assert renamed.resource == f"{DATA}/x"
    assert renamed.params == {"RoleArn": JOB_ROLE}


def policy(*statements: dict[str, Any]) -> Policy:
    return Policy.of([{"Version": "2012-10-17", "Statement": list(statements)}])


def allow(action: Any, resource: Any, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def call(action: str, resource: str = "*", **params: Any) -> Call:
    service, _, operation = action.partition(":")
    return Call(service, operation, params, resource, "test")


READ = allow("s3:Get*", [f"{DATA}/lake/*"])
ONE_LETTER = allow("s3:GetObject", "arn:aws:s3:::a.b/?")
DENIED = {"Effect": "Deny", "Action": "s3:PutObject", "Resource": f"{DATA}/registry/*"}
PASSED_TO = {"StringEquals": {"iam:PassedToService": ["sagemaker.amazonaws.com"]}}
PASS = allow("iam:PassRole", JOB_ROLE, Condition=PASSED_TO)


def passed(*service: str) -> Need:
    return Need("iam:PassRole", JOB_ROLE, tuple(("iam:PassedToService", each) for each in service))


@pytest.mark.parametrize(
    ("statements", "allowed", "refused"),
    [
        pytest.param(
            [READ],
            [Need("s3:GetObject", f"{DATA}/lake/a/b"), Need("S3:getobject", f"{DATA}/lake/")],
            [Need("s3:GetObject", f"{DATA}/lakes/a"), Need("s3:PutObject", f"{DATA}/lake/a")],
            id="an action on what the pattern covers only",
        ),
        pytest.param(
            [ONE_LETTER],
            [Need("s3:GetObject", "arn:aws:s3:::a.b/x")],
            [Need("s3:GetObject", f"arn:aws:s3:::{name}") for name in ("axb/x", "a.b/xy")],
            id="a question mark is one character and a dot itself",
        ),
        pytest.param(
            [allow("s3:*", "*"), DENIED],
            [Need("s3:PutObject", f"{DATA}/lake/a")],
            [Need("s3:PutObject", f"{DATA}/registry/a")],
            id="a denial wins",
        ),
        pytest.param(
            [PASS],
            [passed("sagemaker.amazonaws.com")],
            [passed("ec2.amazonaws.com"), passed()],
            id="every condition must hold and a missing key holds none",
        ),
    ],
)
def test_a_policy_is_read_as_iam_reads_it(
    statements: list[dict[str, Any]], allowed: list[Need], refused: list[Need]
) -> None:
    read = policy(*statements)

    assert all(map(read.allows, allowed))
    assert not any(map(read.allows, refused))


def test_what_the_evaluator_does_not_know_it_refuses() -> None:
    with pytest.raises(AssertionError):
        policy({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"})


def test_a_job_needs_its_role_passed_and_its_tags_allowed() -> None:
    job = f"arn:aws:sagemaker:{PLACE}:training-job/trained-model-x-1"
    made = call("sagemaker:CreateTrainingJob", job, RoleArn=JOB_ROLE, Tags=[{"Key": "a"}])

    assert required_permissions([made]) == {
        Need("sagemaker:CreateTrainingJob", job),
        Need("sagemaker:AddTags", job),
        Need("iam:PassRole", JOB_ROLE, (("iam:PassedToService", "sagemaker.amazonaws.com"),)),
    }


def test_an_update_needs_both_the_endpoint_and_its_configuration() -> None:
    endpoint = f"arn:aws:sagemaker:{PLACE}:endpoint/abalone"
    made = call(
        "sagemaker:UpdateEndpoint", endpoint, EndpointName="abalone", EndpointConfigName="c"
    )

    assert {need.resource for need in required_permissions([made])} == {
        endpoint,
        f"arn:aws:sagemaker:{PLACE}:endpoint-config/c",
    }


def test_a_batch_of_deletions_must_be_allowed_somewhere_in_the_bucket() -> None:
    batch = [call("s3:DeleteObject", DATA)]

    assert not denied(policy(allow("s3:DeleteObject", f"{DATA}/lake/*")), batch)
    assert denied(policy(allow("s3:DeleteObject", "arn:aws:s3:::other/*")), batch)


def test_what_no_call_needed_is_named() -> None:
    granted = policy(allow(["s3:GetObject", "s3:PutObject"], "*"))

    assert unused_actions(granted, [call("s3:GetObject", DATA)]) == {"s3:PutObject"}


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
            ],
            [
                call("s3:DeleteObject", f"{DATA}/registry/models/x/model.tar.gz"),
                call("s3:DeleteObject", f"{DATA}/landing_zone/abalone.20250314061500"),
                call("s3:GetObject", "arn:aws:s3:::someone-elses/lake/x"),
                call("glue:StartJobRun", f"arn:aws:glue:{PLACE}:job/another"),
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

    assert len(alarms) == 3
    for alarm in alarms:
        arn = f"arn:aws:cloudwatch:{PLACE}:alarm:{alarm}"
        assert granted.allows(Need("cloudwatch:DescribeAlarms", arn))


def test_what_is_rarely_needed_is_granted_at_all() -> None:
    assert RARELY_NEEDED.keys() <= policy_of("run").actions()
