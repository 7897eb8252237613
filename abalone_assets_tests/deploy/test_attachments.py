"""Every role is allowed what the things that are attached to its resources need."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets_tests.deploy.iam import ROLES, resolved, role_policy
from abalone_assets_tests.deploy.support import KEY, SECURITY_GROUP, SUBNETS
from abalone_assets_tests.fakes.policies import Need
from abalone_assets_tests.fakes.service_rules.attachments import BUCKET_KEY, needs_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets_tests.deploy.support import Assembly


def lacking(template: Mapping[str, Any]) -> list[str]:
    """What roles of a template lack: role, action and resource."""
    resources = template["Resources"]
    found = []
    for resource in resources.values():
        given = resource.get("Properties", {})
        properties = {
            name: resolved(resources, value) if name == "Command" else value
            for name, value in given.items()
        }
        for name, need in needs_of(resource["Type"], properties):
            [role, _] = given[name]["Fn::GetAtt"]
            if not role_policy(template, role).allows(need):
                found.append(f"{role}: {need.action} on {need.resource}")
    return found


def test_the_stacks_roles_are_allowed_what_is_attached_needs(
    assembly: Assembly,
    oidc_assembly: Assembly,
    company_assembly: Assembly,
    serverless_assembly: Assembly,
) -> None:
    for made in (assembly, oidc_assembly, company_assembly, serverless_assembly):
        assert {kind: lacking(template) for kind, template in made.templates.items()} == {
            "data": [],
            "jobs": [],
            "platform": [],
        }


@pytest.mark.parametrize(
    ("kind", "attached", "action"),
    [
        (
            "AWS::Glue::Crawler",
            {"CrawlerSecurityConfiguration": "s"},
            "glue:GetSecurityConfiguration",
        ),
        ("AWS::Glue::Job", {"SecurityConfiguration": "s"}, "glue:GetSecurityConfiguration"),
    ],
)
def test_what_is_attached_without_its_permission_is_found(
    assembly: Assembly, kind: str, attached: dict[str, str], action: str
) -> None:
    template = deepcopy(assembly.templates["jobs"])
    [resource] = [each for each in template["Resources"].values() if each["Type"] == kind]
    resource["Properties"] |= attached
    [found] = lacking(template)
    assert action in found


def test_glue_5_1_without_the_permission_to_find_uploads_is_found(assembly: Assembly) -> None:
    template = deepcopy(assembly.templates["jobs"])
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::IAM::Policy":
            document = resource["Properties"]["PolicyDocument"]
            document["Statement"] = [
                each for each in document["Statement"] if each["Sid"] != "FindUnfinishedUploads"
            ]
    [found] = lacking(template)
    assert "s3:ListBucketMultipartUploads" in found
    [job] = [each for each in template["Resources"].values() if each["Type"] == "AWS::Glue::Job"]
    job["Properties"]["GlueVersion"] = "5.0"
    assert lacking(template) == []


VPC = {"Subnets": list(SUBNETS), "SecurityGroupIds": [SECURITY_GROUP]}
VOLUME = {"VolumeKmsKeyId": KEY}
REQUESTS: dict[str, dict[str, Any]] = {
    "TrainingJob": {
        "VpcConfig": VPC,
        "ResourceConfig": VOLUME,
        "OutputDataConfig": {"KmsKeyId": KEY},
    },
    "ProcessingJob": {
        "NetworkConfig": {"VpcConfig": VPC},
        "ProcessingResources": {"ClusterConfig": VOLUME},
        "ProcessingOutputConfig": {"KmsKeyId": KEY},
    },
    "TransformJob": {"TransformResources": VOLUME, "TransformOutput": {"KmsKeyId": KEY}},
    "Model": {"VpcConfig": VPC},
}
"""Jobs and models are no resources of a template: with all that can be attached to them."""


@pytest.mark.parametrize("kind", REQUESTS)
def test_sagemakers_role_is_allowed_what_is_attached_to_jobs_and_models_needs(
    assembly: Assembly, company_assembly: Assembly, kind: str
) -> None:
    needs = [need for _, need in needs_of(f"AWS::SageMaker::{kind}", REQUESTS[kind])]
    company, plain = (
        role_policy(made.templates["jobs"], "SageMakerRole")
        for made in (company_assembly, assembly)
    )

    assert len(needs) >= 3
    assert [need for need in needs if not company.allows(need)] == []
    assert not [need for need in needs if plain.allows(need)]


@pytest.mark.parametrize("role", ["run", "sagemaker", "glue", "crawler"])
def test_who_reads_or_writes_objects_of_a_bucket_with_a_key_may_use_it(
    company_assembly: Assembly, role: str
) -> None:
    stack, name = ROLES[role]
    granted = role_policy(company_assembly.templates[stack], name)
    done = granted.actions() & BUCKET_KEY.keys()

    assert done
    for action in done:
        assert granted.allows(Need(BUCKET_KEY[action], KEY)), action
