"""How stacks are brought up when CloudFormation has something to object to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend

from abalone_assets.aws.clients import client
from abalone_assets_tests.deploy.cloudformation_models import page_events
from abalone_assets_tests.deploy.support import write_assembly
from deploy.cloudformation import URL_LIMIT, Stacks, Template, read_assembly
from deploy.config import DeployConfig, DeployError
from deploy.deploy import Deployer, main
from deploy.protections import lift_protections

if TYPE_CHECKING:
    from abalone_assets_tests.fakes.standin import AwsStandIn


def template(**queues: str) -> Template:
    """A stack of queues: names by logical id."""
    resources = {
        logical: {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}
        for logical, name in queues.items()
    }
    outputs = {logical: {"Value": {"Ref": logical}} for logical in queues}
    return Template("stack", json.dumps({"Resources": resources, "Outputs": outputs}))


DATABASE = {
    "Type": "AWS::RDS::DBInstance",
    "Properties": {
        "DBInstanceIdentifier": "db",
        "DBInstanceClass": "db.t4g.micro",
        "Engine": "postgres",
        "AllocatedStorage": "20",
        "MasterUsername": "dagster",
        "MasterUserPassword": "password",
    },
}


def queue_names() -> set[str]:
    urls = client("sqs").list_queues().get("QueueUrls", [])
    return {url.rpartition("/")[2] for url in urls}


def test_a_stack_is_created_updated_and_deleted_and_its_events_are_told(
    stacks: Stacks, told: list[str]
) -> None:
    assert stacks.status("stack") is None
    assert stacks.deploy(template(One="one"))
    assert stacks.deploy(template(One="one", Two="two"))
    assert stacks.status("stack") == "UPDATE_COMPLETE"
    assert set(stacks.outputs("stack")) == {"One", "Two"}
    assert queue_names() == {"one", "two"}

    stacks.delete("stack")

    assert stacks.status("stack") is None
    assert queue_names() == set()
    assert [line.split()[2] for line in told if line.startswith("stack: stack ")] == [
        "CREATE_IN_PROGRESS",
        "CREATE_COMPLETE",
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE",
        "DELETE_IN_PROGRESS",
        "DELETE_COMPLETE",
    ]


def test_a_stack_that_is_up_to_date_is_left_alone(
    stacks: Stacks, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stacks.deploy(template(One="one"))

    def unchanged(*_: Any, **__: Any) -> None:
        raise ValidationError(message="No updates are to be performed.")

    monkeypatch.setattr(CloudFormationBackend, "update_stack", unchanged)

    assert not stacks.deploy(template(One="one"))
    assert told[-1] == "stack: no changes"


def test_a_refused_template_is_told_in_one_error(aws: AwsStandIn, stacks: Stacks) -> None:
    aws.faults.refuse("CreateStack", "ValidationError", "Template format error: no resources")

    with pytest.raises(DeployError, match="stack stack: CreateStack failed: Template format error"):
        stacks.deploy(template(One="one"))


def _fail_creations(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let stacks be rolled back as CloudFormation does, the second of two reasons a consequence."""
    create = CloudFormationBackend.create_stack

    def create_in_vain(self: Any, *arguments: Any, **named: Any) -> Any:
        stack = create(self, *arguments, **named)
        for logical, reason in (("One", "quota exceeded"), ("Two", "Resource creation cancelled")):
            stack._add_stack_event("CREATE_FAILED", resource_status_reason=reason)
            stack.events[-1].logical_resource_id = logical
        stack._add_stack_event("ROLLBACK_COMPLETE")
        stack.status = "ROLLBACK_COMPLETE"
        return stack

    monkeypatch.setattr(CloudFormationBackend, "create_stack", create_in_vain)


def test_a_failed_creation_is_told_with_its_first_reason(
    stacks: Stacks, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_creations(monkeypatch)

    with pytest.raises(DeployError, match="stack stack: ROLLBACK_COMPLETE: One: quota exceeded"):
        stacks.deploy(template(One="one"))

    assert "stack: One CREATE_FAILED (quota exceeded)" in told


def _fail_at_length(monkeypatch: pytest.MonkeyPatch, operation: str, status: str) -> None:
    """Let an operation fail for one reason, with pages of events after it, further failures too."""
    perform = getattr(CloudFormationBackend, operation)

    def in_vain(self: Any, *arguments: Any, **named: Any) -> Any:
        stack = perform(self, *arguments, **named)
        for logical, reason in (
            ("Zero", "Resource update cancelled"),
            ("One", "quota exceeded"),
            *((f"R{number}", "Resource creation cancelled") for number in range(250)),
            ("Last", "it is in use"),
        ):
            stack._add_stack_event("UPDATE_FAILED", resource_status_reason=reason)
            stack.events[-1].logical_resource_id = logical
        stack._add_stack_event(status)
        stack.status = status
        return stack

    monkeypatch.setattr(CloudFormationBackend, operation, in_vain)


def test_the_first_reason_is_found_behind_pages_of_later_events(
    stacks: Stacks, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page_events(monkeypatch)
    _fail_at_length(monkeypatch, "create_stack", "ROLLBACK_COMPLETE")

    with pytest.raises(DeployError, match="stack stack: ROLLBACK_COMPLETE: One: quota exceeded"):
        stacks.deploy(template(One="one"))

    events = [line.split()[1] for line in told if line.startswith("stack: ")]
    assert events[-254:] == [
        "Zero",
        "One",
        *(f"R{number}" for number in range(250)),
        "Last",
        "stack",
    ]
    assert len(set(events)) == len(events) - 2, "each once, but those of the stack itself"


def test_what_failed_in_an_earlier_update_is_not_told_of_a_later_one(
    stacks: Stacks, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    page_events(monkeypatch)
    stacks.deploy(template(One="one"))
    with monkeypatch.context() as patch:
        _fail_at_length(patch, "update_stack", "UPDATE_ROLLBACK_COMPLETE")
        with pytest.raises(DeployError, match="One: quota exceeded"):
            stacks.deploy(template(One="one", Two="two"))
    told.clear()

    assert stacks.deploy(template(One="one", Two="two", Three="three"))

    assert [line.split()[2] for line in told] == ["UPDATE_IN_PROGRESS", "UPDATE_COMPLETE"]


def test_a_stack_whose_creation_failed_is_made_anew_though_its_database_was_protected(
    stacks: Stacks, told: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployer = Deployer(DeployConfig(), stacks, client, told.append)
    assembly = write_assembly(tmp_path, "stack", json.dumps({"Resources": {"One": DATABASE}}))
    with monkeypatch.context() as patch:
        _fail_creations(patch)
        with pytest.raises(DeployError):
            deployer.deploy(assembly)
    client("rds").modify_db_instance(DBInstanceIdentifier="db", DeletionProtection=True)

    deployer.deploy(assembly)

    assert stacks.status("stack") == "CREATE_COMPLETE"
    assert "stack: it was never finished; deleting what is left of it" in told


def test_a_database_that_is_gone_needs_no_protection_lifted(stacks: Stacks) -> None:
    stacks.deploy(Template("stack", json.dumps({"Resources": {"One": DATABASE}})))
    client("rds").delete_db_instance(DBInstanceIdentifier="db", SkipFinalSnapshot=True)

    lift_protections("stack", stacks, client)


def test_a_folder_without_an_assembly_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DeployError, match="no cloud assembly; run `make synth`"):
        read_assembly(tmp_path)


def test_a_template_too_large_for_cloudformation_is_refused_before_anything_is_deployed(
    tmp_path: Path,
) -> None:
    assembly = write_assembly(tmp_path, "big", json.dumps({"Description": "x" * URL_LIMIT}))

    with pytest.raises(DeployError, match="stack big: its template exceeds 1000000 bytes; split"):
        read_assembly(assembly)


def test_expired_credentials_are_one_clear_line(aws: AwsStandIn, tmp_path: Path) -> None:
    write_assembly(tmp_path, "abalone-data", template(One="one").body)
    aws.faults.expire_credentials()

    done = CliRunner().invoke(main, ["--assembly", str(tmp_path)])

    assert done.exit_code == 1
    assert "the AWS credentials have expired" in done.output
    assert "Traceback" not in done.output
