"""Deployments of whatever may be chosen: large templates by a bucket, and one network for ever."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from moto.acm.models import acm_backends
from moto.cloudformation.models import cloudformation_backends

from abalone_assets.aws.clients import client
from abalone_assets_tests.deploy.cloudformation_models import complete_moto
from abalone_assets_tests.deploy.support import (
    VARIANTS,
    Assembly,
    push_image,
    quick_stacks,
    write_assembly,
)
from abalone_assets_tests.fakes.places import ACCOUNT, REGION
from deploy.cloudformation import BODY_LIMIT, read_assembly
from deploy.config import DeployConfig, DeployError, read_context
from deploy.deploy import Deployer, main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets_tests.fakes.standin import AwsStandIn

pytestmark = pytest.mark.xdist_group("cdk")


@pytest.fixture
def account(aws: AwsStandIn) -> Iterator[AwsStandIn]:
    """An empty account whose CloudFormation makes and refuses what AWS's does."""
    with pytest.MonkeyPatch.context() as patch:
        complete_moto(patch)
        yield aws


def deployer(variant: str) -> Deployer:
    config = DeployConfig.from_context(read_context(VARIANTS[variant]))
    return Deployer(config, quick_stacks(), client, lambda _: None)


def deploy(variant: str, made: Assembly) -> Deployer:
    """Bring everything up, as `make deploy` does; the image is pushed in between."""
    deploying = deployer(variant)
    if deploying.config.oidc is not None:
        _import_certificate(deploying.config.oidc.certificate_arn)
    if not deploying.config.image:
        with pytest.raises(DeployError, match="there is no image"):
            deploying.deploy(made.folder)
        push_image(deploying.config.image_tag, made.name)
    deploying.deploy(made.folder)
    return deploying


def _import_certificate(arn: str) -> None:
    """Have a certificate of this very ARN."""
    made = client("acm").request_certificate(DomainName="abalone.example.com")["CertificateArn"]
    held = acm_backends[ACCOUNT][REGION]._certificates
    held[arn] = held.pop(made)


@pytest.mark.parametrize("variant", VARIANTS)
def test_whatever_may_be_chosen_can_be_deployed(
    variant: str, account: AwsStandIn, request: pytest.FixtureRequest
) -> None:
    made: Assembly = request.getfixturevalue(variant)
    deployed = deploy(variant, made)

    for template in read_assembly(made.folder):
        assert deployed.stacks.status(template.stack) in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
        body = client("cloudformation").get_template(StackName=template.stack)["TemplateBody"]
        assert body == json.loads(template.body)


def test_a_large_template_lies_in_the_data_bucket_and_is_read_by_its_version(
    account: AwsStandIn, company_assembly: Assembly
) -> None:
    deployed = deploy("company_assembly", company_assembly)
    bucket = f"abalone-company-data-{ACCOUNT}-{REGION}"
    s3, key = client("s3"), "templates/abalone-company-platform.json"
    *_, platform = read_assembly(company_assembly.folder)

    assert platform.is_large
    assert {each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]} == {key}
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read().decode() == platform.body
    url = deployed._upload(platform)
    s3.put_object(Bucket=bucket, Key=key, Body=b"{}")
    assert deployed.stacks.deploy(platform, url)


def test_the_stack_of_the_bucket_itself_is_handed_over_in_the_request(
    account: AwsStandIn, tmp_path: Path
) -> None:
    body = json.dumps({"Resources": {}, "Description": "x" * BODY_LIMIT})
    write_assembly(tmp_path, "abalone-data", body)

    with pytest.raises(
        DeployError, match="stack abalone-data: its template exceeds 51200 bytes, a"
    ):
        deployer("assembly").deploy(tmp_path)

    assert client("cloudformation").list_stacks()["StackSummaries"] == []


def test_a_bucket_that_takes_no_template_is_told_in_one_error(
    account: AwsStandIn, company_assembly: Assembly
) -> None:
    deploying = deployer("company_assembly")
    company_assembly.deploy(deploying.stacks, "data")
    account.faults.refuse("PutObject", "AccessDenied", "no kms:GenerateDataKey")
    *_, platform = read_assembly(company_assembly.folder)

    with pytest.raises(
        DeployError, match=r"bucket abalone-company-data-.*access denied to PutObject"
    ):
        deploying._upload(platform)


def test_the_network_that_runs_is_never_replaced(account: AwsStandIn, assembly: Assembly) -> None:
    assembly.deploy(quick_stacks(), "data", "jobs", "platform")
    given = ["--assembly", str(assembly.folder), "-c", "vpc_cidr=10.41.0.0/20"]

    refused = CliRunner().invoke(main, given)

    assert refused.exit_code == 1
    assert "vpc_cidr='10.41.0.0/20': the network of abalone-platform has 10.40.0.0/20" in (
        refused.output
    )
    assert "log group" not in refused.output, "nothing was done before"


def test_the_network_of_a_stack_that_was_never_finished_may_be_another(
    account: AwsStandIn, assembly: Assembly
) -> None:
    stacks = quick_stacks()
    assembly.deploy(stacks, "data", "jobs", "platform")
    platform = cloudformation_backends[ACCOUNT][REGION].get_stack("abalone-platform")
    deploying = Deployer(DeployConfig(vpc_cidr="10.41.0.0/20"), stacks, client, lambda _: None)
    with pytest.raises(DeployError, match="cannot be changed"):
        deploying.require_network()

    platform.status = "ROLLBACK_COMPLETE"

    deploying.require_network()
