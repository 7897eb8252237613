"""What companies require of the stacks: off by default, and each with just the rights it needs."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.aws.clients import client
from abalone_assets_tests.deploy.iam import ROLES, policy_of, role_policy
from abalone_assets_tests.deploy.support import EARLIER_KEY, KEY, SECURITY_GROUP, SUBNETS
from abalone_assets_tests.fakes.places import ACCOUNT, REGION
from abalone_assets_tests.fakes.policies import Need, Policy
from deploy.cloudformation import Template
from deploy.config import DeployConfig, DeployError
from deploy.deploy import Deployer, looked_up

if TYPE_CHECKING:
    from abalone_assets_tests.deploy.support import Assembly
    from abalone_assets_tests.fakes.standin import AwsStandIn
    from deploy.cloudformation import Stacks

pytestmark = pytest.mark.xdist_group("cdk")
EC2 = f"arn:aws:ec2:{REGION}:{ACCOUNT}"
ENDPOINT = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:endpoint"
INSIDE = (("ec2:Subnet", f"{EC2}:subnet/{SUBNETS[0]}"),)
ELSEWHERE = (("ec2:Subnet", f"{EC2}:subnet/subnet-0ddddddd"),)
GRANT = Need("kms:CreateGrant", KEY, (("kms:GrantIsForAWSResource", "true"),))
SCALE = Need(
    "application-autoscaling:RegisterScalableTarget",
    f"arn:aws:application-autoscaling:{REGION}:{ACCOUNT}:scalable-target/0123",
    (
        ("application-autoscaling:service-namespace", "sagemaker"),
        ("application-autoscaling:scalable-dimension", "sagemaker:variant:DesiredInstanceCount"),
    ),
)


def policy(assembly: Assembly, role: str) -> Policy:
    stack, name = ROLES[role]
    return role_policy(assembly.templates[stack], name)


KEY_USES: dict[str, set[str]] = {
    "run": {"Decrypt", "GenerateDataKey", "DescribeKey", "CreateGrant"},
    "sagemaker": {"Decrypt", "Encrypt", "GenerateDataKey", "DescribeKey", "CreateGrant"},
    "glue": {"Decrypt", "GenerateDataKey"},
    "crawler": {"Decrypt"},
    "daemon": set(),
    "web": set(),
}


@pytest.mark.parametrize("role", KEY_USES)
def test_who_reads_and_writes_the_data_may_use_the_one_key(
    company_assembly: Assembly, role: str
) -> None:
    granted = policy(company_assembly, role)
    context = GRANT.context

    assert {a.removeprefix("kms:") for a in granted.actions() if a.startswith("kms:")} == (
        KEY_USES[role]
    )
    for action in KEY_USES[role]:
        assert granted.allows(Need(f"kms:{action}", KEY, context))
        assert not granted.allows(Need(f"kms:{action}", f"{KEY[:-1]}0", context))
    assert not granted.allows(Need("kms:CreateGrant", KEY)), "for AWS's services only"
    assert not [a for a in policy_of(role).actions() if a.startswith("kms:")]


@pytest.mark.parametrize("role", KEY_USES)
def test_an_earlier_key_still_opens_the_data_and_serves_the_endpoint_that_has_it(
    company_assembly: Assembly, role: str
) -> None:
    granted, uses = policy(company_assembly, role), KEY_USES[role]
    kept = uses if role == "sagemaker" else uses & {"Decrypt", "CreateGrant"}

    for action in KEY_USES["sagemaker"]:
        need = Need(f"kms:{action}", EARLIER_KEY, GRANT.context)
        assert granted.allows(need) == (action in kept), action


@pytest.mark.parametrize(
    ("has", "chosen", "earlier"),
    [(EARLIER_KEY, KEY, ""), (KEY, "", ""), (KEY, "", EARLIER_KEY)],
)
def test_a_key_that_would_close_the_data_to_the_platform_is_refused(
    has: str, chosen: str, earlier: str, stacks: Stacks, tmp_path: Path
) -> None:
    told = re.escape(f"kms_key_arn={chosen!r}: the bucket abalone-data-1 is encrypted with {has},")

    with pytest.raises(DeployError, match=f"{told}.*name it in earlier_kms_key_arns"):
        with_bucket(stacks, has, chosen, earlier).deploy(tmp_path)

    assert client("logs").describe_log_groups()["logGroups"] == [], "nothing was done before"


@pytest.mark.parametrize(
    ("has", "chosen", "earlier"),
    [
        ("", "", ""),
        ("", KEY, ""),
        (KEY, KEY, ""),
        (EARLIER_KEY, KEY, EARLIER_KEY),
        (KEY, "", f"{EARLIER_KEY}, {KEY}"),
    ],
)
def test_a_key_may_follow_one_that_stays_named(
    has: str, chosen: str, earlier: str, stacks: Stacks
) -> None:
    with_bucket(stacks, has, chosen, earlier).require_key()


def with_bucket(stacks: Stacks, key: str, chosen: str, earlier: str) -> Deployer:
    """What deploys other keys where the data bucket has one, or S3's own."""
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}
    rule = {"ServerSideEncryptionByDefault": default if key else {"SSEAlgorithm": "AES256"}}
    properties = {
        "BucketName": "abalone-data-1",
        "BucketEncryption": {"ServerSideEncryptionConfiguration": [rule]},
    }
    bucket = {"Type": "AWS::S3::Bucket", "Properties": properties}
    stacks.deploy(Template("abalone-data", json.dumps({"Resources": {"Data": bucket}})))
    context = {"settings": {"kms_key_arn": chosen}, "earlier_kms_key_arns": earlier}
    return Deployer(DeployConfig.from_context(context), stacks, client, lambda _: None)


@pytest.mark.parametrize("role", ["sagemaker", "glue", "crawler"])
def test_interfaces_are_made_in_the_given_subnets_with_the_given_groups_only(
    company_assembly: Assembly, role: str
) -> None:
    granted, interface = policy(company_assembly, role), f"{EC2}:network-interface/eni-1"
    allowed = [f"{EC2}:subnet/{each}" for each in SUBNETS]
    allowed.append(f"{EC2}:security-group/{SECURITY_GROUP}")

    for resource in allowed:
        assert granted.allows(Need("ec2:CreateNetworkInterface", resource))
    for action in ("ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"):
        assert granted.allows(Need(action, interface, INSIDE))
        assert not granted.allows(Need(action, interface, ELSEWHERE))
        assert not granted.allows(Need(action, f"{EC2}:subnet/subnet-0ddddddd"))
    assert not [a for a in policy_of(role).actions() if a.startswith("ec2:")]


def test_sagemaker_hands_its_interfaces_to_the_instances(company_assembly: Assembly) -> None:
    interface = f"{EC2}:network-interface/eni-1"
    for action in ("CreateNetworkInterfacePermission", "DeleteNetworkInterfacePermission"):
        need = Need(f"ec2:{action}", interface, INSIDE)
        assert policy(company_assembly, "sagemaker").allows(need)
        assert not policy(company_assembly, "glue").allows(need)


def test_glues_job_and_crawler_run_in_the_network(company_assembly: Assembly) -> None:
    [connection] = company_assembly.resources("AWS::Glue::Connection")
    [job] = company_assembly.resources("AWS::Glue::Job")
    [crawler] = company_assembly.resources("AWS::Glue::Crawler")
    place = connection["Properties"]["ConnectionInput"]["PhysicalConnectionRequirements"]

    assert place["SubnetId"] == SUBNETS[0]
    assert place["SecurityGroupIdList"] == [SECURITY_GROUP]
    [used] = job["Properties"]["Connections"]["Connections"]
    [target] = crawler["Properties"]["Targets"]["S3Targets"]
    assert used == target["ConnectionName"]
    name = f"arn:aws:glue:{REGION}:{ACCOUNT}:connection/abalone-company-network"
    for role in ("glue", "crawler"):
        assert policy(company_assembly, role).allows(Need("glue:GetConnection", name))


def test_the_data_bucket_has_the_key_and_the_logs_bucket_what_s3_can_write_to(
    company_assembly: Assembly,
) -> None:
    encryption = {
        bucket["Properties"]["BucketName"]["Fn::Join"][1][0]: rule
        for bucket in company_assembly.resources("AWS::S3::Bucket")
        for rule in bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    }
    data = encryption["abalone-company-data-"]
    assert data["ServerSideEncryptionByDefault"] == {
        "SSEAlgorithm": "aws:kms",
        "KMSMasterKeyID": KEY,
    }
    assert data["BucketKeyEnabled"]
    logs = encryption["abalone-company-logs-"]["ServerSideEncryptionByDefault"]
    assert logs == {"SSEAlgorithm": "AES256"}


def test_a_budget_tells_before_and_when_it_is_spent(
    assembly: Assembly, company_assembly: Assembly
) -> None:
    [budget] = company_assembly.resources("AWS::Budgets::Budget")
    told = budget["Properties"]["NotificationsWithSubscribers"]

    assert budget["Properties"]["Budget"]["BudgetLimit"] == {"Amount": 300, "Unit": "USD"}
    kind = [budget["Properties"]["Budget"][name] for name in ("BudgetType", "TimeUnit")]
    assert kind == ["COST", "MONTHLY"]
    assert [
        (each["Notification"]["NotificationType"], each["Notification"]["Threshold"])
        for each in told
    ] == [("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100)]
    assert {each["Subscribers"][0]["Address"] for each in told} == {"platform@example.com"}
    assert not assembly.resources("AWS::Budgets::Budget")


def test_only_a_scaled_endpoints_runs_may_scale_and_any_may_end_it(
    company_assembly: Assembly, serverless_assembly: Assembly
) -> None:
    scaled, serverless = (policy(each, "run") for each in (company_assembly, serverless_assembly))
    alarms = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:TargetTracking-endpoint"
    end = Need(SCALE.action.replace("Register", "Deregister"), SCALE.resource, SCALE.context)

    assert scaled.allows(SCALE)
    assert not scaled.allows(Need(SCALE.action, SCALE.resource))
    mine = f"{alarms}/abalone-company/variant/AllTraffic-AlarmHigh-1"
    assert scaled.allows(Need("cloudwatch:PutMetricAlarm", mine))
    assert not scaled.allows(Need("cloudwatch:PutMetricAlarm", f"{alarms}/other/variant/x"))
    for granted in (serverless, policy_of("run")):
        assert not granted.allows(SCALE)
        assert granted.allows(end)


def test_only_a_serverless_endpoint_has_a_candidate(
    company_assembly: Assembly, serverless_assembly: Assembly
) -> None:
    need = Need("sagemaker:CreateEndpoint", f"{ENDPOINT}/abalone-small-candidate")

    assert policy(serverless_assembly, "run").allows(need)
    need = Need("sagemaker:CreateEndpoint", f"{ENDPOINT}/abalone-company-candidate")
    assert not policy(company_assembly, "run").allows(need)


def test_glue_sends_no_metrics_that_are_billed(assembly: Assembly) -> None:
    [job] = assembly.resources("AWS::Glue::Job")
    assert not [name for name in job["Properties"]["DefaultArguments"] if "metrics" in name]
    assert "cloudwatch:PutMetricData" not in policy_of("glue").actions()


def test_the_cost_page_counts_the_alarms(assembly: Assembly) -> None:
    page = (Path(__file__).parents[2] / "docs" / "cost.md").read_text()
    [count] = re.findall(r"^\| alarms.* \| (\d+) \N{MULTIPLICATION SIGN} 0.10", page, re.MULTILINE)
    assert len(assembly.resources("AWS::CloudWatch::Alarm")) == int(count)


def test_deploy_looks_up_the_zone_that_glue_asks_for(aws: AwsStandIn, stacks: Stacks) -> None:
    subnet = client("ec2").describe_subnets()["Subnets"][0]
    chosen = {"subnets": subnet["SubnetId"], "security_groups": SECURITY_GROUP}

    found = looked_up({"settings": chosen}, stacks, client)

    assert found["glue_availability_zone"] == subnet["AvailabilityZone"]
    missing = chosen | {"subnets": SUBNETS[0]}
    with pytest.raises(DeployError, match=f"subnet {SUBNETS[0]}: DescribeSubnets failed"):
        looked_up({"settings": missing}, stacks, client)


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"budget_usd": "300"}, "budget_usd and budget_email go together"),
        ({"budget_usd": "300", "budget_email": "nobody"}, "expected an e-mail address"),
        ({"settings": {"subnets": SUBNETS[0]}}, "SECURITY_GROUPS go together"),
        ({"settings": {"kms_key_arn": "alias/x"}}, "settings: kms_key_arn"),
        ({"earlier_kms_key_arns": f"{KEY}, alias/x"}, "earlier_kms_key_arns='alias/x': expected"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(context: dict[str, Any], message: str) -> None:
    with pytest.raises(DeployError, match=message):
        DeployConfig.from_context(json.loads(json.dumps(context)))
