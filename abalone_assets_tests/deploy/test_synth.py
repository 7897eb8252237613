from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from importlib.resources import files
from ipaddress import IPv4Network
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from abalone_assets.serving.sagemaker.deployment import ROLLBACK_SECONDS
from abalone_assets.settings.aws import AwsSettings
from abalone_assets.settings.platform import Settings
from abalone_assets_tests.deploy.support import ROOT, TOPIC, VARIANTS, Assembly, synthesise
from deploy.cloudformation import read_assembly
from deploy.config import VPC_PREFIXES
from deploy.deploy import PUSH

TASKS = {"web", "daemon", "migrate", "code", "run"}
FROM_THE_IMAGE = {"DAGSTER_GRPC_PORT"}


def test_cfn_lint_finds_nothing_whatever_is_chosen(
    assembly: Assembly,
    oidc_assembly: Assembly,
    company_assembly: Assembly,
    serverless_assembly: Assembly,
) -> None:
    templates = [
        str(template)
        for made in (assembly, oidc_assembly, company_assembly, serverless_assembly)
        for template in made.folder.glob("*.template.json")
    ]

    found = subprocess.run(
        [str(Path(sys.executable).with_name("cfn-lint")), "-i", "W3005", "--", *templates],
        capture_output=True,
        text=True,
        check=False,
    )

    assert len(templates) == 12
    assert (found.returncode, found.stdout) == (0, "")


@pytest.mark.service
def test_a_finding_of_cdk_nag_fails_the_synthesis(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"AwsSolutions-ECS4"):
        synthesise(tmp_path, module="abalone_assets_tests.deploy.unacknowledged")


def test_nothing_needs_an_upload_or_a_function_of_its_own(assembly: Assembly) -> None:
    manifest = json.loads((assembly.folder / "manifest.json").read_text())
    kinds = {artifact["type"] for artifact in manifest["artifacts"].values()}

    assert "cdk:asset-manifest" not in kinds
    assert not assembly.resources("AWS::Lambda::Function")
    assert not [
        resource
        for template in assembly.templates.values()
        for resource in template["Resources"].values()
        if resource["Type"].startswith(("Custom::", "AWS::CloudFormation::CustomResource"))
    ]


@pytest.mark.parametrize("variant", VARIANTS)
def test_stacks_come_in_the_order_of_their_needs_and_the_first_needs_no_bucket(
    variant: str, request: pytest.FixtureRequest
) -> None:
    made: Assembly = request.getfixturevalue(variant)
    data, jobs, platform = read_assembly(made.folder)

    assert [each.stack for each in (data, jobs, platform)] == [
        f"{made.name}-{kind}" for kind in ("data", "jobs", "platform")
    ]
    assert not data.is_large


def test_a_wildcard_resource_stands_only_where_the_service_allows_nothing_narrower(
    assembly: Assembly,
) -> None:
    narrowable = {
        action
        for statement in _statements(assembly)
        if "*" in _many(statement["Resource"]) and "Condition" not in statement
        for action in _many(statement["Action"])
        if _resource_types(action)
    }

    assert not narrowable


def test_without_oidc_nothing_listens_and_only_the_web_server_takes_sessions(
    assembly: Assembly,
) -> None:
    services = assembly.resources("AWS::ECS::Service")

    assert not assembly.resources("AWS::ElasticLoadBalancingV2::LoadBalancer")
    assert [
        service["Properties"]["ServiceName"]
        for service in services
        if service["Properties"].get("EnableExecuteCommand")
    ] == ["web"]


def test_with_oidc_an_internal_load_balancer_asks_who_one_is(oidc_assembly: Assembly) -> None:
    [balancer] = oidc_assembly.resources("AWS::ElasticLoadBalancingV2::LoadBalancer")
    [listener] = oidc_assembly.resources("AWS::ElasticLoadBalancingV2::Listener")
    first, second = listener["Properties"]["DefaultActions"]

    assert balancer["Properties"]["Scheme"] == "internal"
    assert listener["Properties"]["Protocol"] == "HTTPS"
    assert (first["Type"], second["Type"]) == ("authenticate-oidc", "forward")
    assert "{{resolve:secretsmanager:" in json.dumps(first["AuthenticateOidcConfig"])
    assert "0d9f6c4e-aaaa-4bbb-8ccc-0123456789ab}}" in json.dumps(first["AuthenticateOidcConfig"])
    assert not [
        service
        for service in oidc_assembly.resources("AWS::ECS::Service")
        if service["Properties"].get("EnableExecuteCommand")
    ]


def test_people_reach_the_load_balancer_from_the_ranges_that_were_chosen(
    oidc_assembly: Assembly,
) -> None:
    groups = oidc_assembly.resources("AWS::EC2::SecurityGroup")
    rules = [
        rule for group in groups for rule in group["Properties"].get("SecurityGroupIngress", [])
    ]

    assert [(rule["CidrIp"], rule["FromPort"], rule["ToPort"]) for rule in rules] == [
        ("192.168.10.0/24", 443, 443),
        ("10.8.0.0/16", 443, 443),
    ]


def test_the_network_of_a_deployment_that_chooses_nothing_stays_as_it_is(
    assembly: Assembly,
) -> None:
    assert _ranges(assembly, "AWS::EC2::VPC") == ["10.40.0.0/20"]
    assert _ranges(assembly, "AWS::EC2::Subnet") == [
        "10.40.0.0/26",
        "10.40.0.64/26",
        "10.40.1.0/24",
        "10.40.2.0/24",
        "10.40.3.0/26",
        "10.40.3.64/26",
    ]


def test_the_smallest_network_has_room_for_its_subnets(oidc_assembly: Assembly) -> None:
    [chosen] = _ranges(oidc_assembly, "AWS::EC2::VPC")
    vpc = IPv4Network(chosen)
    subnets = [IPv4Network(each) for each in _ranges(oidc_assembly, "AWS::EC2::Subnet")]

    assert (chosen, vpc.prefixlen) == ("172.20.4.0/22", VPC_PREFIXES[-1])
    assert len(subnets) == 6
    assert all(subnet.subnet_of(vpc) for subnet in subnets)
    assert not any(one.overlaps(other) for one, other in combinations(subnets, 2))


def test_people_are_sent_to_a_name_that_the_certificate_covers(oidc_assembly: Assembly) -> None:
    outputs = oidc_assembly.templates["platform"]["Outputs"]

    assert outputs["WebServer"]["Value"] == "https://abalone.example.com"
    assert outputs["LoadBalancer"]["Value"]["Fn::GetAtt"][1] == "DNSName"


def test_every_variable_that_the_instance_and_the_workspace_read_is_given_to_the_tasks(
    assembly: Assembly,
) -> None:
    files = [ROOT / "deploy" / name for name in ("dagster.yaml", "workspace.yaml")]
    read = {
        variable
        for file in files
        for variable in re.findall(r"\{ *env: *(\w+) *\}", file.read_text())
    }

    missing = {}
    for name, container in _containers(assembly).items():
        given = {each["Name"] for each in (*container["Environment"], *container["Secrets"])}
        missing[name] = read - given - FROM_THE_IMAGE

    # Only who has to do with run workers makes the run launcher.
    launching = {"DAGSTER_ECS_TASK_DEFINITION"}
    assert {name for name, variables in missing.items() if variables} == {"code", "run"}
    assert missing["code"] == missing["run"] == launching


def test_the_platform_knows_every_setting_that_the_tasks_give_it(assembly: Assembly) -> None:
    fields = (*Settings.model_fields, *AwsSettings.model_fields)
    known = {f"ABALONE_{name.upper()}" for name in fields}
    for container in _containers(assembly).values():
        ours = {e["Name"] for e in container["Environment"] if e["Name"].startswith("ABALONE_")}
        assert ours
        assert ours <= known


def test_every_task_has_the_settings_that_were_chosen(
    assembly: Assembly, oidc_assembly: Assembly
) -> None:
    chosen = {
        "ABALONE_GATE_MAX_RMSE": "2.3",
        "ABALONE_HYPERPARAMETERS": '{"eta": 0.02}',
        "ABALONE_NOTIFY": TOPIC,
    }
    for container in _containers(oidc_assembly).values():
        given = {each["Name"]: each.get("Value") for each in container["Environment"]}
        assert chosen.items() <= given.items()
        assert given["ABALONE_PROFILE"] == "aws"
    for container in _containers(assembly).values():
        assert not chosen.keys() & {each["Name"] for each in container["Environment"]}


def test_passwords_come_from_secrets_manager(assembly: Assembly) -> None:
    for container in _containers(assembly).values():
        assert {secret["Name"] for secret in container["Secrets"]} == {
            "DAGSTER_POSTGRES_USER",
            "DAGSTER_POSTGRES_PASSWORD",
        }
    [database] = assembly.resources("AWS::RDS::DBInstance")
    assert "{{resolve:secretsmanager:" in json.dumps(database["Properties"]["MasterUserPassword"])


def test_tasks_write_to_nothing_but_a_volume(assembly: Assembly, oidc_assembly: Assembly) -> None:
    for made, writable in ((assembly, {"web"}), (oidc_assembly, set())):
        containers = _containers(made)
        assert set(containers) == TASKS
        assert {
            name for name, each in containers.items() if not each["ReadonlyRootFilesystem"]
        } == writable
        assert all(c["MountPoints"][0]["ContainerPath"] == "/tmp" for c in containers.values())


def test_the_old_daemon_ends_before_the_new_one_begins(assembly: Assembly) -> None:
    [daemon] = [
        service["Properties"]
        for service in assembly.resources("AWS::ECS::Service")
        if service["Properties"]["ServiceName"] == "daemon"
    ]

    assert daemon["DeploymentConfiguration"]["MaximumPercent"] == 100
    assert daemon["DeploymentConfiguration"]["MinimumHealthyPercent"] == 0


def test_the_schema_is_migrated_before_the_daemon_begins(assembly: Assembly) -> None:
    containers = _containers(assembly)

    assert containers["daemon"]["DependsOn"] == [
        {"ContainerName": "migrate", "Condition": "SUCCESS"}
    ]
    assert containers["migrate"]["Command"] == ["python", "-m", "abalone_assets.local.migrate"]
    assert not containers["migrate"]["Essential"]


def test_tasks_run_on_what_the_image_is_built_for(assembly: Assembly) -> None:
    tasks = assembly.resources("AWS::ECS::TaskDefinition")

    assert len(tasks) == 4
    for task in tasks:
        assert task["Properties"]["RuntimePlatform"] == {
            "CpuArchitecture": "X86_64",
            "OperatingSystemFamily": "LINUX",
        }
    platform = "linux/amd64"
    assert f"platforms: {platform}" in (ROOT / ".github/workflows/deploy.yml").read_text()
    assert f"--platform {platform}" in PUSH


def test_a_run_may_take_what_all_its_steps_may_take_together(assembly: Assembly) -> None:
    [glue] = assembly.resources("AWS::Glue::Job")
    job, deployment = (
        AwsSettings.model_fields[f"{name}_seconds"].default
        for name in ("job_max_runtime", "deployment_timeout")
    )
    preparation = 60 * glue["Properties"]["Timeout"]
    training = 2 * job  # on spot capacity, the wait for it included
    rollout = deployment + ROLLBACK_SECONDS
    another = rollout  # that is waited for

    instance = (ROOT / "deploy/dagster.yaml").read_text()
    [allowed] = re.findall(r"max_runtime_seconds: (\d+)", instance)

    assert int(allowed) > preparation + training + job + another + rollout


def test_no_task_has_a_public_address(assembly: Assembly) -> None:
    services = assembly.resources("AWS::ECS::Service")

    assert len(services) == 3
    for service in services:
        network = service["Properties"]["NetworkConfiguration"]["AwsvpcConfiguration"]
        assert network["AssignPublicIp"] == "DISABLED"


def test_buckets_are_versioned_encrypted_and_let_go_of_what_is_made_again(
    assembly: Assembly,
) -> None:
    buckets = [bucket["Properties"] for bucket in assembly.resources("AWS::S3::Bucket")]
    [data] = [bucket for bucket in buckets if "NotificationConfiguration" in bucket]
    rules = data["LifecycleConfiguration"]["Rules"]

    for bucket in buckets:
        [encryption] = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        assert encryption["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
        assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert {r["Prefix"]: r["ExpirationInDays"] for r in rules if "ExpirationInDays" in r} == {
        "lake/_staged/": 7,
        "jobs/": 90,
        "captured_requests/": 90,
        "templates/": 7,
    }
    assert any("NoncurrentVersionExpiration" in rule for rule in rules)


def test_captured_requests_are_kept_as_long_as_was_chosen(oidc_assembly: Assembly) -> None:
    kept = {
        rule["Prefix"]: rule["ExpirationInDays"]
        for bucket in oidc_assembly.resources("AWS::S3::Bucket")
        for rule in bucket["Properties"]["LifecycleConfiguration"]["Rules"]
        if "ExpirationInDays" in rule
    }
    assert kept["captured_requests/"] == 30


def test_images_are_scanned_and_a_tag_is_never_moved(assembly: Assembly) -> None:
    [repository] = assembly.resources("AWS::ECR::Repository")

    assert repository["Properties"]["ImageScanningConfiguration"] == {"ScanOnPush": True}
    assert repository["Properties"]["ImageTagMutability"] == "IMMUTABLE"


def test_only_images_of_deployments_count_among_those_that_are_kept(assembly: Assembly) -> None:
    [repository] = assembly.resources("AWS::ECR::Repository")
    policy = json.loads(repository["Properties"]["LifecyclePolicy"]["LifecyclePolicyText"])
    counted = {rule["selection"]["countType"]: rule["selection"] for rule in policy["rules"]}

    assert counted["imageCountMoreThan"]["tagStatus"] == "tagged"
    assert counted["imageCountMoreThan"]["countNumber"] == 20
    assert counted["sinceImagePushed"]["tagStatus"] == "untagged"


def test_the_database_answers_dagster_only(assembly: Assembly) -> None:
    rules = assembly.resources("AWS::EC2::SecurityGroupIngress")
    to_database = [r["Properties"] for r in rules if r["Properties"]["FromPort"] == 5432]
    [database] = assembly.resources("AWS::RDS::DBInstance")

    assert database["Properties"]["DeletionProtection"]
    assert database["Properties"]["AutoMinorVersionUpgrade"]
    assert database["Properties"]["EngineVersion"] == "17"  # a minor one would be taken back
    assert len(to_database) == 2
    assert all("SourceSecurityGroupId" in rule for rule in to_database)
    assert not [rule for rule in rules if "CidrIp" in rule["Properties"]]


def test_services_of_other_accounts_cannot_write_into_the_logs_bucket(assembly: Assembly) -> None:
    deliveries = [
        statement
        for policy in assembly.resources("AWS::S3::BucketPolicy")
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]

    assert {str(statement["Principal"]["Service"]) for statement in deliveries} == {
        "delivery.logs.amazonaws.com",
        "logdelivery.elasticloadbalancing.amazonaws.com",
        "logging.s3.amazonaws.com",
    }
    for statement in deliveries:
        assert "aws:SourceAccount" in statement["Condition"]["StringEquals"]


@pytest.mark.parametrize(
    ("kind", "policy"),
    [
        # A creation that is rolled back leaves none: their names would be taken.
        ("AWS::S3::Bucket", ("RetainExceptOnCreate", "Delete")),
        ("AWS::ECR::Repository", ("RetainExceptOnCreate", "Delete")),
        ("AWS::RDS::DBInstance", ("Snapshot", "Delete")),
    ],
)
def test_data_is_kept_unless_the_context_says_otherwise(
    kind: str, policy: tuple[str, str], assembly: Assembly, oidc_assembly: Assembly
) -> None:
    kept, dropped = assembly.resources(kind), oidc_assembly.resources(kind)

    assert {resource["DeletionPolicy"] for resource in kept} == {policy[0]}
    assert {resource["DeletionPolicy"] for resource in dropped} == {policy[1]}


def _ranges(assembly: Assembly, kind: str) -> list[str]:
    return [resource["Properties"]["CidrBlock"] for resource in assembly.resources(kind)]


def _statements(assembly: Assembly) -> list[dict[str, Any]]:
    return [
        statement
        for policy in assembly.resources("AWS::IAM::Policy")
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


def _containers(assembly: Assembly) -> dict[str, dict[str, Any]]:
    return {
        container["Name"]: container
        for task in assembly.resources("AWS::ECS::TaskDefinition")
        for container in task["Properties"]["ContainerDefinitions"]
    }


def _many(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


@cache
def _service_authorization() -> dict[str, Any]:
    table = files("cfnlint") / "data" / "AdditionalSpecs" / "Policies.json"
    known: dict[str, Any] = json.loads(table.read_text())
    return known


def _resource_types(action: str) -> list[str]:
    """Kinds of resources that a policy can name for an action, by cfn-lint's copy of AWS' table."""
    service, _, name = action.lower().partition(":")
    known = _service_authorization()[service]["Actions"][name]
    return list(known.get("Resources", []))
