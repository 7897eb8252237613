from __future__ import annotations

import json
from pathlib import Path

import pytest

from abalone_assets import __version__
from abalone_assets.settings.platform import Settings
from abalone_assets_tests.deploy.support import OIDC
from deploy.config import DeployConfig, DeployError, read_context


def test_the_defaults_are_cdk_jsons_and_the_packages_version() -> None:
    config = DeployConfig.from_context(read_context([]))

    assert config == DeployConfig()
    assert config.image_tag == __version__
    assert config.ssm_prefix == "/abalone"
    assert config.name == Settings.model_fields["endpoint_name"].default


def test_the_command_line_overrides_cdk_json(tmp_path: Path) -> None:
    cdk_json = tmp_path / "cdk.json"
    cdk_json.write_text(json.dumps({"context": {"name": "one", "retain": True}}))

    config = DeployConfig.from_context(read_context(["name=two", "retain=false"], cdk_json))

    assert (config.name, config.retain) == ("two", False)


def test_a_network_may_have_any_private_range_that_holds_its_subnets() -> None:
    for given in ("10.0.0.0/16", "172.31.252.0/22", "192.168.0.0/16"):
        assert DeployConfig.from_context({"vpc_cidr": given}).vpc_cidr == given


def test_people_come_from_any_private_address_unless_their_ranges_are_told() -> None:
    assert DeployConfig().people == ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    told = {"people_cidrs": "100.64.0.0/10,192.168.7.9, 100.64.0.0/10"}
    assert DeployConfig.from_context(told).people == ("100.64.0.0/10", "192.168.7.9/32")


def test_settings_become_variables_of_the_tasks() -> None:
    chosen = {"gate_max_rmse": 2.3, "hyperparameters": {"eta": 0.02}, "raw_uri": "s3://b/raw/a"}
    config = DeployConfig.from_context({"settings": chosen})
    assert config == DeployConfig.from_context(read_context([f"settings={json.dumps(chosen)}"]))
    assert config.environment == {
        "ABALONE_GATE_MAX_RMSE": "2.3",
        "ABALONE_HYPERPARAMETERS": '{"eta": 0.02}',
        "ABALONE_RAW_URI": "s3://b/raw/a",
    }


def test_the_cdk_clis_context_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"name": "two", "aws:cdk:enable-path-metadata": True}
    monkeypatch.setenv("CDK_CONTEXT_JSON", json.dumps(given))

    assert DeployConfig.from_context(read_context([])).name == "two"


def test_what_the_cdk_itself_puts_into_the_context_is_left_alone() -> None:
    flags = {"@aws-cdk/core:x": True, "aws:cdk:enable-path-metadata": True}

    assert DeployConfig.from_context(flags) == DeployConfig()


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ("nmae=abalone", "nmae: no such context value; did you mean name?"),
        ("name=Abalone", "expected 3 to 20 of a-z"),
        ("name=abalone-", "expected 3 to 20 of a-z"),
        ("name=" + "a" * 21, "expected 3 to 20 of a-z"),
        ("retain=yes", "retain='yes': expected true or false"),
        ("nat_gateways=two", "nat_gateways='two': expected a whole number"),
        ("nat_gateways=0", "expected 1 or 2"),
        ("vpc_cidr=10.41.0.0", "vpc_cidr='10.41.0.0': expected /16 to /22"),
        ("vpc_cidr=10.0.0.0/8", "expected /16 to /22"),
        ("vpc_cidr=10.41.0.0/23", "expected /16 to /22"),
        ("vpc_cidr=10.41.1.0/20", "such as 10.41.0.0/20: 10.41.1.0/20 has host bits set"),
        ("vpc_cidr=fd00::/16", "expected a range of IPv4 addresses"),
        ("vpc_cidr=172.32.0.0/20", "expected private addresses, of 10.0.0.0/8, 172.16.0.0/12,"),
        ("people_cidrs=", "people_cidrs: expected one range or more"),
        (
            "people_cidrs=10.0.0.0/8; 192.168.0.0/16",
            "people_cidrs='10.0.0.0/8; 192.168.0.0/16': ex",
        ),
        ("people_cidrs=10.1.0.0/8", "people_cidrs='10.1.0.0/8': expected a range of IPv4"),
        ("people_cidrs=10.0.0.0/8, 0.0.0.0/0", "people_cidrs='0.0.0.0/0': expected /8 or narrower"),
        ("image_tag=a b", "no tag of a container image"),
        ("oidc_client_id=x", "needs the context values oidc_issuer, oidc_authorization_endpoint"),
        ("oidc_host=abalone.example.com", "needs the context values oidc_issuer"),
        ("name", "-c name: expected key=value"),
        ("settings={", "settings: expected a JSON object: "),
        ("settings=3", "settings: expected a JSON object"),
        ('settings={"gate_max_rsme": 2}', "gate_max_rsme: no setting to choose here; did you mean"),
        ('settings={"profile": "local"}', "profile: no setting to choose here"),
        ('settings={"jobs_uri": "s3://b/x"}', "jobs_uri: no setting to choose here"),
        ('settings={"gate_max_rmse": -1}', "settings: gate_max_rmse: Input should be greater"),
        ('settings={"hyperparameters": {"etta": 1}}', "blend has no hyperparameter etta"),
        ('settings={"notify": "mailto://u:p@b.c"}', "settings: notify: holds secrets, and"),
        ('settings={"mlflow_uri": "https://u:p@b.c"}', "settings: mlflow_uri: holds a password"),
        ('settings={"mlflow_uri": "b.c"}', "settings: mlflow_uri: Value error, expected the http"),
        ('settings={"upload_token": "x"}', "settings: upload_token: is a secret"),
        ('settings={"canary_percent": 200}', "settings: canary_percent: Input should be less"),
    ],
)
def test_a_wrong_context_value_is_named(pair: str, message: str) -> None:
    with pytest.raises(DeployError, match=message.replace("?", r"\?")):
        DeployConfig.from_context(read_context([pair]))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        *(
            ("oidc_host", host, r"oidc_host=.*expected a DNS name")
            for host in ("https://abalone.example.com", "abalone", "abalone.example.com/")
        ),
        ("oidc_issuer", "http://id.example.com", "oidc_issuer: expected an https:// URL"),
    ],
)
def test_a_wrong_value_for_signing_in_is_named(key: str, value: str, message: str) -> None:
    pairs = [f"{key}={value}" if pair.startswith(f"{key}=") else pair for pair in OIDC]

    with pytest.raises(DeployError, match=message):
        DeployConfig.from_context(read_context(pairs))


def test_captured_requests_are_kept_for_a_day_at_least() -> None:
    with pytest.raises(DeployError, match="capture_days=0"):
        DeployConfig.from_context({"capture_days": "0"})
