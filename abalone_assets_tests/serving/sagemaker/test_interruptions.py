"""Deployments that meet another, are cut short, or are answered slowly."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import EndpointError
from abalone_assets.serving.sagemaker import deployment
from abalone_assets.serving.sagemaker.configs import EndpointConfigs
from abalone_assets.serving.sagemaker.deployment import EndpointDeployment
from abalone_assets_tests.serving.sagemaker.hosting import ENDPOINT, INFERENCE, constant_archive

if TYPE_CHECKING:
    from collections.abc import Callable

    from abalone_assets_tests.serving.sagemaker.hosting import Account


def interrupt_at(word: str, lines: list[str]) -> Callable[[str], None]:
    """Cancels the run when the progress first says a word."""

    def on_progress(line: str) -> None:
        lines.append(line)
        if line.endswith(word) and sum(each.endswith(word) for each in lines) == 1:
            raise KeyboardInterrupt

    return on_progress


def crash_after_the_update_began(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    """As kill -9 would: nothing of what follows is done, and nothing is taken back."""

    def crash(*_: object) -> None:
        raise EndpointError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(EndpointDeployment, "_wait_until_live", crash)
        with pytest.raises(EndpointError, match="killed"):
            account.deploy(2, 2.0)


def test_of_two_deployments_at_once_one_waits_for_the_other(live: Account) -> None:
    live.register_constants(3.0)
    live.aws.faults.endpoint_seconds = 0.3
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda version: live.deploy(version, float(version)), (2, 3)))

    assert [each.message for each in done] == ["version 2 is live", "version 3 is live"]
    assert {done[0].previous, done[1].previous} in ({1, 2}, {1, 3})
    last = 2 if done[1].previous == 1 else 3
    assert live.endpoint().live_version() == last
    assert live.updates() >= 2


def test_an_update_that_a_crash_left_running_is_joined_not_started_again(
    live: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.aws.faults.endpoint_seconds = 0.3
    crash_after_the_update_began(live, monkeypatch)

    done = live.deploy(2, 2.0)

    assert (done.version, done.previous, done.message) == (2, 1, "version 2 is live")
    assert (
        f"endpoint {ENDPOINT}: version 2 is being rolled out already; joining in" in live.progress
    )
    assert live.updates() == 1


def test_an_update_that_ended_after_a_crash_is_verified_and_still_has_its_rollback_target(
    live: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_after_the_update_began(live, monkeypatch)
    live.wait_until_settled()

    with pytest.raises(EndpointError, match=r"; version 1 serves again$"):
        live.deploy(2, 5.0)


def test_a_version_that_a_crash_left_unproved_is_replaced_and_not_returned_to(
    live: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.register_constants(3.0)
    crash_after_the_update_began(live, monkeypatch)
    live.wait_until_settled()
    assert live.endpoint().live_version() == 2

    with pytest.raises(EndpointError, match=r"; version 1 serves again$"):
        live.deploy(3, 5.0, verification_seconds=0.1)


def test_a_roll_back_to_what_a_crash_left_unproved_is_told_as_a_roll_back(
    live: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.register_constants(3.0)
    crash_after_the_update_began(live, monkeypatch)
    live.wait_until_settled()
    live.aws.faults.fail_next_update("InsufficientInstanceCapacity")

    with pytest.raises(EndpointError, match=r"InsufficientInstanceCapacity; version 2 serves$"):
        live.deploy(3, 3.0, verification_seconds=0.1)


def test_an_endpoint_that_a_crash_left_being_created_is_joined(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    account.register_constants(1.0, 2.0)
    account.aws.faults.endpoint_seconds = 0.3
    crash_after_the_update_began(account, monkeypatch)

    with pytest.raises(EndpointError, match="nothing serves: the new endpoint was deleted"):
        account.deploy(2, 5.0)


@pytest.mark.parametrize("word", ["Updating", "asking 1 probes"], ids=["update", "verification"])
def test_a_cancelled_deployment_is_taken_back(live: Account, word: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        live.deploy(2, 2.0, on_progress=interrupt_at(word, live.progress))

    live.wait_until_settled()
    assert live.endpoint().live_version() == 1


def test_a_cancelled_first_deployment_leaves_no_endpoint(account: Account) -> None:
    account.register_constants(1.0)
    with pytest.raises(KeyboardInterrupt):
        account.deploy(1, 1.0, on_progress=interrupt_at("Creating", account.progress))
    assert account.endpoint().live_version() is None


def test_a_version_whose_proof_cannot_be_remembered_is_taken_back(account: Account) -> None:
    account.register_constants(1.0)
    account.aws.faults.deny("AddTags")
    with pytest.raises(EndpointError, match="access denied"):
        account.deploy(1, 1.0)
    account.wait_until_settled()
    assert account.endpoint().live_version() is None


def test_an_update_that_outlasts_the_cancelled_run_goes_on_and_is_verified_by_the_next(
    live: Account,
) -> None:
    live.aws.faults.endpoint_seconds = 0.5
    with pytest.raises(KeyboardInterrupt):
        live.deploy(
            2,
            2.0,
            on_progress=interrupt_at("Updating", live.progress),
            cancel_seconds=0.1,
        )
    assert live.progress[-1].endswith("; SageMaker goes on, and the next deployment verifies it")

    with pytest.raises(EndpointError, match=r"; version 1 serves again$"):
        live.deploy(2, 5.0)


def test_a_deployment_cancelled_while_it_waits_for_its_turn_changes_nothing(live: Account) -> None:
    before = live.describe()
    with pytest.raises(KeyboardInterrupt):
        live.deploy(2, 2.0, on_progress=interrupt_at("InService", live.progress))
    assert live.describe() == before
    assert live.updates() == 0


def test_a_version_that_another_one_replaces_is_not_taken_for_proved(live: Account) -> None:
    live.register(constant_archive(2.0, f"{INFERENCE}# but not the same"))
    made = EndpointConfigs(ENDPOINT, live.sagemaker)
    other = made.ensure(3, live.registry.package_arn(3), live.hosting)

    def replace_it(line: str) -> None:
        if line.endswith("asking 1 probes"):
            live.aws.faults.endpoint_seconds = 0
            live.sagemaker.update_endpoint(EndpointName=ENDPOINT, EndpointConfigName=other)
            live.wait_until_settled()

    with pytest.raises(EndpointError, match=r"superseded .*; version 2 does not serve any more$"):
        live.deploy(2, 2.0, on_progress=replace_it)
    assert live.endpoint().live_version() == 3
    assert live.updates() == 2


def test_a_configuration_that_another_clean_up_deleted_is_made_again(live: Account) -> None:
    live.aws.faults.refuse(
        "UpdateEndpoint", "ValidationException", 'Could not find endpoint configuration "x".'
    )
    assert live.deploy(2, 2.0).message == "version 2 is live"


def test_a_configuration_of_a_deployment_that_has_begun_since_is_not_cleaned_up(
    live: Account,
) -> None:
    live.register_constants(3.0)
    made: list[str] = []

    def make_the_next(line: str) -> None:
        if line.endswith("asking 1 probes"):
            configs = EndpointConfigs(ENDPOINT, live.sagemaker)
            made.append(configs.ensure(3, live.registry.package_arn(3), live.hosting))

    live.deploy(2, 2.0, on_progress=make_the_next)
    assert len(made) == 1
    assert made[0] in live.configs()


def test_a_rollback_is_done_even_while_the_alarms_ring(live: Account) -> None:
    live.make_alarm()

    def ring(line: str) -> None:
        if line.endswith("asking 1 probes"):
            live.raise_alarm()

    with pytest.raises(EndpointError, match=r"; version 1 serves again$"):
        live.deploy(2, 5.0, on_progress=ring, **live.watched())


def test_throttling_is_waited_out(live: Account) -> None:
    def throttle(line: str) -> None:
        live.progress.append(line)
        if "is being rolled out" in line:
            live.aws.faults.throttle("DescribeEndpoint", times=4)

    assert live.deploy(2, 2.0, on_progress=throttle).message == "version 2 is live"
    assert any("Rate exceeded (ThrottlingException)" in line for line in live.progress)


def test_credentials_that_expire_during_an_update_are_told_and_the_next_one_verifies(
    live: Account,
) -> None:
    def expire(line: str) -> None:
        if "is being rolled out" in line:
            live.aws.faults.expire_credentials()

    with pytest.raises(EndpointError, match="credentials have expired") as seen:
        live.deploy(2, 2.0, on_progress=expire)
    assert "SageMaker goes on with version 2 by itself" in str(seen.value)

    live.aws.faults.renew_credentials()
    assert live.deploy(2, 2.0).version == 2
    assert live.updates() == 1


def test_a_deployment_that_takes_too_long_is_told_as_such(
    live: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    live.aws.faults.endpoint_seconds = 0.5
    rollout = replace(live.watched()["rollout"], alarms=())
    monkeypatch.setattr(deployment, "ROLLBACK_SECONDS", 0.2 - rollout.timeout_seconds)
    with pytest.raises(EndpointError, match=r"is still Updating after 0\.2 s; SageMaker goes on"):
        live.deploy(2, 2.0, rollout=rollout)


def test_a_clean_up_that_fails_does_not_fail_the_deployment(live: Account) -> None:
    live.register_constants(3.0)
    live.deploy(2, 2.0)
    live.aws.faults.deny("DeleteEndpointConfig")

    assert live.deploy(3, 3.0).message == "version 3 is live"
    assert "access denied" in live.progress[-1]
