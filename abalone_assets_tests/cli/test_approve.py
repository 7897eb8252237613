"""`abalone approve` and `abalone reject`."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import duckdb
import pytest

from abalone_assets.local.driver_lock import driver_lock
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.cli.support import abalone, abalone_json, environment
from abalone_assets_tests.serving.support import new_registry

if TYPE_CHECKING:
    from pathlib import Path

WHY = ("--because", "the new scale was checked")


@pytest.fixture
def registry(home: Path, monkeypatch: pytest.MonkeyPatch) -> FolderRegistry:
    """Version 1 is approved and deployed, version 2 rejected."""
    monkeypatch.setenv("USER", "ana")
    registry = new_registry(home)
    for approved in (True, False):
        word = "Approved" if approved else "Rejected"
        registry.register(
            word.encode(),
            evaluation={"rmse": 2.1},
            decision={"approved": approved, "reason": f"{word}: as measured."},
            release_digest="release-1",
        )
    publish_pointer(registry.store, "abalone", 1)
    return registry


def told(*arguments: str) -> str:
    """What a command that succeeds says."""
    result = abalone(*arguments)
    assert result.exit_code == 0, result.output
    return " ".join(result.stdout.split())


def test_an_approval_is_kept_with_who_and_why(registry: FolderRegistry) -> None:
    document = abalone_json("approve", "2", *WHY)
    (override,) = document["overrides"]
    assert (override["by"], override["because"]) == ("ana", "the new scale was checked")
    assert (document["approved"], document["changed"]) == (True, True)
    assert (document["desired_version"], document["live_version"]) == (2, 1)
    desired = registry.desired_version()
    assert desired is not None
    assert desired.status == "approved by ana"


def test_the_catalog_tells_of_it_at_once(registry: FolderRegistry, home: Path) -> None:
    said = abalone("reject", "1", "--because", "a broken scale")
    assert said.stderr == ""
    asked = "select decided_by, reason from model_decisions where version = 1 and holds"
    with duckdb.connect(str(home / "catalog.duckdb"), read_only=True) as connection:
        assert connection.execute(asked).fetchall() == [("ana", "a broken scale")]
    assert registry.get(1).rejected_by_person


def test_a_catalog_that_refuses_takes_back_no_decision(
    registry: FolderRegistry, home: Path
) -> None:
    (home / "catalog.duckdb" / "file").mkdir(parents=True)
    said = abalone("approve", "2", *WHY)
    assert said.exit_code == 0
    assert "outdated until its next refresh" in " ".join(said.stderr.split())
    assert registry.get(2).approved


def test_without_a_daemon_it_says_how_to_deploy(registry: FolderRegistry) -> None:
    assert "Next: `abalone dev` deploys version 2" in told("approve", "2", *WHY)


def test_with_one_it_says_when_it_is_deployed(registry: FolderRegistry) -> None:
    with driver_lock(load_settings(), "abalone dev"):
        said = told("approve", "2", *WHY)
    assert (
        "approval_sensor launches the deployment of version 2 within 5 seconds, or when the runs"
        " that deploy now have ended"
    ) in said


def test_a_second_approval_changes_nothing_and_says_so(registry: FolderRegistry) -> None:
    told("approve", "2", *WHY)
    assert told("approve", "2", "--because", "again").startswith("Version 2, as before. Approved")
    assert not abalone_json("approve", "2", "--because", "again")["changed"]
    assert len(registry.get(2).overrides) == 1


def test_what_is_live_already_needs_nothing(registry: FolderRegistry) -> None:
    assert told("approve", "1", *WHY).endswith("Next: nothing to do: version 1 is live.")
    assert told("reject", "2", *WHY).endswith("Next: nothing to do: version 1 is live.")


def test_a_rejection_makes_the_version_before_the_desired_one(registry: FolderRegistry) -> None:
    told("approve", "2", *WHY)
    publish_pointer(registry.store, "abalone", 2)
    document = abalone_json("reject", "2", "--because", "a slip")
    assert (document["desired_version"], document["live_version"]) == (1, 2)
    assert [each["because"] for each in document["overrides"]] == [WHY[1], "a slip"]


def test_the_rejection_of_the_only_approved_version_warns(registry: FolderRegistry) -> None:
    said = told("reject", "1", "--because", "broken scale")
    assert "Version 1. Rejected by ana" in said
    assert (
        "Warning: no version is approved now: the endpoint keeps serving version 1 until another"
        " is approved, but it is no champion any more: the gate judges the next model by its own"
        " numbers alone."
    ) in said


def test_what_the_gate_approved_is_left_to_its_release(registry: FolderRegistry) -> None:
    registry.register(
        b"three",
        evaluation={},
        decision={"approved": True},
        release_digest="release-2",
    )
    assert "version 3, approved by the gate, is its release's to deploy" in told(
        "reject", "2", *WHY
    )


def test_an_unknown_version_is_an_error_that_lists_those_there_are(
    registry: FolderRegistry,
) -> None:
    result = abalone("approve", "7", *WHY)
    assert result.exit_code == 1
    assert "no model version 7; there are: 1 (approved by the gate), 2 (rejected by the gate)" in (
        result.stderr
    )


@pytest.mark.usefixtures("home")
def test_an_empty_registry_has_nothing_to_decide_on() -> None:
    assert "no model version 1; there are: none yet" in abalone("reject", "1", *WHY).stderr


@pytest.mark.parametrize(
    "arguments", [["2"], ["2", "--because", " "], [*WHY], ["0", *WHY], ["two", *WHY]]
)
def test_a_version_and_a_reason_are_required(
    registry: FolderRegistry, arguments: list[str]
) -> None:
    for command in ("approve", "reject"):
        assert abalone(command, *arguments).exit_code == 2
    assert registry.get(2).overrides == ()


def test_a_user_without_a_name_can_decide(
    registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> str:
        raise KeyError("no entry in the password database")

    monkeypatch.delenv("USER")
    monkeypatch.setattr("getpass.getuser", nobody)
    (override,) = abalone_json("approve", "2", *WHY)["overrides"]
    assert override["by"].startswith("user ")


def test_a_decision_imports_no_dagster(registry: FolderRegistry, home: Path) -> None:
    program = (
        "import sys\n"
        "from abalone_assets.cli.approve import approve\n"
        "approve(sys.argv[1:], standalone_mode=False)\n"
        "print('dagster' in sys.modules)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", program, "2", *WHY],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.stdout.splitlines()[-1] == "False", result.stderr
    assert registry.get(2).approved


def test_status_tells_what_people_decided(registry: FolderRegistry) -> None:
    before = abalone_json("status")
    assert before["live"]["standing"] == "approved by the gate"
    assert before["approvals"]["overrides"] == []
    assert before["approvals"]["last_decision"]["because"] == "Rejected: as measured."
    told("approve", "2", *WHY)

    approvals: dict[str, Any] = abalone_json("status")["approvals"]
    assert approvals["desired_version"] == 2
    assert [each["version"] for each in approvals["overrides"]] == [2]
    assert (approvals["last_decision"]["by"], approvals["last_decision"]["approved"]) == (
        "ana",
        True,
    )
    shown = " ".join(abalone("status").output.split())
    assert "People want version 2 live: version 2 approved by ana at" in shown
    assert "Last decision" not in shown, "the same once more"
    assert "Pending the deployment of version 2" in shown
    assert "Decided by people" in shown
    assert "the new scale was checked" in shown


def test_status_tells_which_decision_brought_the_live_version_back(
    registry: FolderRegistry,
) -> None:
    assert abalone_json("status")["approvals"]["decided_by"] is None
    assert "People want" not in abalone("status").output
    told("approve", "2", *WHY)
    told("reject", "2", "--because", "a slip")
    decided_by = abalone_json("status")["approvals"]["decided_by"]
    assert decided_by["version"] == 2
    assert (decided_by["approved"], decided_by["because"]) == (False, "a slip")
    shown = " ".join(abalone("status").output.split())
    assert "People want version 1 live: version 2 rejected by ana at" in shown
