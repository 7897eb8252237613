"""Which image, and which version of a secret, a deployment takes when it is given none."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from abalone_assets.aws.clients import client
from abalone_assets_tests.deploy.support import OIDC, push_image, write_assembly
from deploy import deploy as command
from deploy.cloudformation import Stacks, Template
from deploy.config import IMAGE_OUTPUT, IMAGE_TAG_OUTPUT, DeployError, read_context
from deploy.deploy import looked_up, main

if TYPE_CHECKING:
    from pathlib import Path


QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "one"}}


def platform(**outputs: str) -> str:
    """A platform stack that tells what it runs."""
    told = {key: {"Value": value} for key, value in outputs.items()}
    return json.dumps({"Resources": {"One": QUEUE}, "Outputs": told})


@pytest.fixture
def small_synthesis(monkeypatch: pytest.MonkeyPatch) -> None:
    """A synthesis of the platform stack's outputs alone."""

    def synthesise(context: dict[str, Any], folder: Path) -> None:
        body = platform(**{IMAGE_TAG_OUTPUT: context.get("image_tag", "1.0")})
        write_assembly(folder, "abalone-platform", body)

    monkeypatch.setattr(command, "synthesise", synthesise)


def test_a_deployment_without_a_tag_keeps_the_one_that_runs(
    stacks: Stacks, small_synthesis: None
) -> None:
    client("ecr").create_repository(repositoryName="abalone")
    push_image("0a1b2c")

    first = CliRunner().invoke(main, ["-c", "image_tag=0a1b2c"])
    second = CliRunner().invoke(main)

    assert (first.exit_code, second.exit_code) == (0, 0), first.output + second.output
    assert "image: none -> 0a1b2c\n" in first.output
    assert "image: 0a1b2c -> 0a1b2c\n" in second.output
    assert stacks.outputs("abalone-platform") == {IMAGE_TAG_OUTPUT: "0a1b2c"}


@pytest.mark.parametrize(
    ("running", "given", "taken"),
    [
        ({}, {}, {}),
        ({IMAGE_TAG_OUTPUT: "old"}, {"image_tag": "new"}, {"image_tag": "new"}),
        ({IMAGE_TAG_OUTPUT: "old"}, {"image": "elsewhere/x:1"}, {"image": "elsewhere/x:1"}),
        ({IMAGE_OUTPUT: "elsewhere/x:1"}, {}, {"image": "elsewhere/x:1"}),
        ({IMAGE_OUTPUT: "elsewhere/x:1"}, {"image_tag": "new"}, {"image_tag": "new"}),
    ],
)
def test_what_is_given_wins_over_what_runs(
    running: dict[str, str], given: dict[str, str], taken: dict[str, str], stacks: Stacks
) -> None:
    stacks.deploy(Template("abalone-platform", platform(**running)))

    assert looked_up(given, stacks, client) == taken


@pytest.mark.parametrize(
    ("image", "repository"),
    [
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com/a", "eu-west-1:123456789012:repository/a"),
        (
            "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn/a/b_c:1",
            "cn-north-1:123456789012:repository/a/b_c",
        ),
        (
            "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com/a/b@sha256:0a",
            "us-gov-west-1:123456789012:repository/a/b",
        ),
        (
            "123456789012.dkr-ecr.us-east-1.on.aws/a:1@sha256:0a",
            "us-east-1:123456789012:repository/a",
        ),
        ("registry.example.com/abalone-assets:1", None),
        ("public.ecr.aws/abalone/assets:1", None),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com.example.com/a:1", None),
        ("", None),
    ],
)
def test_an_image_in_ecr_is_known_by_its_registry(image: str, repository: str | None) -> None:
    from aws_cdk import Aws

    from deploy.stacks.images import repository_arn

    arn = None if repository is None else f"arn:{Aws.PARTITION}:ecr:{repository}"
    assert repository_arn(image) == arn


def test_a_new_value_of_the_oidc_secret_is_another_version(stacks: Stacks) -> None:
    pairs = [pair for pair in OIDC if not pair.startswith("oidc_client_secret_version=")]
    context, secrets = read_context(pairs), client("secretsmanager")
    with pytest.raises(DeployError, match="secret abalone/oidc: DescribeSecret"):
        looked_up(context, stacks, client)

    secrets.create_secret(Name="abalone/oidc", SecretString="old")
    before = looked_up(context, stacks, client)["oidc_client_secret_version"]
    new = secrets.put_secret_value(SecretId="abalone/oidc", SecretString="new")["VersionId"]
    after = looked_up(context, stacks, client)["oidc_client_secret_version"]

    assert before != after
    assert after == new
