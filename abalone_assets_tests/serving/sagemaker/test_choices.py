"""What an endpoint runs on: fixed instances, scaled ones or none; and within which boundary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from moto.sagemaker.models import sagemaker_backends

from abalone_assets.aws.network import Boundary
from abalone_assets.errors import EndpointError
from abalone_assets.serving.sagemaker.configs import Serverless
from abalone_assets.serving.sagemaker.removal import delete_endpoint, leftovers
from abalone_assets.serving.sagemaker.rollout import Rollout
from abalone_assets.serving.sagemaker.scaling import Scaling
from abalone_assets_tests.fakes.places import ACCOUNT, REGION
from abalone_assets_tests.serving.sagemaker.hosting import ALARM, ENDPOINT

if TYPE_CHECKING:
    from abalone_assets_tests.serving.sagemaker.hosting import Account

CANDIDATE = f"{ENDPOINT}-candidate"
SERVERLESS: Any = {"serverless": Serverless(3072, 7)}
SCALED: Any = {"scaling": Scaling(2, 6, 900), "instance_count": 2}
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/0d9f6c4e-1111-4222-8333-0123456789ab"
INSIDE = Boundary(("subnet-0a", "subnet-0b"), ("sg-0c",), KEY, isolated=True)


@pytest.fixture
def serverless(account: Account) -> Account:
    """Version 1 is live on no instances, and 2 is registered."""
    account.register_constants(1.0, 2.0)
    account.deploy(1, 1.0, **SERVERLESS)
    account.progress.clear()
    return account


@pytest.fixture
def scaled(account: Account) -> Account:
    """Version 1 is live on scaled instances, and 2 is registered."""
    account.register_constants(1.0, 2.0)
    account.deploy(1, 1.0, **SCALED)
    account.progress.clear()
    return account


def requests(account: Account, operation: str) -> list[dict[str, Any]]:
    return [call.params for call in account.aws.calls if call.operation == operation]


def endpoints(account: Account) -> set[str]:
    listed = account.sagemaker.list_endpoints()["Endpoints"]
    return {each["EndpointName"] for each in listed}


def targets(account: Account) -> list[tuple[int, int]]:
    found = account.autoscaling.describe_scalable_targets(ServiceNamespace="sagemaker")
    return [(each["MinCapacity"], each["MaxCapacity"]) for each in found["ScalableTargets"]]


def scale_to(account: Account, count: int) -> None:
    """As Application Auto Scaling does when many ask."""
    variant = sagemaker_backends[ACCOUNT][REGION].endpoints[ENDPOINT].production_variants[0]
    variant["DesiredInstanceCount"] = variant["CurrentInstanceCount"] = count


def test_a_serverless_endpoint_asks_for_nothing_that_sagemaker_does_not_offer(
    serverless: Account,
) -> None:
    [variant] = serverless.live_config()["ProductionVariants"]

    assert variant.keys() == {"VariantName", "ModelName", "ServerlessConfig"}
    assert variant["ServerlessConfig"] == {"MemorySizeInMB": 3072, "MaxConcurrency": 7}
    [asked] = requests(serverless, "CreateEndpointConfig")
    assert "DataCaptureConfig" not in asked
    assert serverless.endpoint(**SERVERLESS).live_version() == 1


def test_a_serverless_version_is_proved_beside_the_live_one_and_then_deployed(
    serverless: Account,
) -> None:
    done = serverless.deploy(2, 2.0, **SERVERLESS)

    assert (done.version, done.previous) == (2, 1)
    made = [asked["EndpointName"] for asked in requests(serverless, "CreateEndpoint")]
    config = serverless.live_config()["EndpointConfigName"]
    assert made == [ENDPOINT, CANDIDATE]
    assert endpoints(serverless) == {ENDPOINT}, "the candidate is gone"
    [update] = requests(serverless, "UpdateEndpoint")
    assert update == {"EndpointName": ENDPOINT, "EndpointConfigName": config}


def test_a_wrong_serverless_version_never_takes_traffic(serverless: Account) -> None:
    with pytest.raises(EndpointError, match=r"version 2 was not taken: .* predicts 2.0 rings .*5"):
        serverless.deploy(2, 5.0, **SERVERLESS)

    assert serverless.updates() == 0
    assert serverless.endpoint(**SERVERLESS).live_version() == 1
    assert endpoints(serverless) == {ENDPOINT}


def test_a_candidate_that_a_killed_deployment_left_is_replaced_and_goes_with_the_endpoint(
    serverless: Account,
) -> None:
    live = serverless.live_config()["EndpointConfigName"]
    serverless.sagemaker.create_endpoint(EndpointName=CANDIDATE, EndpointConfigName=live)

    assert serverless.deploy(2, 2.0, **SERVERLESS).version == 2

    live = serverless.live_config()["EndpointConfigName"]
    serverless.sagemaker.create_endpoint(EndpointName=CANDIDATE, EndpointConfigName=live)
    serverless.wait_until_settled(CANDIDATE)
    assert f"endpoint {CANDIDATE} (InService)" in leftovers(ENDPOINT, serverless.sagemaker)
    delete_endpoint(ENDPOINT, serverless.sagemaker, poll_seconds=0.02)
    assert endpoints(serverless) == set()
    assert leftovers(ENDPOINT, serverless.sagemaker) == []


def test_an_alarm_takes_a_serverless_version_back_although_sagemaker_watches_none(
    serverless: Account,
) -> None:
    serverless.make_alarm()

    def ring(line: str) -> None:
        serverless.progress.append(line)
        if "is being rolled out" in line:
            serverless.raise_alarm()

    with pytest.raises(EndpointError, match=r"alarms: .*7 errors in 60 s\); version 1 serves agai"):
        serverless.deploy(2, 2.0, on_progress=ring, **serverless.watched(), **SERVERLESS)
    assert serverless.endpoint(**SERVERLESS).live_version() == 1


def test_the_alarms_watch_a_serverless_version_as_long_as_they_would_a_canary(
    serverless: Account,
) -> None:
    serverless.make_alarm()
    rollout = Rollout(canary_wait_seconds=1, alarms=(ALARM,))

    done = serverless.deploy(2, 2.0, rollout=rollout, **SERVERLESS)

    assert done.seconds > 1


def test_instances_are_not_turned_into_a_serverless_endpoint(account: Account) -> None:
    account.register_constants(1.0)
    account.deploy(1, 1.0)
    before = account.configs()

    with pytest.raises(EndpointError, match=r"delete it \(aws sagemaker delete-endpoint"):
        account.deploy(1, 1.0, **SERVERLESS)

    assert (account.configs(), account.updates()) == (before, 0)
    delete_endpoint(ENDPOINT, account.sagemaker, poll_seconds=0.02)
    assert account.deploy(1, 1.0, **SERVERLESS).version == 1


def test_a_serverless_endpoint_gets_instances(serverless: Account) -> None:
    done = serverless.deploy(2, 2.0)

    assert (done.version, done.previous) == (2, 1)
    [variant] = serverless.live_config()["ProductionVariants"]
    assert variant["InitialInstanceCount"] == 2


def test_the_way_back_from_instances_to_serverless_is_a_new_endpoint(serverless: Account) -> None:
    with pytest.raises(EndpointError, match=r"not verified: .* version 1 serves again$"):
        serverless.deploy(2, 5.0)

    [variant] = serverless.live_config()["ProductionVariants"]
    assert "ServerlessConfig" in variant
    assert any("making the endpoint anew" in line for line in serverless.progress)


def test_instances_are_scaled_by_the_questions_that_each_answers(scaled: Account) -> None:
    assert targets(scaled) == [(2, 6)]
    found = scaled.autoscaling.describe_scaling_policies(ServiceNamespace="sagemaker")
    [policy] = found["ScalingPolicies"]
    tracking = policy["TargetTrackingScalingPolicyConfiguration"]
    assert tracking["TargetValue"] == 900
    assert tracking["PredefinedMetricSpecification"] == {
        "PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"
    }
    assert policy["ResourceId"] == f"endpoint/{ENDPOINT}/variant/AllTraffic"


def test_a_new_version_keeps_as_many_instances_as_scaling_has_made(scaled: Account) -> None:
    scale_to(scaled, 5)

    scaled.deploy(2, 2.0, **SCALED)

    [variant] = scaled.describe()["ProductionVariants"]
    assert variant["DesiredInstanceCount"] == 5
    [update] = requests(scaled, "UpdateEndpoint")
    assert update["RetainAllVariantProperties"]
    policy = update["DeploymentConfig"]["BlueGreenUpdatePolicy"]
    assert policy["TrafficRoutingConfiguration"]["Type"] == "CANARY"


def test_one_instance_that_scaling_has_left_has_no_canary(account: Account) -> None:
    one: Any = {"scaling": Scaling(1, 3, 900), "instance_count": 1}
    account.register_constants(1.0, 2.0)
    account.deploy(1, 1.0, **one)

    account.deploy(2, 2.0, **one)

    [update] = requests(account, "UpdateEndpoint")
    policy = update["DeploymentConfig"]["BlueGreenUpdatePolicy"]
    assert policy["TrafficRoutingConfiguration"]["Type"] == "ALL_AT_ONCE"


@pytest.mark.parametrize("rings", [2.0, 5.0], ids=["right", "wrong"])
def test_another_instance_type_interrupts_the_scaling_only(scaled: Account, rings: float) -> None:
    larger = SCALED | {"instance_type": "ml.m5.xlarge"}
    try:
        scaled.deploy(2, rings, **larger)
    except EndpointError as error:
        assert "version 1 serves again" in str(error)  # noqa: PT017 - of one of the two cases

    assert len(requests(scaled, "DeregisterScalableTarget")) == 1
    assert targets(scaled) == [(2, 6)]
    served = "ml.m5.xlarge" if rings == 2.0 else "ml.m5.large"
    assert scaled.live_config()["ProductionVariants"][0]["InstanceType"] == served


def test_a_fixed_number_of_instances_ends_the_scaling(scaled: Account) -> None:
    scale_to(scaled, 5)

    scaled.deploy(2, 2.0)

    assert targets(scaled) == []
    [variant] = scaled.describe()["ProductionVariants"]
    assert variant["DesiredInstanceCount"] == 2
    assert f"endpoint {ENDPOINT}: its instances are scaled no more" in scaled.progress


def test_an_endpoint_that_is_deleted_is_scaled_no_more(scaled: Account) -> None:
    clients = scaled.sagemaker, scaled.autoscaling
    assert f"scaling of endpoint {ENDPOINT}" in leftovers(ENDPOINT, *clients)

    left = delete_endpoint(
        ENDPOINT, scaled.sagemaker, autoscaling=scaled.autoscaling, poll_seconds=0.02
    )

    assert (left, targets(scaled)) == ([], [])
    found = scaled.autoscaling.describe_scaling_policies(ServiceNamespace="sagemaker")
    assert found["ScalingPolicies"] == []
    ends = {"DeregisterScalableTarget", "DeleteEndpoint"}
    called = [call.operation for call in scaled.aws.calls if call.operation in ends]
    assert called == ["DeregisterScalableTarget", "DeleteEndpoint"]


def test_a_scaling_that_is_not_allowed_is_told(account: Account) -> None:
    account.register_constants(1.0)
    account.aws.faults.deny("RegisterScalableTarget")
    with pytest.raises(EndpointError, match=f"autoscaling of endpoint {ENDPOINT}: access denied"):
        account.deploy(1, 1.0, **SCALED)
    assert account.endpoint().live_version() == 1


def test_a_refused_change_to_serverless_leaves_the_scaling_alone(scaled: Account) -> None:
    with pytest.raises(EndpointError, match="makes no serverless endpoint"):
        scaled.deploy(2, 2.0, **SERVERLESS)
    assert targets(scaled) == [(2, 6)]


def test_who_wants_no_scaling_need_not_be_allowed_to_look_at_it(account: Account) -> None:
    account.register_constants(1.0)
    account.aws.faults.deny("DescribeScalableTargets")
    assert account.deploy(1, 1.0).message == "version 1 is live"


def test_network_and_key_reach_model_and_configuration(account: Account) -> None:
    account.register_constants(1.0)
    account.deploy(1, 1.0, boundary=INSIDE)

    [model] = requests(account, "CreateModel")
    assert model["VpcConfig"] == {
        "Subnets": ["subnet-0a", "subnet-0b"],
        "SecurityGroupIds": ["sg-0c"],
    }
    assert model["EnableNetworkIsolation"]
    [config] = requests(account, "CreateEndpointConfig")
    assert config["KmsKeyId"] == config["DataCaptureConfig"]["KmsKeyId"] == KEY


def test_without_them_the_requests_do_not_mention_them(account: Account) -> None:
    account.register_constants(1.0)
    account.deploy(1, 1.0)
    [model], [config] = (requests(account, f"Create{kind}") for kind in ("Model", "EndpointConfig"))
    assert not {"VpcConfig", "EnableNetworkIsolation"} & model.keys()
    assert "KmsKeyId" not in config | config["DataCaptureConfig"]


def test_a_volume_that_its_instance_encrypts_has_no_key(account: Account) -> None:
    account.register_constants(1.0)
    account.deploy(1, 1.0, boundary=INSIDE, instance_type="ml.m5d.large")

    [config] = requests(account, "CreateEndpointConfig")
    assert "KmsKeyId" not in config
    assert config["DataCaptureConfig"]["KmsKeyId"] == KEY
