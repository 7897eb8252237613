"""`abalone rollback`: which version it goes back to, and that it does."""

from __future__ import annotations

import json
import shutil
from importlib import import_module
from typing import TYPE_CHECKING

import click
import duckdb
import pytest

from abalone_assets.cli import output
from abalone_assets.cli.run_progress import RunProgress
from abalone_assets.errors import EndpointError
from abalone_assets.local.driver_lock import driver_lock
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.serving.live_version import live_version
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.cli.support import abalone, abalone_json, work_in_compose
from abalone_assets_tests.serving.support import new_registry

if TYPE_CHECKING:
    from pathlib import Path

PROBE = ["M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15", 9.5]


@pytest.fixture
def registry(home: Path, monkeypatch: pytest.MonkeyPatch) -> FolderRegistry:
    """Versions 1, 2 and 4 are approved by the gate, 3 is rejected; 4 is live."""
    monkeypatch.setenv("USER", "ana")
    registry = new_registry(home)
    for number, approved in enumerate((True, True, False, True), start=1):
        registry.register(
            f"archive {number}".encode(),
            evaluation={"rmse": 2.0 + number / 10, "probes": [PROBE]},
            decision={"approved": approved, "reason": f"as measured in {number}."},
            release_digest=f"release-{number}",
        )
    publish_pointer(registry.store, "abalone", 4)
    return registry


def test_a_home_without_an_instance_gets_one(registry: FolderRegistry, home: Path) -> None:
    shutil.rmtree(home / "dagster")
    assert abalone_json("rollback", "--yes")["is_live"]


def rejected(registry: FolderRegistry) -> list[int]:
    return [each.version for each in registry.versions() if each.rejected_by_person]


def test_the_catalog_tells_of_it_whether_it_can_be_deployed_or_not(
    registry: FolderRegistry, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("abalone_assets.cli.rollback"), "_deploy", never)
    assert abalone("rollback", "--yes", "--because", "the scale was off").exit_code == 1
    asked = "select version, reason from model_decisions where decided_by = 'ana'"
    with duckdb.connect(str(home / "catalog.duckdb"), read_only=True) as connection:
        assert connection.execute(asked).fetchall() == [(4, "the scale was off")]
    assert rejected(registry) == [4]


def never(*_: object) -> None:
    raise EndpointError("no server")


def test_it_goes_back_one_good_version_at_a_time_and_deploys_it(registry: FolderRegistry) -> None:
    first = abalone_json("rollback", "--yes", "--because", "the scale was off")
    assert (first["from_version"], first["to_version"], first["is_live"]) == (4, 2, True)
    assert live_version(load_settings()) == 2
    assert registry.get(4).reason.endswith(": the scale was off.")
    second = abalone("rollback", "--yes")
    assert second.exit_code == 0, second.output
    assert "deploy: endpoint" in second.stdout
    said = "Version 2 is rejected, and version 1 answers when `"
    assert second.stdout.splitlines()[-1].startswith(said)
    assert live_version(load_settings()) == 1
    assert "rolled back to version 1" in registry.get(2).reason
    third = abalone("rollback", "--yes")
    assert third.exit_code == 1
    assert "version 1 is the only one that is approved" in third.stderr
    assert rejected(registry) == [2, 4]


def test_it_shows_both_versions_and_asks_before_it_changes_anything(
    registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = abalone("rollback")
    assert nobody.exit_code == 2
    assert "add --yes" in nobody.stderr
    monkeypatch.setattr(output, "is_terminal", lambda: True)
    no = abalone("rollback", text="n\n")
    assert no.exit_code == 1
    assert "Back from version 4, live: RMSE 2.400" in no.stdout
    assert "to version 2: RMSE 2.200" in no.stdout
    assert "Roll back? [y/N]" in no.stdout
    assert "Nothing was changed." in no.stdout
    assert rejected(registry) == []
    assert live_version(load_settings()) == 4
    yes = abalone("rollback", text="y\n")
    assert yes.exit_code == 0, yes.output
    assert live_version(load_settings()) == 2


def test_the_plan_says_the_gates_word_on_each_in_a_line(registry: FolderRegistry) -> None:
    long = "Approved: " + ", ".join(f"as measured on slice {number}" for number in range(30))
    for number in (5, 6):
        registry.register(
            f"archive {number}".encode(),
            evaluation={"rmse": 2.0 + number / 10, "probes": [PROBE], "rows": 400},
            decision={"approved": True, "reason": long, "rule": "first_model"},
            release_digest=f"release-{number}",
        )
    planned = abalone("rollback").stdout
    assert planned.count("Approved: held against no other, RMSE 2.") == 2
    assert "as measured on slice" not in planned


def test_beside_a_daemon_it_waits_for_the_sensors_deployment(
    registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = import_module("abalone_assets.cli.rollback")
    monkeypatch.setattr(
        command, "_serves", lambda *_: bool(publish_pointer(registry.store, "abalone", 2))
    )
    with driver_lock(load_settings(), "abalone dev"):
        result = abalone("rollback", "--yes")
    assert result.exit_code == 0, result.output
    assert "the sensors of `abalone dev` (process" in result.stdout
    assert "deploy: endpoint" not in result.stdout, "it leaves that to them"


def test_a_deployment_that_does_not_come_is_told_and_has_an_exit_code_of_its_own(
    registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("abalone_assets.cli.rollback"), "FOLLOW_SECONDS", 0.0)
    with driver_lock(load_settings(), "abalone dev"):
        result = abalone("rollback", "--yes")
    assert result.exit_code == 3
    assert "version 2 is not live yet: `abalone dev` (process" in result.stdout
    assert rejected(registry) == [4]


def approve_another(registry: FolderRegistry) -> None:
    """What a release does that was in flight: version 5."""
    registry.register(
        b"archive 5",
        evaluation={"rmse": 1.9, "probes": [PROBE]},
        decision={"approved": True, "reason": "as measured in 5."},
        release_digest="release-5",
    )


def test_a_version_approved_while_it_asks_is_not_gone_back_behind(
    registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def think(*_: object, **__: object) -> bool:
        approve_another(registry)
        return True

    monkeypatch.setattr(output, "is_terminal", lambda: True)
    monkeypatch.setattr(click, "confirm", think)
    result = abalone("rollback")
    assert result.exit_code == 1
    assert "nothing was changed: version 5 is to be live now, no longer version 4" in result.stderr
    assert rejected(registry) == []
    assert live_version(load_settings()) == 4


def test_a_version_approved_while_it_waits_for_the_sensors_ends_the_waiting(
    registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = import_module("abalone_assets.cli.rollback")
    looks: list[int] = []

    def look(*_: object) -> bool:
        approve_another(registry)
        looks.append(len(looks))
        return False

    monkeypatch.setattr(command, "_serves", look)
    monkeypatch.setattr(command, "FOLLOW_SECONDS", 5.0)
    with driver_lock(load_settings(), "abalone dev"):
        result = abalone("rollback", "--yes")
    assert result.exit_code == 3
    assert len(looks) == 1
    assert "version 2 does not go live: version 5 was approved meanwhile" in result.stdout
    assert "deploys it" not in result.stdout


def test_a_version_approved_before_it_deploys_is_what_it_deploys(
    registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = import_module("abalone_assets.cli.catalog")
    monkeypatch.setattr(catalog, "refresh_or_warn", lambda *_: approve_another(registry))
    result = abalone("rollback", "--yes", "--json")
    assert result.exit_code == 3
    told = json.loads(result.stdout)
    assert (told["from_version"], told["to_version"], told["is_live"]) == (4, 2, False)
    assert told["state"].startswith("does not go live: version 5 was approved meanwhile")
    assert live_version(load_settings()) == 5


def test_a_version_that_cannot_be_deployed_is_not_gone_back_to(
    registry: FolderRegistry,
) -> None:
    registry.store.write(registry.get(2).model_key, b"altered")
    result = abalone("rollback", "--yes")
    assert result.exit_code == 1
    assert "SHA-256" in result.stderr
    assert rejected(registry) == []


def test_without_an_approved_version_there_is_nothing_to_go_back_from(home: Path) -> None:
    result = abalone("rollback", "--yes")
    assert result.exit_code == 1
    assert "no version is approved" in result.stderr


def test_on_aws_the_sensor_deploys(registry: FolderRegistry) -> None:
    command = import_module("abalone_assets.cli.rollback")
    settings = load_settings().model_copy(update={"profile": "aws"})
    show = RunProgress(output.console())
    registry.reject(4, because="the scale was off", by="ana")
    done = command._deploy(settings, registry, registry.get(2), show)
    assert (done.is_live, done.exit_code) == (False, 0)
    assert "approval_sensor within 5 seconds" in done.state
    assert live_version(load_settings()) == 4
    approve_another(registry)
    done = command._deploy(settings, registry, registry.get(2), show)
    assert done.state.startswith("does not go live: version 5 was approved meanwhile")
    assert done.exit_code == 3


def test_in_compose_the_sensor_deploys_and_no_second_dagster_is_made(
    registry: FolderRegistry, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work_in_compose(home, monkeypatch)
    result = abalone("rollback", "--yes")
    assert result.exit_code == 0, result.output
    assert "version 2 is deployed by approval_sensor within 5 seconds" in result.stdout
    assert rejected(registry) == [4]
    assert live_version(load_settings()) == 4
    assert not (home / "dagster").exists()
    approved = abalone_json("approve", "1", "--because", "the good one")
    assert approved["next"].startswith("approval_sensor launches the deployment of version 1")
