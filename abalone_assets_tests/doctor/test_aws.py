"""`abalone doctor` on AWS: a healthy account, and each thing that may be wrong with it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from abalone_assets.aws.clients import client
from abalone_assets.doctor.aws.account import NEEDED
from abalone_assets_tests.aws.support import put_parameters
from abalone_assets_tests.cli.support import abalone
from abalone_assets_tests.doctor.account import (
    ALARMS,
    GLUE_ROLE,
    UNCHANGED,
    block_public_access,
    findings,
    make_role,
    put_alarm,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from abalone_assets_tests.fakes.standin import AwsStandIn

PROJECT = Path(__file__).parents[2]
COLUMNS = ("outcome", "subject", "found", "remedy")
LAUNCHED = ("Create", "Start", "Run", "Update", "Invoke")


def test_a_healthy_account_has_nothing_to_do(account: AwsStandIn) -> None:
    exit_code, found = findings()
    troubles = {name: one for name, one in found.items() if one["outcome"] != "ok"}
    assert (exit_code, troubles) == (0, {})
    assert found["identity"]["found"].startswith("arn:aws:sts::123456789012:")
    assert found["region"]["found"] == "us-east-1"
    assert found["ssm:/abalone/lake-uri"]["found"] == f"s3://{account.bucket}/lake"
    assert "versioned, encrypted" in found[f"bucket {account.bucket}"]["found"]
    assert "Glue 5.1, 2 workers G.1X" in found["Glue job"]["found"]
    assert "xgboost" in found["xgboost image"]["found"]
    assert "the first release makes it" in found["endpoint"]["found"]
    assert "endpoint usage: 4" in found["quotas"]["found"]


def test_a_healthy_account_is_shown_as_a_table(account: AwsStandIn) -> None:
    result = abalone("doctor")
    assert result.exit_code == 0
    assert "Profile aws" in result.stdout
    assert result.stdout.rstrip().endswith("All is well.")


def test_an_account_is_left_as_it_was(account: AwsStandIn) -> None:
    before = len(account.calls)
    findings()
    called = {call.operation for call in account.calls[before:]}
    assert not {name for name in called if name.startswith(LAUNCHED)}
    listed = account.s3.list_objects_v2(Bucket=account.bucket)
    assert listed["KeyCount"] == 0


def test_the_packages_are_those_that_the_extra_installs() -> None:
    """Once the doctor asked for one that nothing installs any more, and found nothing else."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    extra = project["optional-dependencies"]["aws"]
    assert {re.split(r"[<>=\[; ]", each)[0] for each in extra} == set(NEEDED)


def test_expired_credentials_hide_the_rest(account: AwsStandIn) -> None:
    account.faults.expire_credentials()
    exit_code, found = findings()
    assert exit_code == 1
    assert list(found) == ["packages", "region", "identity"]
    assert "have expired" in found["identity"]["found"]
    assert "aws sso login" in found["identity"]["remedy"]


def test_a_missing_region_hides_the_rest(
    account: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    exit_code, found = findings()
    assert exit_code == 1
    assert list(found) == ["packages", "region"]
    assert found["region"]["remedy"] == "export AWS_REGION=us-east-1"


def test_a_missing_parameter_is_told_and_what_depends_on_it_is_left_out(
    account: AwsStandIn,
) -> None:
    client("ssm").delete_parameter(Name="/abalone/glue-job")
    exit_code, found = findings()
    missing = found["ssm:/abalone/glue-job"]
    assert (exit_code, missing["outcome"]) == (1, "failed")
    assert "make deploy" in missing["remedy"]
    assert "ABALONE_GLUE_JOB" in missing["remedy"]
    assert "Glue job" not in found
    assert found["Glue database"]["outcome"] == "ok"


def test_an_overridden_parameter_is_told_by_the_variable(
    account: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_GLUE_JOB", "abalone-prepare")
    _, found = findings()
    assert found["ABALONE_GLUE_JOB"]["found"] == "abalone-prepare"


def suspend_versions_and_unblock(account: AwsStandIn) -> None:
    account.s3.put_bucket_versioning(
        Bucket=account.bucket, VersioningConfiguration={"Status": "Suspended"}
    )
    block_public_access(account, blocked=False)


def capture_in_another_region(account: AwsStandIn) -> None:
    account.s3.create_bucket(
        Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
    )
    put_parameters({"capture-uri": "s3://far-away/captured"})


def deny_landed_survey(account: AwsStandIn) -> None:
    account.s3.put_object(Bucket=account.bucket, Key="landing_zone/survey.csv", Body=b"x")
    account.faults.deny("GetObject")


def end_notifications(account: AwsStandIn) -> None:
    account.s3.put_bucket_notification_configuration(
        Bucket=account.bucket, NotificationConfiguration={}
    )


def run_jobs_as_glue(_: AwsStandIn) -> None:
    make_role("glue-only", "glue.amazonaws.com")
    put_parameters({"job-role-arn": "arn:aws:iam::123456789012:role/glue-only"})


@pytest.mark.parametrize(
    ("make_trouble", "told"),
    [
        (
            lambda _: put_parameters({"registry-uri": "s3://no-such-bucket/registry"}),
            "failed: bucket no-such-bucket: .*there is no such bucket.*: run `make deploy`",
        ),
        (
            suspend_versions_and_unblock,
            "warning: bucket .*: in us-east-1; not versioned; public access is not blocked: .*",
        ),
        (
            capture_in_another_region,
            "failed: bucket far-away: in eu-west-1, but us-east-1 is called: .*set AWS_REGION.*",
        ),
        (deny_landed_survey, "failed: access to the landing zone: .*denied.*: .*s3:GetObject.*"),
        (end_notifications, "warning: survey queue: .* does not notify .*: run `make deploy`.*"),
        (  # a warning, since notifications only save time
            lambda account: put_parameters({"survey-queue-url": f"{account.url}/1234/gone"}),
            "warning: survey queue: .*/gone.*: .*late files are found more slowly",
        ),
        (
            run_jobs_as_glue,
            "failed: SageMaker role: .* does not trust sagemaker.amazonaws.com: let sagemaker.*",
        ),
        (
            lambda account: account.faults.deny("SimulatePrincipalPolicy"),
            "warning: permissions: .*SimulatePrincipalPolicy.*: .*iam:SimulatePrincipalPolicy.*",
        ),
        (
            lambda account: account.faults.deny("GetRole"),
            "warning: SageMaker role: .* cannot be looked at: .*: allow iam:GetRole.*",
        ),
        (
            lambda _: put_alarm(ALARMS[1], "ALARM"),
            f"warning: endpoint alarms: in alarm: {ALARMS[1]}: .*go without it.*",
        ),
        (
            lambda _: put_parameters({"endpoint-alarms": "none"}),
            "warning: endpoint alarms: none: .*name some",
        ),
        (
            lambda account: account.faults.deny("ListServiceQuotas"),
            "warning: quotas: .*ListServiceQuotas.*: .*Service Quotas.*",
        ),
    ],
)
def test_a_trouble_is_told_with_what_to_do(
    account: AwsStandIn, make_trouble: Callable[[AwsStandIn], None], told: str
) -> None:
    make_trouble(account)
    exit_code, found = findings()
    lines = [": ".join(each[column] for column in COLUMNS) for each in found.values()]
    assert [line for line in lines if re.fullmatch(told, line)], lines
    assert exit_code == int(told.startswith("failed"))


@pytest.mark.parametrize("operation", ["PutObject", "GetObject"])
def test_places_that_may_not_be_worked_with_fail(account: AwsStandIn, operation: str) -> None:
    account.faults.deny(operation)
    exit_code, found = findings()
    assert exit_code == 1
    for place in ("the lake", "the registry", "the jobs' prefix"):
        one = found[f"access to {place}"]
        assert one["outcome"] == "failed"
        assert f"may not {operation}" in one["found"]
        assert f"s3:{operation}" in one["remedy"]


def test_services_that_are_missing_fail(account: AwsStandIn) -> None:
    subjects = {
        "glue-job": "Glue job",
        "glue-database": "Glue database",
        "glue-crawler": "Glue crawler",
        "model-package-group": "model package group",
        "endpoint-alarms": "endpoint alarms",
    }
    put_parameters(dict.fromkeys(subjects, "no-such"))
    _, found = findings()
    for subject in subjects.values():
        assert found[subject]["outcome"] == "failed"
        assert found[subject]["remedy"] == "run `make deploy`"
        assert "no-such" in found[subject]["found"]


def test_glue_without_its_role_fails(account: AwsStandIn) -> None:
    client("iam").delete_role(RoleName=GLUE_ROLE)
    exit_code, found = findings()
    assert exit_code == 1
    for subject in ("Glue job", "Glue crawler"):
        assert found[subject]["outcome"] == "failed"
        assert found[subject]["found"].endswith("the role abalone-glue does not exist")


def test_what_this_identity_may_not_do_is_warned_of(account: AwsStandIn, denied: set[str]) -> None:
    denied.update({"iam:PassRole", "sagemaker:CreateTrainingJob"})
    exit_code, found = findings()
    one = found["permissions"]
    assert (exit_code, one["outcome"]) == (0, "warning")
    assert "iam:PassRole on arn:aws:iam::123456789012:role/abalone-jobs" in one["found"]
    job = "sagemaker:CreateTrainingJob on arn:aws:sagemaker:us-east-1:123456789012:"
    assert job in one["found"]
    assert "InvokeEndpoint" not in one["found"]
    assert one["remedy"]


@pytest.mark.parametrize(
    ("variable", "instance_type", "outcome", "found"),
    [
        # Service Quotas leaves out what was never changed in the account.
        ("PROCESSING_INSTANCE_TYPE", "ml.m97.large", "ok", f"{UNCHANGED}: 1"),
        ("TRAINING_INSTANCE_TYPE", "ml.m98.large", "warning", "ml.m98.large for training job"),
        (
            "SCORING_INSTANCE_TYPE",
            "ml.m95.large",
            "failed",
            "ml.m95.large for transform job usage: 0 of 1 needed",
        ),
        (
            "ENDPOINT_INSTANCE_TYPE",
            "ml.m96.large",  # a new version runs beside the old one
            "failed",
            "ml.m96.large for endpoint usage: 2 of 4 needed",
        ),
    ],
)
def test_quotas_are_compared_with_what_a_release_takes(
    account: AwsStandIn,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    instance_type: str,
    outcome: str,
    found: str,
) -> None:
    monkeypatch.setenv(f"ABALONE_{variable}", instance_type)
    exit_code, everything = findings()
    one = everything["quotas"]
    assert (exit_code, one["outcome"]) == (int(outcome == "failed"), outcome)
    assert found in one["found"]
