"""Each step of `abalone doctor --live` failing in turn: what is said, and that nothing is left."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from abalone_assets.cli import output
from abalone_assets.doctor.finding import TroubleError
from abalone_assets.doctor.live.proof import refusal
from abalone_assets.doctor.live.remedies import Roles, remedy
from abalone_assets.doctor.live.run import CLEAN_UP
from abalone_assets_tests.cli.support import abalone
from abalone_assets_tests.doctor.live import STEPS, keys, left, live
from abalone_assets_tests.doctor.quick import at_call, quick_jobs, signal_at
from abalone_assets_tests.fakes.support import wait_for
from abalone_assets_tests.serving.sagemaker.hosting import constant_archive

if TYPE_CHECKING:
    from collections.abc import Callable

    from abalone_assets_tests.fakes.standin import AwsStandIn

ME = "arn:aws:sts::123456789012:assumed-role/people/anna"
JOB_SESSION = "arn:aws:sts::123456789012:assumed-role/abalone-jobs/GlueJobRunnerSession"


def denied(action: str, resource: str = "*", who: str = ME) -> str:
    """As AWS says it."""
    return (
        f"User: {who} is not authorized to perform: {action} on resource: {resource} because no "
        f"identity-based policy allows the {action} action"
    )


def refuse(
    operation: str, message: str, code: str = "AccessDeniedException", number: int = 1
) -> Callable[[AwsStandIn], None]:
    """Refuse an operation from its call of that number on."""

    def arrange(aws: AwsStandIn) -> None:
        at_call(
            aws,
            operation,
            lambda: aws.faults.refuse(operation, code, message, 10**6),
            number=number,
        )

    return arrange


def fail_job(reason: str) -> Callable[[AwsStandIn], None]:
    return lambda aws: aws.faults.fail_next_job(reason)


def fail_deployment(operation: str, reason: str) -> Callable[[AwsStandIn], None]:
    return lambda aws: at_call(aws, operation, lambda: aws.faults.fail_next_update(reason))


@pytest.fixture(autouse=True)
def _few_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


@pytest.mark.parametrize(
    ("step", "real", "arrange", "found", "told"),
    [
        pytest.param(
            "earlier trials",
            "",
            refuse("ListEndpoints", denied("sagemaker:ListEndpoints")),
            "may not sagemaker:ListEndpoints",
            f"allow sagemaker:ListEndpoints on * to {ME}",
            id="earlier",
        ),
        pytest.param(
            "trial",
            "",
            refuse("PutObject", "Access Denied"),
            "access denied to S3 PUT",
            "allow s3:PutObject to the identity that runs this command; docs/deployment.md",
            id="trial",
        ),
        pytest.param(
            "data",
            "",
            refuse("PutObject", "Access Denied", number=2),
            "access denied to S3 PUT",
            "allow s3:PutObject to the identity",
            id="data",
        ),
        pytest.param(
            "Glue job",
            "prepare",
            refuse("StartJobRun", denied("glue:StartJobRun", "arn:aws:glue:…:job/abalone-prepare")),
            "StartJobRun",
            "allow glue:StartJobRun on arn:aws:glue:…:job/abalone-prepare to",
            id="glue-denied",
        ),
        pytest.param(
            "Glue job",
            "prepare",
            fail_job(denied("s3:PutObject", "arn:aws:s3:::data/x", JOB_SESSION)),
            "ended as FAILED",
            "allow s3:PutObject on arn:aws:s3:::data/x to the role abalone-jobs, with which",
            id="glue-role-denied",
        ),
        pytest.param(
            "training job",
            "train",
            refuse(
                "CreateTrainingJob",
                "The account-level service limit 'ml.m5.large for training job usage' is 0",
                "ResourceLimitExceeded",
            ),
            "ml.m5.large for training job usage",
            "Service Quotas",
            id="training-quota",
        ),
        pytest.param(
            "training job",
            "train",
            refuse("CreateTrainingJob", denied("iam:PassRole", "arn:…:role/abalone-jobs")),
            "not authorized to perform: iam:PassRole",
            f"allow iam:PassRole on arn:…:role/abalone-jobs to {ME}, who runs this command",
            id="pass-role",
        ),
        pytest.param(
            "processing job",
            "evaluate",
            fail_job("CapacityError: Unable to provision requested ML compute capacity"),
            "CapacityError",
            "try again later",
            id="processing",
        ),
        pytest.param(
            "model package",
            "",
            refuse("CreateModelPackageGroup", denied("sagemaker:CreateModelPackageGroup")),
            "may not sagemaker:CreateModelPackageGroup",
            "allow sagemaker:CreateModelPackageGroup on * to",
            id="group",
        ),
        pytest.param(
            "model package",
            "",
            refuse("CreateModelPackage", denied("sagemaker:CreateModelPackage")),
            "may not sagemaker:CreateModelPackage",
            "allow sagemaker:CreateModelPackage",
            id="package",
        ),
        pytest.param(
            "endpoint created",
            "",
            refuse("CreateModel", denied("sagemaker:CreateModel")),
            "may not sagemaker:CreateModel",
            "allow sagemaker:CreateModel",
            id="model",
        ),
        pytest.param(
            "endpoint created",
            "",
            fail_deployment("CreateEndpoint", "did not pass the ping health check"),
            "version 1 was not taken: did not pass the ping health check",
            "the container cannot load the model",
            id="endpoint-ping",
        ),
        pytest.param(
            "good row",
            "",
            refuse("InvokeEndpoint", denied("sagemaker:InvokeEndpoint"), number=2),
            "may not sagemaker:InvokeEndpoint",
            "allow sagemaker:InvokeEndpoint",
            id="good-row",
        ),
        pytest.param(
            "bad row",
            "",
            refuse("InvokeEndpoint", "Rate exceeded", "ThrottlingException", number=3),
            "Rate exceeded",
            "AWS was busy",
            id="bad-row",
        ),
        pytest.param(
            "endpoint updated",
            "",
            refuse("UpdateEndpoint", denied("sagemaker:UpdateEndpoint")),
            "may not sagemaker:UpdateEndpoint",
            "allow sagemaker:UpdateEndpoint",
            id="update-denied",
        ),
        pytest.param(
            "endpoint updated",
            "",
            fail_deployment("UpdateEndpoint", "One or more configured alarms have been triggered"),
            "version 2 was not taken: One or more configured alarms",
            "find out why they ring",
            id="update-rolled-back",
        ),
    ],
)
def test_a_step_that_fails_says_what_aws_said_and_leaves_nothing(
    proved: AwsStandIn,
    monkeypatch: pytest.MonkeyPatch,
    step: str,
    real: str,
    arrange: Callable[[AwsStandIn], None],
    found: str,
    told: str,
) -> None:
    before = keys(proved)
    quick_jobs(monkeypatch, but=real)
    arrange(proved)
    result = live("--yes")
    assert result.exit_code == 1
    assert result.failed["subject"] == step
    assert found in result.failed["found"]
    assert told in result.failed["remedy"]
    reached = STEPS[: STEPS.index(step) + 1]
    began = step != "earlier trials"
    assert list(result.outcomes) == [*reached, *(["clean-up"] if began else [])]
    assert left(proved) == []
    assert keys(proved) == before


def test_the_containers_last_words_are_told_before_its_log_goes(
    proved: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_jobs(monkeypatch)
    monkeypatch.setattr(
        "abalone_assets_tests.doctor.quick.constant_archive", lambda _: archive_that_cannot_load()
    )
    result = live("--yes")
    assert result.failed["subject"] == "endpoint created"
    assert "ping health check" in result.failed["found"]
    assert result.failed["found"].partition("the last lines of its log: ")[2]
    assert "the container cannot load the model" in result.failed["remedy"]
    assert left(proved) == []


def archive_that_cannot_load() -> bytes:
    loading = (
        "class NoSuchPackageError(Exception): pass\nraise NoSuchPackageError('lost on the way')"
    )
    return constant_archive(9.5, inference=loading)


def test_what_cannot_be_removed_is_told_and_removed_later(
    proved: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_jobs(monkeypatch)
    proved.faults.refuse("DeleteEndpoint", "AccessDeniedException", denied("sagemaker:X"), 10**6)
    result = live("--yes")
    assert result.exit_code == 1
    assert result.failed["subject"] == "clean-up"
    assert "endpoint of abalone-doctor-" in result.failed["found"]
    assert "`abalone doctor --live --clean-up`: what is left costs money" in result.failed["remedy"]
    assert any(key.endswith("trial.json") for key in left(proved))
    assert not any("model-package" in name for name in left(proved))  # the rest is removed

    proved.faults.refuse("DeleteEndpoint", "", "", 0)
    again = live("--clean-up")
    assert again.exit_code == 0
    assert again.outcomes == {"earlier trials": "ok"}
    assert "removed abalone-doctor-" in again.finding("earlier trials")["found"]
    assert left(proved) == []


@pytest.mark.parametrize(
    ("work", "started", "stop"),
    [
        ("prepare", "StartJobRun", "BatchStopJobRun"),
        ("train", "CreateTrainingJob", "StopTrainingJob"),
    ],
)
def test_a_job_that_may_not_be_stopped_is_named_and_all_else_removed(
    proved: AwsStandIn, monkeypatch: pytest.MonkeyPatch, work: str, started: str, stop: str
) -> None:
    quick_jobs(monkeypatch, but=work)
    proved.faults.job_seconds = 30.0
    proved.faults.refuse(stop, "AccessDeniedException", denied(f"any:{stop}"), 10**6)
    signal_at(proved, started, signal.SIGINT)
    result = live("--yes")
    assert result.exit_code == 130
    found = result.finding("clean-up")
    assert "may go on and cost money: access denied: " in found["found"]
    assert f"allow any:{stop} on * to {ME}" in found["remedy"]
    assert f"`{CLEAN_UP}`" in found["remedy"]
    assert [key for key in left(proved) if "/lake/" in key] == []


def test_credentials_that_expire_leave_what_the_next_one_removes(
    proved: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick_jobs(monkeypatch)
    at_call(proved, "UpdateEndpoint", proved.faults.expire_credentials)
    result = live("--yes")
    assert result.exit_code == 1
    assert result.outcomes["endpoint updated"] == "failed"
    assert result.outcomes["clean-up"] == "failed"
    assert "have expired" in result.finding("endpoint updated")["found"]
    assert result.finding("clean-up")["remedy"].startswith("sign in: `aws sso login`")
    assert left(proved)

    proved.faults.renew_credentials()
    wait_for(lambda: endpoint_status(proved) == "InService")
    assert live("--clean-up").exit_code == 0
    assert left(proved) == []


def endpoint_status(aws: AwsStandIn) -> str:
    (endpoint,) = aws.client("sagemaker").list_endpoints()["Endpoints"]
    return str(endpoint["EndpointStatus"])


def test_nothing_is_started_without_a_yes(
    proved: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keys(proved)
    nobody = abalone("doctor", "--live")
    assert nobody.exit_code == 2
    assert "altogether at most USD 0." in nobody.stdout
    assert "add --yes" in nobody.stderr
    monkeypatch.setattr(output, "is_terminal", lambda: True)
    no = abalone("doctor", "--live", text="n\n")
    assert no.exit_code == 1
    assert "Go on? [y/N]" in no.stdout
    assert "Nothing was started." in no.stdout
    assert keys(proved) == before
    assert not [call for call in proved.calls if call.operation.startswith(("Create", "Start"))]


def test_only_an_aws_account_is_proved(home: object) -> None:
    result = abalone("doctor", "--live", "--yes")
    assert result.exit_code == 1
    assert "set ABALONE_PROFILE=aws" in result.stderr
    assert abalone("doctor", "--yes").exit_code == 2
    assert abalone("doctor", "--live", "--repair").exit_code == 2


def test_an_unknown_price_is_said_to_be_unknown(
    proved: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_TRAINING_INSTANCE_TYPE", "ml.x9.large")
    said = abalone("doctor", "--live").stdout
    assert "training: 1 x ml.x9.large: price not known, at most 10 min" in said
    assert "and what these cost: training: 1 x ml.x9.large" in said


@pytest.mark.parametrize(
    ("status", "message", "outcome"),
    [
        (500, "row 1, column sex: 'Q' is none of M, F, I", "warning"),
        (400, "Internal Server Error", "failed"),
    ],
)
def test_a_bad_row_must_be_refused_as_the_clients_mistake(
    status: int, message: str, outcome: str
) -> None:
    with pytest.raises(TroubleError) as trouble:
        refusal(status, message)
    assert trouble.value.outcome == outcome
    assert trouble.value.remedy
    assert refusal(400, "row 1, column sex: 'Q' is none of M, F, I").startswith("refused (400)")


def test_a_denial_names_whose_policy_lacks_it() -> None:
    roles = Roles(jobs="abalone-sagemaker-us-east-1", glue="abalone-glue")
    session = "arn:aws:sts::1:assumed-role/abalone-sagemaker-us-east-1/SageMaker"
    told = remedy(denied("s3:GetObject", "arn:aws:s3:::data/x", session), roles)
    assert told.startswith("allow s3:GetObject on arn:aws:s3:::data/x to the role abalone-sagemake")
    assert "make deploy" in told
