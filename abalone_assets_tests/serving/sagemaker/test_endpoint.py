from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import EndpointError
from abalone_assets.serving.sagemaker.rollout import Rollout
from abalone_assets_tests.serving.sagemaker.hosting import (
    ALARM,
    ENDPOINT,
    INFERENCE,
    LINE,
    constant_archive,
)

if TYPE_CHECKING:
    from abalone_assets_tests.serving.sagemaker.hosting import Account

OTHER_ALARM = f"{ALARM}-latency"


def test_an_endpoint_has_two_instances_captures_everything_and_is_tagged(account: Account) -> None:
    account.register_constants(1.0)
    done = account.deploy(1, 1.0)

    assert done.url is not None
    assert done.url.endswith(f"/endpoints/{ENDPOINT}")
    (exchange,) = account.captured()
    assert exchange["endpointInput"]["encoding"] == "CSV"
    assert exchange["endpointInput"]["data"] == f"{LINE}\n"
    assert exchange["endpointOutput"]["data"] == "1.0\n"
    config = account.live_config()
    (variant,) = config["ProductionVariants"]
    assert (variant["InitialInstanceCount"], variant["InstanceType"]) == (2, "ml.m5.large")
    capture = config["DataCaptureConfig"]
    assert capture["EnableCapture"]
    assert capture["InitialSamplingPercentage"] == 100
    assert {option["CaptureMode"] for option in capture["CaptureOptions"]} == {"Input", "Output"}
    model = account.sagemaker.describe_model(ModelName=variant["ModelName"])
    assert model["PrimaryContainer"] == {"ModelPackageName": account.registry.package_arn(1)}
    assert model["ExecutionRoleArn"] == account.aws.role_arn
    arns = [account.describe()["EndpointArn"], config["EndpointConfigArn"], model["ModelArn"]]
    for arn in arns:
        tags = account.sagemaker.list_tags(ResourceArn=arn)["Tags"]
        assert {"Key": "Project", "Value": "abalone-assets"} in tags


def test_the_next_version_replaces_the_old_one_by_a_canary_that_the_alarms_watch(
    account: Account,
) -> None:
    account.register_constants(1.0, 2.0)
    account.make_alarm()
    account.deploy(1, 1.0)

    done = account.deploy(2, 2.0, **account.watched())

    assert (done.version, done.previous) == (2, 1)
    assert account.endpoint().live_version() == 2
    deployed = account.describe()["LastDeploymentConfig"]
    policy = deployed["BlueGreenUpdatePolicy"]
    assert policy["TrafficRoutingConfiguration"] == {
        "Type": "CANARY",
        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 50},
        "WaitIntervalInSeconds": 0,
    }
    assert policy["MaximumExecutionTimeoutInSeconds"] == 3600
    assert deployed["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": ALARM}]}


def test_the_progress_is_told_as_the_status_changes(live: Account) -> None:
    live.deploy(2, 2.0)

    name = live.live_config()["EndpointConfigName"]
    assert live.progress == [
        f"endpoint {ENDPOINT}: InService",
        f"endpoint {ENDPOINT}: version 2 is being rolled out as {name}",
        f"endpoint {ENDPOINT}: Updating",
        f"endpoint {ENDPOINT}: InService",
        f"endpoint {ENDPOINT}: asking 1 probes",
    ]


def test_the_live_version_deployed_again_is_verified_and_left_alone(live: Account) -> None:
    live.deploy(2, 2.0)
    asked, before = len(live.captured()), live.describe()

    done = live.deploy(2, 2.0)

    assert done.message == "version 2 was live already"
    assert len(live.captured()) == asked + 1
    assert live.describe() == before
    assert live.updates() == 1


def test_a_changed_setting_is_an_update_of_the_same_version(account: Account) -> None:
    account.register_constants(1.0)
    account.deploy(1, 1.0)

    done = account.deploy(1, 1.0, instance_count=3, instance_type="ml.m5.xlarge")

    assert done.message == "version 1 is live"
    (variant,) = account.live_config()["ProductionVariants"]
    assert (variant["InitialInstanceCount"], variant["InstanceType"]) == (3, "ml.m5.xlarge")


def test_only_the_live_and_the_previous_configuration_and_their_models_are_kept(
    account: Account,
) -> None:
    account.register_constants(1.0, 2.0, 3.0)
    account.ensure_configs("abalone-rings-of-others")
    others = account.configs() | account.models()
    for version in (1, 2, 3):
        account.deploy(version, float(version))

    versions = {name.rsplit("-", 1)[0] for name in (account.configs() | account.models()) - others}
    assert versions == {f"{ENDPOINT}-v000002", f"{ENDPOINT}-v000003"}
    assert others <= account.configs() | account.models()


def test_during_an_update_the_version_that_still_answers_is_the_live_one(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.register_constants(1.0, 2.0)
    seen: list[tuple[str, int | None]] = []
    looked = threading.Event()

    def look(line: str) -> None:
        seen.append((line.rpartition(": ")[2], account.endpoint().live_version()))
        if seen[-1][0] in {"Creating", "Updating"}:
            looked.set()

    monkeypatch.setattr(account.aws.processes, "pause", lambda _: looked.wait(60))
    account.deploy(1, 1.0, on_progress=look)
    looked.clear()
    account.deploy(2, 2.0, on_progress=look)

    assert ("Creating", None) in seen
    assert ("Updating", 1) in seen
    assert seen[-1][1] == 2


def test_an_endpoint_deployed_by_other_means_is_told_by_its_model_package(account: Account) -> None:
    account.register_constants(1.0)
    sagemaker = account.sagemaker
    sagemaker.create_model(
        ModelName="by-hand",
        PrimaryContainer={"ModelPackageName": account.registry.package_arn(1)},
        ExecutionRoleArn=account.aws.role_arn,
    )
    variant = {
        "VariantName": "one",
        "ModelName": "by-hand",
        "InstanceType": "ml.m5.large",
        "InitialInstanceCount": 1,
    }
    sagemaker.create_endpoint_config(EndpointConfigName="by-hand", ProductionVariants=[variant])
    account.aws.faults.endpoint_seconds = 0
    sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName="by-hand")
    account.wait_until_settled()

    assert account.endpoint().live_version() == 1


def test_an_alarm_rolls_an_update_back_and_is_named_with_its_reason(live: Account) -> None:
    live.make_alarm()
    live.aws.faults.endpoint_seconds = 0.3

    def ring(line: str) -> None:
        if "is being rolled out" in line:
            live.raise_alarm()

    with pytest.raises(EndpointError, match="version 2 was not taken") as seen:
        live.deploy(2, 2.0, on_progress=ring, **live.watched())

    assert f"alarms: {ALARM} (7 errors in 60 s); version 1 serves" in str(seen.value)
    assert live.endpoint().live_version() == 1


@pytest.mark.parametrize(
    ("metric", "state"), [("Invocation5XXErrors", "OK"), ("InvocationModelErrors", "ALARM")]
)
def test_a_clients_mistake_rings_only_an_alarm_on_all_that_is_not_2xx(
    live: Account, metric: str, state: str
) -> None:
    live.make_alarm(metric=metric)

    with pytest.raises(live.runtime.exceptions.ModelError) as seen:
        live.runtime.invoke_endpoint(EndpointName=ENDPOINT, Body="Q,1", ContentType="text/csv")

    assert seen.value.response["OriginalStatusCode"] == 400
    assert seen.value.response["OriginalMessage"].startswith("row 1, column sex")
    (alarm,) = live.cloudwatch.describe_alarms(AlarmNames=[ALARM])["MetricAlarms"]
    assert alarm["StateValue"] == state


def test_an_alarm_that_the_live_version_rings_does_not_keep_its_replacement_out(
    live: Account,
) -> None:
    live.make_alarm(OTHER_ALARM)
    live.raise_alarm()

    rollout = Rollout(canary_wait_seconds=0, alarms=(ALARM, OTHER_ALARM))
    assert live.deploy(2, 2.0, rollout=rollout).message == "version 2 is live"

    rollback = live.describe()["LastDeploymentConfig"]["AutoRollbackConfiguration"]
    assert rollback == {"Alarms": [{"AlarmName": OTHER_ALARM}]}
    assert (
        f"endpoint {ENDPOINT}: alarm {ALARM} rings already (7 errors in 60 s); it cannot judge"
        " version 2 and is left out"
    ) in live.progress


def test_where_every_alarm_rings_the_probes_alone_judge(live: Account) -> None:
    live.raise_alarm()

    with pytest.raises(EndpointError, match=r"is not verified: .*; version 1 serves again$"):
        live.deploy(2, 5.0, **live.watched())
    assert (
        f"endpoint {ENDPOINT}: no alarm is left; version 2 is judged by its probes alone"
    ) in live.progress


def test_an_alarm_that_does_not_exist_is_named_before_anything_starts(account: Account) -> None:
    account.register_constants(1.0)
    with pytest.raises(EndpointError, match=rf"alarms {ALARM}, .* do not exist: run `make deploy`"):
        account.deploy(1, 1.0, **account.watched())
    assert account.configs() | account.models() == set()


def test_a_failed_first_deployment_serves_nothing_and_the_next_one_starts_anew(
    account: Account,
) -> None:
    account.register_constants(1.0)
    account.aws.faults.fail_next_update("InsufficientInstanceCapacity: try another zone")

    with pytest.raises(EndpointError, match=r"InsufficientInstanceCapacity.*; nothing serves"):
        account.deploy(1, 1.0)
    assert account.endpoint().live_version() is None

    assert account.deploy(1, 1.0).message == "version 1 is live"


def test_an_answer_that_is_no_number_is_wrong(account: Account) -> None:
    odd = INFERENCE.replace("{{model}}", "?")
    account.register(constant_archive(1.0, odd))
    with pytest.raises(EndpointError, match=r"answered no predictions: .*'\?'.*; nothing serves"):
        account.deploy(1, 1.0)


@pytest.mark.parametrize("name", ["", "rings of abalones", "-rings", "x" * 64])
def test_a_name_that_sagemaker_would_not_take_is_refused(account: Account, name: str) -> None:
    with pytest.raises(EndpointError, match="is no endpoint name"):
        account.endpoint(name)


def test_a_model_package_that_does_not_exist_is_told_and_changes_nothing(account: Account) -> None:
    account.register_constants(1.0)
    account.deploy(1, 1.0)
    missing = account.registry.package_arn(1).replace("/1", "/9")
    with pytest.raises(EndpointError, match=r"CreateModel failed: .*/9 not found"):
        account.endpoint(package_arn=lambda _: missing).deploy(9, [(LINE, 9.0)])
    assert account.endpoint().live_version() == 1


def test_a_model_package_that_is_not_approved_is_refused_by_sagemaker(live: Account) -> None:
    arn = live.registry.package_arn(2)
    live.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Rejected")
    with pytest.raises(EndpointError, match="status is Rejected, not Approved"):
        live.deploy(2, 2.0)
    assert live.endpoint().live_version() == 1
