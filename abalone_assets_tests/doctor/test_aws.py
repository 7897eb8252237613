"""`abalone doctor` on AWS: a healthy account, and each thing that may be wrong with it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from moto.core.responses import ActionResult
from moto.iam.responses import IamResponse
from moto.servicequotas.responses import ServiceQuotasResponse

from abalone_assets.aws.clients import client
from abalone_assets.doctor.aws.account import NEEDED
from abalone_assets_tests.aws.support import make_queue, put_parameters
from abalone_assets_tests.cli.support import abalone
from abalone_assets_tests.doctor.doctored import (
    ALARMS,
    GLUE_ROLE,
    QUOTAS,
    UNCHANGED,
    block_public_access,
    findings,
    make_glue,
    make_role,
    outcome,
    put_alarm,
    secure,
)

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

pytest_plugins = ("abalone_assets_tests.fakes.fixtures",)

PROJECT = Path(__file__).parents[2]
LAUNCHED = ("Create", "Start", "Run", "Update", "Invoke")


@pytest.fixture
def quotas(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The account's quotas; moto has none of SageMaker."""
    allowed = dict(QUOTAS)

    def list_service_quotas(_: ServiceQuotasResponse) -> str:
        quotas = [{"QuotaName": name, "Value": value} for name, value in allowed.items()]
        return json.dumps({"Quotas": quotas})

    def list_defaults(_: ServiceQuotasResponse) -> str:
        return json.dumps({"Quotas": [{"QuotaName": UNCHANGED, "Value": 1.0}]})

    answers = {
        "list_service_quotas": list_service_quotas,
        "list_aws_default_service_quotas": list_defaults,
    }
    for operation, answer in answers.items():
        monkeypatch.setattr(ServiceQuotasResponse, operation, answer, raising=False)
    return allowed


@pytest.fixture
def denied(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The actions that IAM says are denied; moto simulates no policies."""
    actions: set[str] = set()

    def simulate_principal_policy(response: IamResponse) -> ActionResult:
        asked = response._get_param("ActionNames")
        results = [
            {
                "EvalActionName": action,
                "EvalDecision": "implicitDeny" if action in actions else "allowed",
            }
            for action in asked
        ]
        return ActionResult({"EvaluationResults": results})

    monkeypatch.setattr(
        IamResponse, "simulate_principal_policy", simulate_principal_policy, raising=False
    )
    return actions


@pytest.fixture
def account(
    aws: AwsStandIn,
    home: Path,
    quotas: dict[str, float],
    denied: set[str],
    monkeypatch: pytest.MonkeyPatch,
) -> AwsStandIn:
    """An account in which the stack was deployed."""
    monkeypatch.setenv("ABALONE_PROFILE", "aws")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "2")
    secure(aws)
    queue_url = make_queue(aws, aws.bucket, "landing_zone/")
    make_glue(aws)
    make_role()
    make_role(GLUE_ROLE, "glue.amazonaws.com")
    client("sagemaker").create_model_package_group(ModelPackageGroupName="abalone")
    for name in ALARMS:
        put_alarm(name)
    places = ("lake", "landing_zone", "registry", "jobs", "captured_requests")
    uris = {f"{place.replace('_', '-')}-uri": f"s3://{aws.bucket}/{place}" for place in places}
    uris["capture-uri"] = uris.pop("captured-requests-uri")
    put_parameters(
        {
            **uris,
            "survey-queue-url": queue_url,
            "glue-job": "abalone-prepare",
            "glue-database": "abalone",
            "glue-crawler": "abalone-landing-zone",
            "job-role-arn": "arn:aws:iam::123456789012:role/abalone-jobs",
            "model-package-group": "abalone",
            "endpoint-alarms": ",".join(ALARMS),
        }
    )
    return aws


class TestAHealthyAccount:
    def test_has_nothing_to_do(self, account: AwsStandIn) -> None:
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

    def test_is_shown_as_a_table(self, account: AwsStandIn) -> None:
        result = abalone("doctor")
        assert result.exit_code == 0
        assert "Profile aws" in result.stdout
        assert result.stdout.rstrip().endswith("All is well.")

    def test_is_left_as_it_was(self, account: AwsStandIn) -> None:
        before = len(account.calls)
        findings()
        called = {call.operation for call in account.calls[before:]}
        assert not {name for name in called if name.startswith(LAUNCHED)}
        listed = account.s3.list_objects_v2(Bucket=account.bucket)
        assert listed["KeyCount"] == 0


class TestThePackages:
    def test_are_those_that_the_extra_installs(self) -> None:
        """Once the doctor asked for one that nothing installs any more, and found nothing else."""
        project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
        extra = project["optional-dependencies"]["aws"]
        assert {re.split(r"[<>=\[; ]", each)[0] for each in extra} == set(NEEDED)


class TestWhatHidesTheRest:
    def test_is_told_alone_when_the_credentials_have_expired(self, account: AwsStandIn) -> None:
        account.faults.expire_credentials()
        exit_code, found = findings()
        assert exit_code == 1
        assert list(found) == ["packages", "region", "identity"]
        assert "have expired" in found["identity"]["found"]
        assert "aws sso login" in found["identity"]["remedy"]

    def test_is_told_alone_when_there_is_no_region(
        self, account: AwsStandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("AWS_REGION")
        monkeypatch.delenv("AWS_DEFAULT_REGION")
        exit_code, found = findings()
        assert exit_code == 1
        assert list(found) == ["packages", "region"]


class TestAParameter:
    def test_that_is_missing_is_told_and_what_depends_on_it_is_left_out(
        self, account: AwsStandIn
    ) -> None:
        client("ssm").delete_parameter(Name="/abalone/glue-job")
        exit_code, found = findings()
        missing = found["ssm:/abalone/glue-job"]
        assert (exit_code, missing["outcome"]) == (1, "failed")
        assert "make deploy" in missing["remedy"]
        assert "ABALONE_GLUE_JOB" in missing["remedy"]
        assert "Glue job" not in found
        assert found["Glue database"]["outcome"] == "ok"

    def test_that_a_variable_overrides_is_told_by_the_variable(
        self, account: AwsStandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ABALONE_GLUE_JOB", "abalone-prepare")
        _, found = findings()
        assert found["ABALONE_GLUE_JOB"]["found"] == "abalone-prepare"


class TestABucket:
    def test_that_is_missing_fails(self, account: AwsStandIn) -> None:
        put_parameters({"registry-uri": "s3://no-such-bucket/registry"})
        exit_code, result, found, _ = outcome("bucket no-such-bucket")
        assert (exit_code, result) == (1, "failed")
        assert "there is no such bucket" in found

    def test_that_is_not_as_the_stack_makes_it_is_warned_of(self, account: AwsStandIn) -> None:
        account.s3.put_bucket_versioning(
            Bucket=account.bucket, VersioningConfiguration={"Status": "Suspended"}
        )
        block_public_access(account, blocked=False)
        exit_code, result, found, remedy = outcome(f"bucket {account.bucket}")
        assert (exit_code, result) == (0, "warning")
        assert "not versioned; public access is not blocked" in found
        assert remedy

    def test_of_another_region_fails(self, account: AwsStandIn) -> None:
        account.s3.create_bucket(
            Bucket="far-away", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        put_parameters({"capture-uri": "s3://far-away/captured"})
        exit_code, result, found, _ = outcome("bucket far-away")
        assert (exit_code, result) == (1, "failed")
        assert found == "in eu-west-1, but us-east-1 is called"

    @pytest.mark.parametrize("operation", ["PutObject", "GetObject"])
    def test_that_may_not_be_worked_with_fails(self, account: AwsStandIn, operation: str) -> None:
        account.faults.deny(operation)
        exit_code, found = findings()
        assert exit_code == 1
        for place in ("the lake", "the registry", "the jobs' prefix"):
            one = found[f"access to {place}"]
            assert one["outcome"] == "failed"
            assert f"may not {operation}" in one["found"]
            assert f"s3:{operation}" in one["remedy"]

    def test_whose_landed_surveys_may_not_be_read_fails(self, account: AwsStandIn) -> None:
        account.s3.put_object(Bucket=account.bucket, Key="landing_zone/survey.csv", Body=b"x")
        account.faults.deny("GetObject")
        exit_code, result, _, remedy = outcome("access to the landing zone")
        assert (exit_code, result) == (1, "failed")
        assert "s3:GetObject" in remedy


class TestTheQueue:
    def test_that_the_bucket_does_not_notify_is_warned_of(self, account: AwsStandIn) -> None:
        account.s3.put_bucket_notification_configuration(
            Bucket=account.bucket, NotificationConfiguration={}
        )
        exit_code, result, found, _ = outcome("survey queue")
        assert (exit_code, result) == (0, "warning")
        assert "does not notify" in found

    def test_that_is_missing_is_warned_of_since_notifications_only_save_time(
        self, account: AwsStandIn
    ) -> None:
        put_parameters({"survey-queue-url": f"{account.url}/123456789012/gone"})
        exit_code, result, _, _ = outcome("survey queue")
        assert (exit_code, result) == (0, "warning")


class TestTheServices:
    def test_fail_each_when_it_is_missing(self, account: AwsStandIn) -> None:
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

    def test_fail_when_sagemaker_may_not_take_the_role(self, account: AwsStandIn) -> None:
        make_role("glue-only", "glue.amazonaws.com")
        put_parameters({"job-role-arn": "arn:aws:iam::123456789012:role/glue-only"})
        exit_code, result, found, _ = outcome("SageMaker role")
        assert (exit_code, result) == (1, "failed")
        assert "does not trust sagemaker.amazonaws.com" in found

    def test_fail_when_glues_role_is_gone(self, account: AwsStandIn) -> None:
        client("iam").delete_role(RoleName=GLUE_ROLE)
        exit_code, found = findings()
        assert exit_code == 1
        for subject in ("Glue job", "Glue crawler"):
            assert found[subject]["outcome"] == "failed"
            assert found[subject]["found"].endswith("the role abalone-glue does not exist")

    def test_warn_of_what_this_identity_may_not_do(
        self, account: AwsStandIn, denied: set[str]
    ) -> None:
        denied.update({"iam:PassRole", "sagemaker:CreateTrainingJob"})
        exit_code, result, found, remedy = outcome("permissions")
        assert (exit_code, result) == (0, "warning")
        assert "iam:PassRole on arn:aws:iam::123456789012:role/abalone-jobs" in found
        assert "sagemaker:CreateTrainingJob on arn:aws:sagemaker:us-east-1:123456789012:" in found
        assert "InvokeEndpoint" not in found
        assert remedy

    def test_warn_when_iam_does_not_say_what_is_allowed(self, account: AwsStandIn) -> None:
        account.faults.deny("SimulatePrincipalPolicy")
        exit_code, result, _, remedy = outcome("permissions")
        assert (exit_code, result) == (0, "warning")
        assert "iam:SimulatePrincipalPolicy" in remedy

    def test_warn_when_the_role_may_not_be_looked_at(self, account: AwsStandIn) -> None:
        account.faults.deny("GetRole")
        exit_code, result, _, _ = outcome("SageMaker role")
        assert (exit_code, result) == (0, "warning")

    def test_warn_of_an_alarm_that_rings(self, account: AwsStandIn) -> None:
        put_alarm(ALARMS[1], "ALARM")
        exit_code, result, found, remedy = outcome("endpoint alarms")
        assert (exit_code, result, found) == (0, "warning", f"in alarm: {ALARMS[1]}")
        assert "without it" in remedy

    def test_warn_of_an_endpoint_without_alarms(self, account: AwsStandIn) -> None:
        put_parameters({"endpoint-alarms": "none"})
        assert outcome("endpoint alarms")[:3] == (0, "warning", "none")


class TestTheQuotas:
    def test_fail_when_a_new_version_cannot_run_beside_the_old(
        self, account: AwsStandIn, quotas: dict[str, float]
    ) -> None:
        quotas["ml.m5.large for endpoint usage"] = 2.0
        exit_code, result, found, _ = outcome("quotas")
        assert (exit_code, result) == (1, "failed")
        assert found == "ml.m5.large for endpoint usage: 2 of 4 needed"

    def test_are_those_of_everybody_where_they_were_never_changed(
        self, account: AwsStandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """ListServiceQuotas leaves them out."""
        monkeypatch.setenv("ABALONE_PROCESSING_INSTANCE_TYPE", "ml.m97.large")
        exit_code, result, found, _ = outcome("quotas")
        assert (exit_code, result) == (0, "ok")
        assert f"{UNCHANGED}: 1" in found

    def test_warn_of_an_instance_type_that_has_none(
        self, account: AwsStandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("ABALONE_TRAINING_INSTANCE_TYPE", "ml.m98.large")
        exit_code, result, found, _ = outcome("quotas")
        assert (exit_code, result) == (0, "warning")
        assert "ml.m98.large for training job usage" in found

    def test_warn_when_they_cannot_be_read(self, account: AwsStandIn) -> None:
        account.faults.deny("ListServiceQuotas")
        exit_code, result, _, remedy = outcome("quotas")
        assert (exit_code, result) == (0, "warning")
        assert "Service Quotas" in remedy
