from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.errors import EndpointError, SettingsError
from abalone_assets.serving.sagemaker.configs import EndpointConfigs
from abalone_assets.serving.sagemaker.removal import delete_endpoint, leftovers
from abalone_assets.serving.sagemaker.rollout import Rollout
from abalone_assets_tests.deploy.iam import as_deployed, denied, policy_of
from abalone_assets_tests.serving.sagemaker.hosting import ENDPOINT

if TYPE_CHECKING:
    from abalone_assets_tests.serving.sagemaker.hosting import Account


def test_names_say_the_version_and_change_with_the_content(account: Account) -> None:
    configs, hosting = EndpointConfigs(ENDPOINT, account.sagemaker), account.hosting
    name = configs.name_of(7, "arn:x/7", hosting)

    assert name.startswith(f"{ENDPOINT}-v000007-")
    assert configs.name_of(7, "arn:x/7", hosting) == name
    assert configs.name_of(7, "arn:y/7", hosting) != name
    for changes in (
        {"instance_count": 3},
        {"instance_type": "ml.m5.xlarge"},
        {"capture_uri": "s3://elsewhere"},
        {"role_arn": "arn:aws:iam::123456789012:role/other"},
    ):
        changed: Any = changes
        assert configs.name_of(7, "arn:x/7", replace(hosting, **changed)) != name


def test_the_longest_endpoint_name_still_gives_names_that_sagemaker_takes(account: Account) -> None:
    account.register_constants(1.0)
    longest = ["a" * 62 + "b", "a" * 62 + "c"]
    one, other = (account.ensure_configs(name) for name in longest)
    assert max(map(len, account.configs() | account.models())) == 63
    assert account.configs() == {one, other}

    assert delete_endpoint(longest[0], account.sagemaker, poll_seconds=0.02) == []
    assert account.configs() == {other}
    assert len(account.models()) == 1


def test_creating_the_same_again_is_no_error_and_makes_nothing(account: Account) -> None:
    account.register_constants(1.0)
    name = account.ensure_configs(ENDPOINT)
    assert account.ensure_configs(ENDPOINT) == name
    assert account.configs() == {name}
    assert len(account.models()) == 1


def test_a_deleted_configuration_still_tells_its_version_by_its_name(account: Account) -> None:
    configs = EndpointConfigs(ENDPOINT, account.sagemaker)
    assert configs.version_of(f"{ENDPOINT}-v000012-0123abcd") == 12
    assert configs.version_of("made-by-hand") is None


def test_deleting_an_endpoint_leaves_nothing_of_it_and_all_of_the_others(account: Account) -> None:
    account.register_constants(1.0, 2.0)
    account.ensure_configs(f"{ENDPOINT}-of-others")
    others = account.configs() | account.models()
    account.deploy(1, 1.0)
    account.deploy(2, 2.0)
    lines: list[str] = []
    left = leftovers(ENDPOINT, account.sagemaker)
    assert left[0] == f"endpoint {ENDPOINT} (InService)"
    assert len(left) == 5

    rest = delete_endpoint(ENDPOINT, account.sagemaker, poll_seconds=0.02, on_progress=lines.append)

    assert rest == []
    assert account.configs() | account.models() == others
    assert delete_endpoint(ENDPOINT, account.sagemaker) == []  # there is nothing any more
    assert len([line for line in lines if line.endswith(": deleted")]) == 4
    assert [version.version for version in account.registry.versions()] == [1, 2]


def test_what_endpoints_of_longer_names_use_is_not_asked_for_its_tags(account: Account) -> None:
    """The role may not, and a refusal would end the clean-up after each deployment."""
    account.register_constants(1.0)
    others = {account.ensure_configs(name) for name in ("abalone-dev", "abalone-vienna")}
    account.ensure_configs("abalone")
    before = len(account.aws.calls)
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    deleted = account.configs_of("abalone").delete_unused(set(), tomorrow)

    assert len(deleted) == 2
    assert account.configs() == others
    calls = as_deployed(account.aws.calls[before:])
    assert any(call.operation == "ListTags" for call in calls)
    assert denied(policy_of("run"), calls) == []


def test_deleting_an_endpoint_waits_for_the_update_that_is_in_progress(account: Account) -> None:
    account.register_constants(1.0)
    config = account.ensure_configs(ENDPOINT)
    account.aws.faults.endpoint_seconds = 0.3
    account.sagemaker.create_endpoint(EndpointName=ENDPOINT, EndpointConfigName=config)

    assert delete_endpoint(ENDPOINT, account.sagemaker, poll_seconds=0.02) == []


def test_a_deletion_that_is_not_allowed_is_told_and_leaves_the_rest(account: Account) -> None:
    account.register_constants(1.0)
    account.deploy(1, 1.0)
    account.aws.faults.deny("DeleteEndpoint")
    with pytest.raises(EndpointError, match=f"endpoint {ENDPOINT}: access denied"):
        delete_endpoint(ENDPOINT, account.sagemaker, poll_seconds=0.02)
    assert len(leftovers(ENDPOINT, account.sagemaker)) == 3


def test_a_single_instance_takes_all_the_traffic_under_the_eyes_of_the_alarms() -> None:
    config = Rollout(alarms=("a",)).deployment_config(1)
    assert config["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"] == {
        "Type": "ALL_AT_ONCE",
        "WaitIntervalInSeconds": 300,
    }
    assert config["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": "a"}]}


def test_more_alarms_than_sagemaker_takes_are_refused_with_the_variable() -> None:
    with pytest.raises(SettingsError, match="ABALONE_ENDPOINT_ALARMS names 11"):
        Rollout(alarms=tuple("abcdefghijk"))
