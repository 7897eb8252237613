from __future__ import annotations

import pytest

from abalone_assets.errors import SettingsError
from abalone_assets.settings.aws import (
    PARAMETERS,
    STACK_VALUES,
    AwsSettings,
    ids,
    is_reference,
    load_aws_settings,
)
from abalone_assets.settings.platform import Settings


def test_what_the_stack_made_is_found_in_its_parameters_by_default() -> None:
    settings = load_aws_settings()
    assert settings.jobs_uri == "ssm:/abalone/jobs-uri"
    assert settings.job_role_arn == "ssm:/abalone/job-role-arn"
    assert settings.endpoint_alarms == "ssm:/abalone/endpoint-alarms"
    assert all(is_reference(getattr(settings, name)) for name in STACK_VALUES)


@pytest.mark.parametrize(
    ("prefix", "glue_job"),
    [("/team/abalone-2", "ssm:/team/abalone-2/glue-job"), ("", "ssm:/abalone/glue-job")],
)
def test_the_parameters_may_lie_at_another_path(
    monkeypatch: pytest.MonkeyPatch, prefix: str, glue_job: str
) -> None:
    monkeypatch.setenv("ABALONE_GLUE_JOB", "")
    monkeypatch.setenv("ABALONE_SSM_PREFIX", prefix)
    assert load_aws_settings().glue_job == glue_job


def test_each_is_overridden_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "jobs_uri": "s3://bucket/jobs",
        "survey_queue_url": "https://sqs.eu-west-1.amazonaws.com/123456789012/surveys",
        "glue_job": "my-job",
        "job_role_arn": "arn:aws:iam::123456789012:role/path/jobs",
        "endpoint_alarms": "one,two",
        "capture_uri": "ssm:/elsewhere/capture",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"ABALONE_{name.upper()}", value)
    settings = load_aws_settings()
    assert {name: getattr(settings, name) for name in given} == given
    assert settings.glue_database == "ssm:/abalone/glue-database"


def test_twelve_parameters_are_known_by_name() -> None:
    assert len(PARAMETERS) == len(set(PARAMETERS)) == 12
    assert {"lake-uri", "survey-queue-url", "endpoint-alarms"} < set(PARAMETERS)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SSM_PREFIX", "abalone"),
        ("SSM_PREFIX", "/abalone/"),
        ("JOBS_URI", "/data/jobs"),
        ("JOBS_URI", "s3:///jobs"),
        ("CAPTURE_URI", "ssm:capture"),
        ("SURVEY_QUEUE_URL", "surveys"),
        ("JOB_ROLE_ARN", "my-role"),
        ("JOB_ROLE_ARN", "arn:aws:iam::1:role/x"),
        ("TRAINING_INSTANCE_TYPE", "m5.large"),
        ("ENDPOINT_INSTANCE_COUNT", "0"),
        ("JOB_MAX_RUNTIME_SECONDS", "10"),
        ("POLL_SECONDS", "0"),
        ("POLL_SECONDS", "inf"),
        ("POLL_SECONDS", "nan"),
        ("CANARY_PERCENT", "51"),
        ("CANARY_WAIT_SECONDS", "3601"),
        ("DEPLOYMENT_TIMEOUT_SECONDS", "599"),
        ("TRAINING_SPOT", "perhaps"),
        ("ENDPOINT_MODE", "cheap"),
        ("SERVERLESS_MEMORY_MB", "1500"),
        ("SERVERLESS_MAX_CONCURRENCY", "201"),
        ("SUBNETS", "subnet-1"),
        ("SECURITY_GROUPS", "default"),
        ("KMS_KEY_ARN", "alias/abalone"),
        ("TRAINING_KEEP_ALIVE_SECONDS", "21601"),
    ],
)
def test_a_malformed_variable_is_named_with_its_value(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(f"ABALONE_{variable}", value)
    with pytest.raises(SettingsError, match=rf"^ABALONE_{variable}='{value}': "):
        load_aws_settings()


def test_a_timeout_that_no_deployment_can_keep_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ABALONE_CANARY_WAIT_SECONDS", "600")
    monkeypatch.setenv("ABALONE_DEPLOYMENT_TIMEOUT_SECONDS", "1860")
    with pytest.raises(
        SettingsError,
        match=r"^ABALONE_DEPLOYMENT_TIMEOUT_SECONDS=1860 must be more than 1860: two waits of "
        r"ABALONE_CANARY_WAIT_SECONDS=600, 600 s to start",
    ):
        load_aws_settings()
    monkeypatch.setenv("ABALONE_DEPLOYMENT_TIMEOUT_SECONDS", "1861")
    assert load_aws_settings().deployment_timeout_seconds == 1861


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"SUBNETS": "subnet-0aaaaaaa"}, "ABALONE_SECURITY_GROUPS go together"),
        ({"SECURITY_GROUPS": "sg-0aaaaaaa"}, "ABALONE_SECURITY_GROUPS go together"),
        (
            {"ENDPOINT_MODE": "serverless", "NETWORK_ISOLATION": "true"},
            "ABALONE_ENDPOINT_MODE=serverless runs outside any VPC and is never isolated",
        ),
        (
            {
                "ENDPOINT_MODE": "serverless",
                "SUBNETS": "subnet-0aaaaaaa",
                "SECURITY_GROUPS": "sg-0aaaaaaa",
            },
            "ABALONE_ENDPOINT_MODE=serverless runs outside any VPC",
        ),
        (
            {"ENDPOINT_MODE": "autoscaled", "ENDPOINT_MAX_INSTANCE_COUNT": "1"},
            "ABALONE_ENDPOINT_MAX_INSTANCE_COUNT=1 is less than ABALONE_ENDPOINT_INSTANCE_COUNT=2",
        ),
        (
            {"ENDPOINT_MODE": "autoscaled", "ENDPOINT_INSTANCE_TYPE": "ml.t2.medium"},
            "burstable instances do not scale",
        ),
        (
            {"TRAINING_SPOT": "true", "TRAINING_KEEP_ALIVE_SECONDS": "60"},
            "ABALONE_TRAINING_KEEP_ALIVE_SECONDS keeps no spot capacity",
        ),
    ],
)
def test_what_sagemaker_does_not_offer_together_is_refused_before_anything_runs(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], message: str
) -> None:
    for name, value in given.items():
        monkeypatch.setenv(f"ABALONE_{name}", value)
    with pytest.raises(SettingsError, match=message):
        load_aws_settings()


def test_ids_are_separated_by_commas() -> None:
    assert ids("subnet-0aaaaaaa, subnet-0bbbbbbb") == ("subnet-0aaaaaaa", "subnet-0bbbbbbb")
    assert ids("") == ()


def test_no_variable_means_two_things() -> None:
    assert not Settings.model_fields.keys() & AwsSettings.model_fields.keys()


def test_every_setting_is_described() -> None:
    assert all(field.description for field in AwsSettings.model_fields.values())
