"""`abalone doctor --live` with whatever a deployment may have chosen: it leaves nothing of that."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.defs.resources import profile_resources
from abalone_assets.doctor.live.account import Account
from abalone_assets.doctor.live.cost import REQUESTS, costs, total
from abalone_assets.doctor.live.permissions import ACTIONS
from abalone_assets.doctor.live.proof import Proof
from abalone_assets.doctor.live.releases import Releases
from abalone_assets.registry.model_package_notes import StudioNotes
from abalone_assets.settings.aws import load_aws_settings
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.deploy.iam import required_permissions
from abalone_assets_tests.doctor.live import STEPS, keys, left, live, touched_production
from abalone_assets_tests.doctor.quick import quick_jobs, signal_at
from abalone_assets_tests.fakes.places import ACCOUNT, OWN_KEY, REGION

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn

pytestmark = pytest.mark.service

GLUE = {"WorkerType": "G.1X", "NumberOfWorkers": 2}
SERVERLESS = {"ABALONE_ENDPOINT_MODE": "serverless"}
AUTOSCALED = {"ABALONE_ENDPOINT_MODE": "autoscaled"}
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0d9f6c4e-1111-4222-8333-0123456789ab"
INSIDE = {
    "ABALONE_SUBNETS": "subnet-0a1b2c3d,subnet-0a1b2c3e",
    "ABALONE_SECURITY_GROUPS": "sg-0a1b2c3d",
    "ABALONE_KMS_KEY_ARN": KEY,
    "ABALONE_NETWORK_ISOLATION": "true",
}
NOTED = {"ABALONE_STUDIO_NOTES": "true"}
WARM = {"ABALONE_TRAINING_KEEP_ALIVE_SECONDS": "1800"}


def choose(monkeypatch: pytest.MonkeyPatch, choice: dict[str, str]) -> None:
    for name, value in choice.items():
        monkeypatch.setenv(name, value)


def requests(aws: AwsStandIn, operation: str) -> list[dict[str, Any]]:
    return [call.params for call in aws.calls if call.operation == operation]


@pytest.mark.parametrize(
    "choice",
    [SERVERLESS, AUTOSCALED, INSIDE, {**AUTOSCALED, **INSIDE}, NOTED],
    ids=["serverless", "autoscaled", "inside", "autoscaled-inside", "noted"],
)
def test_whatever_is_chosen_is_proved_and_leaves_nothing(
    proved: AwsStandIn, monkeypatch: pytest.MonkeyPatch, choice: dict[str, str]
) -> None:
    choose(monkeypatch, choice)
    before = keys(proved)
    quick_jobs(monkeypatch)
    result = live("--yes")
    assert result.outcomes == dict.fromkeys(STEPS, "ok"), result.document
    assert left(proved) == []
    assert keys(proved) == before
    assert touched_production(proved.calls) == []
    called = {need.action for need in required_permissions(proved.calls)}
    assert called - {"sts:GetCallerIdentity"} <= set(ACTIONS)


def test_a_serverless_version_is_proved_beside_the_live_one(
    proved: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(monkeypatch, SERVERLESS)
    quick_jobs(monkeypatch)
    trial = live("--yes").document["live"]["trial"]
    made = [asked["EndpointName"] for asked in requests(proved, "CreateEndpoint")]
    assert made == [trial, f"{trial}-candidate"]


def test_scaling_adds_no_instance_that_was_not_said_to_cost_anything(
    proved: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(monkeypatch, {**AUTOSCALED, "ABALONE_ENDPOINT_MAX_INSTANCE_COUNT": "9"})
    quick_jobs(monkeypatch)
    live("--yes")
    registered = requests(proved, "RegisterScalableTarget")
    assert {(each["MinCapacity"], each["MaxCapacity"]) for each in registered} == {(1, 1)}
    called = {need.action for need in required_permissions(proved.calls)}
    assert {action for action in ACTIONS if "ScalableTarget" in action} <= called


def test_a_boundary_reaches_the_trials_own_model_and_endpoint(
    proved: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(monkeypatch, INSIDE)
    quick_jobs(monkeypatch)
    live("--yes")
    (model, *_) = requests(proved, "CreateModel")
    assert model["EnableNetworkIsolation"]
    assert model["VpcConfig"]["SecurityGroupIds"] == ["sg-0a1b2c3d"]
    (config, *_) = requests(proved, "CreateEndpointConfig")
    assert config["KmsKeyId"] == KEY


def test_a_trial_is_noted_nowhere_and_keeps_nothing_warm(
    proved: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(monkeypatch, NOTED | WARM)
    monkeypatch.setattr(StudioNotes, "note", lambda *_, **__: pytest.fail("notes a trial"))
    trial = Account.of(load_aws_settings()).new_trial()
    releases = Releases.of(profile_resources(load_settings()))
    assert releases.ml_platform.keep_alive_seconds == 1800
    own = releases.for_trial(trial)
    assert own.ml_platform.keep_alive_seconds == 0
    assert own.model_registry.open().studio is None
    assert own.endpoint_host.registry == own.model_registry


@pytest.mark.parametrize(
    ("choice", "operation", "number", "step"),
    [
        (SERVERLESS, "CreateEndpoint", 2, "endpoint updated"),
        (SERVERLESS, "InvokeEndpoint", 4, "endpoint updated"),
        (AUTOSCALED, "RegisterScalableTarget", 1, "endpoint created"),
        (AUTOSCALED, "PutScalingPolicy", 1, "endpoint created"),
        (AUTOSCALED, "UpdateEndpoint", 1, "endpoint updated"),
    ],
)
def test_ctrl_c_leaves_neither_a_candidate_nor_a_scaling(
    proved: AwsStandIn,
    monkeypatch: pytest.MonkeyPatch,
    choice: dict[str, str],
    operation: str,
    number: int,
    step: str,
) -> None:
    choose(monkeypatch, choice)
    before = keys(proved)
    quick_jobs(monkeypatch)
    signal_at(proved, operation, signal.SIGINT, number=number)
    result = live("--yes")
    assert result.exit_code == 130
    assert result.failed["subject"] == step
    assert result.outcomes["clean-up"] == "ok"
    assert left(proved) == []
    assert keys(proved) == before


def test_a_candidate_that_cannot_load_tells_its_own_last_words(
    proved: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(monkeypatch, SERVERLESS)
    quick_jobs(monkeypatch)
    logs, update = proved.client("logs", access_key=OWN_KEY), Proof.update

    def updated(proof: Proof) -> str:
        group = {"logGroupName": proof.trial.log_groups[0]}
        logs.create_log_group(**group)
        logs.create_log_stream(**group, logStreamName="1")
        event = {"timestamp": int(1000 * time.time()), "message": "the candidate's last word"}
        logs.put_log_events(**group, logStreamName="1", logEvents=[event])
        proved.faults.fail_next_update("did not pass the ping health check")
        return update(proof)

    monkeypatch.setattr(Proof, "update", updated)
    result = live("--yes")
    assert result.failed["subject"] == "endpoint updated"
    assert "the candidate's last word" in result.failed["found"]
    assert left(proved) == []


def test_a_lost_candidate_or_scaling_is_found_by_its_name(
    proved: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after somebody emptied the bucket, where the trial's marker was."""
    account = Account.of(load_aws_settings())
    lost, scaled = (account.new_trial().name for _ in range(2))
    sagemaker = proved.client("sagemaker", access_key=OWN_KEY)
    variant = {"VariantName": "AllTraffic", "ModelName": "m", "InstanceType": "ml.m5.large"}
    sagemaker.create_model(ModelName="m", ExecutionRoleArn=proved.role_arn)
    sagemaker.create_endpoint_config(
        EndpointConfigName="c", ProductionVariants=[variant | {"InitialInstanceCount": 1}]
    )
    for name in (f"{lost}-candidate", scaled):
        monkeypatch.setattr(proved.faults, "endpoint_seconds", 0.0)
        proved.faults.fail_next_update("no such package")
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName="c")
    proved.client("application-autoscaling", access_key=OWN_KEY).register_scalable_target(
        ServiceNamespace="sagemaker",
        ResourceId=f"endpoint/{scaled}/variant/AllTraffic",
        ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        MinCapacity=1,
        MaxCapacity=1,
    )
    found = live("--clean-up").finding("earlier trials")
    assert found["outcome"] == "ok"
    assert lost in found["found"]
    assert scaled in found["found"]
    assert left(proved) == []


def test_a_serverless_trial_costs_what_its_questions_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    instances = costs(load_aws_settings(), GLUE)
    choose(monkeypatch, SERVERLESS)
    parts = costs(load_aws_settings(), GLUE)
    assert "serverless with 2048 MB" in parts[-1].what
    assert parts[:-1] == instances[:3]
    # 5 questions, each tried ten times for a minute, at 0.00004 USD a second.
    assert parts[-1].bound == pytest.approx(5 * 10 * 60 * 0.00004)
    assert total(parts)[0] < total(instances)[0]


def test_a_serverless_trial_asks_no_more_than_its_cost_is_bound_to(
    proved: AwsStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(monkeypatch, SERVERLESS)
    quick_jobs(monkeypatch)
    live("--yes")
    assert len(requests(proved, "InvokeEndpoint")) == REQUESTS
