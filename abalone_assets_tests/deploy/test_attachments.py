"""Every role is allowed what the things that are attached to its resources need."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets_tests.deploy.iam import resolved, role_policy
from abalone_assets_tests.fakes.service_rules.attachments import needs_of

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
    assembly: Assembly, oidc_assembly: Assembly
) -> None:
    for made in (assembly, oidc_assembly):
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
