"""`abalone gc`, and the schedule that does the same."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from abalone_assets.automation import old_runs
from abalone_assets.automation.runs import GC_JOB
from abalone_assets.defs.retention import retention_schedule
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.automation.support import files_below, ingest, name_of
from abalone_assets_tests.cli.support import abalone, abalone_json, see_as_next_year, watched_stderr
from abalone_assets_tests.registry.support import add
from abalone_assets_tests.support.instance import make_dagster_home
from abalone_assets_tests.support.platform import Platform, survey_rows


@pytest.fixture
def tired(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """A home of four versions and three runs, seen as it will be in a year."""
    monkeypatch.setenv("ABALONE_KEEP_VERSIONS", "2")
    monkeypatch.setattr(old_runs, "KEPT_OF_JOB", 1)
    see_as_next_year(monkeypatch)
    registry = FolderRegistry(ObjectStore(platform.home / "registry"))
    for number in range(1, 5):
        add(registry, f"m{number}")
    publish_pointer(registry.store, "abalone", 4)
    for seed, day in enumerate(("2025-03-03", "2025-03-04", "2025-03-05")):
        platform.land(name_of(day), survey_rows(3, seed=seed))
        assert ingest(platform) == [True]
    return platform


def counts(document: dict[str, Any]) -> dict[str, int]:
    return {row["kind"]: row["count"] for row in document["kinds"] if row["count"]}


EXPECTED = {"model archives in the registry": 2, "runs in Dagster's database": 2}


def test_it_says_what_would_go_and_removes_nothing_until_it_is_told_to(tired: Platform) -> None:
    before = files_below(tired.home / "registry") | files_below(tired.home / "lake")

    told = abalone_json("gc")

    assert not told["removed"]
    assert counts(told) == EXPECTED
    assert files_below(tired.home / "registry") | files_below(tired.home / "lake") == before
    assert len(tired.instance.get_runs()) == 3

    done = abalone_json("gc", "--yes")

    assert done["removed"]
    assert counts(done) == EXPECTED
    assert len(tired.instance.get_runs()) == 1
    left = {path.parent.name for path in tired.home.rglob("versions/*/model.tar.gz")}
    assert left == {"000003", "000004"}
    assert counts(abalone_json("gc")) == {}


def test_people_read_sizes_names_and_reasons(tired: Platform) -> None:
    text = abalone("gc", "--verbose").output

    assert "would be freed: 4 things. Do it: --yes" in " ".join(text.split())
    assert "would go: 1" in text
    assert f"would go: {tired.instance.get_runs()[-1].run_id}" in text
    assert "1 stay: the version that should be live" in text
    assert "Freed" in abalone("gc", "--yes").output
    assert "Nothing is older than the settings keep." in abalone("gc").output


def test_without_an_instance_the_stores_are_looked_at_alone(
    tired: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tired.home / "dagster" / "dagster.yaml").unlink()
    monkeypatch.delenv("DAGSTER_HOME")

    result = abalone("gc")

    assert "Dagster's runs were not looked at" in result.output
    assert not abalone_json("gc")["runs_seen"]


@pytest.mark.usefixtures("tired")
def test_a_dagster_home_elsewhere_wins_over_what_is_left_in_the_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = tmp_path / "moved"
    monkeypatch.setenv("DAGSTER_HOME", str(moved))
    nowhere = abalone("gc", "--yes")
    make_dagster_home(moved)

    told = abalone_json("gc")
    restored = abalone_json("restore")

    assert nowhere.exit_code == 1
    assert "DAGSTER_HOME names no folder" in nowhere.stderr
    assert told["instance"] == restored["instance"] == str(moved)
    assert "runs in Dagster's database" not in counts(told)
    assert restored["materializations"]["new_surveys"] == 3
    assert str(moved) in abalone("gc").output.replace("\n", "")
    assert str(moved) in abalone("restore").output.replace("\n", "")


@dg.asset
def theirs() -> None:
    """An asset of another project."""


def run_another_project(instance: dg.DagsterInstance, runs: int = 3) -> set[str]:
    return {dg.materialize([theirs], instance=instance).run_id for _ in range(runs)}


def test_an_instance_elsewhere_that_is_another_projects_alone_is_refused(
    tired: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_dagster_home(tmp_path / "theirs")
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "theirs"))
    with dg.DagsterInstance.get() as instance:
        runs = run_another_project(instance)

    for command in (("gc",), ("gc", "--yes"), ("restore", "--dry-run"), ("restore",)):
        result = abalone(*command)

        assert result.exit_code == 1
        assert result.stderr.startswith(f"Error: {tmp_path / 'theirs'}: the instance that DAGSTER_")
        assert "knows 3 runs and 1 asset, and none of this platform's" in result.stderr
    with dg.DagsterInstance.get() as instance:
        assert {run.run_id for run in instance.get_runs()} == runs
        assert instance.all_asset_keys() == [theirs.key]
    assert len(list(tired.home.rglob("versions/*/model.tar.gz"))) == 4


def test_an_instance_elsewhere_is_shared_and_only_our_own_runs_go(
    tired: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, moved = run_another_project(tired.instance), tmp_path / "moved"
    (moved / "landing_zone").mkdir(parents=True)
    monkeypatch.setenv("ABALONE_HOME", str(moved))

    done = abalone_json("gc", "--yes")

    assert done["instance"] == str(tired.home / "dagster")
    assert counts(done) == {"runs in Dagster's database": 2}
    (kind,) = (each for each in done["kinds"] if each["count"])
    assert kind["kept_because"]["of another project"] == 3
    assert runs < {run.run_id for run in tired.instance.get_runs()}
    restored = abalone("restore")
    assert restored.exit_code == 0, restored.output


def test_a_damaged_record_stops_it_before_anything_is_removed(tired: Platform) -> None:
    (tired.home / "registry/versions/000004/version.json").write_text("{")

    result = abalone("gc", "--yes")

    assert result.exit_code == 1
    assert "000004/version.json" in result.stderr
    assert len(list(tired.home.rglob("versions/*/model.tar.gz"))) == 4
    assert len(tired.instance.get_runs()) == 3


def test_the_schedule_asks_for_a_run_that_does_the_same(
    tired: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        # A tick has a minute: to look through a large home is the run's work.
        looked = "abalone_assets.automation.retention.all_kinds"
        patched.setattr(looked, lambda *_: pytest.fail("looked in the tick"))
        with dg.build_schedule_context(tired.instance) as context:
            (request,) = retention_schedule.evaluate_tick(context).run_requests or ()

    assert tired.run(GC_JOB, request).success

    assert len(list(tired.home.rglob("versions/*/model.tar.gz"))) == 2
    assert {run.job_name for run in tired.instance.get_runs()} == {"ingest_surveys", GC_JOB}


def test_json_names_what_goes_on_request(tired: Platform) -> None:
    named = json.loads(abalone("gc", "--json", "--verbose").stdout)

    assert {name for row in named["kinds"] for name in row["names"]} >= {"1", "2"}
    assert "names" not in abalone_json("gc")["kinds"][0]


def test_what_a_killed_process_left_beside_the_ages_goes_and_ages_stay(tired: Platform) -> None:
    aged = tired.home / "landing_zone" / "aged"
    aged.mkdir()
    ages = aged / "animals.20250303120000.csv"
    left = aged / f".{ages.name}.{'a' * 32}.staged"
    for path in (ages, left):
        path.write_bytes(b"line\n")
        os.utime(path, (0, 0))

    counted = counts(abalone_json("gc", "--yes"))

    assert counted["staged leftovers"] == 1
    assert [*aged.iterdir()] == [ages]


def test_it_counts_what_went_and_says_how_much_stayed(
    tired: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, others = (tired.home / "lake" / f"data.parquet#{number}" for number in (1, 2))
    for path in (mine, others):
        path.write_bytes(b"half")
        os.utime(path, (0, 0))
    unlink = Path.unlink

    def refuse(path: Path, *, missing_ok: bool = False) -> None:
        if path == others:
            raise PermissionError
        unlink(path, missing_ok=missing_ok)

    assert counts(abalone_json("gc"))["staged leftovers"] == 2
    monkeypatch.setattr(Path, "unlink", refuse)
    done = json.loads(abalone("gc", "--yes", "--json", "--verbose").stdout)
    again = abalone("gc", "--yes")

    (row,) = (each for each in done["kinds"] if each["kind"] == "staged leftovers")
    assert row == {
        "kind": "staged leftovers",
        "count": 1,
        "bytes": 4,
        "kept_count": 1,
        "kept_bytes": 4,
        "kept_because": {"not removed: needed by now, or not this user's to remove": 1},
        "names": [str(mine)],
    }
    said = " ".join(again.stdout.split())
    assert "Freed 0 bytes: 0 things. 1 thing of what was to go stayed" in said


def test_a_damaged_day_of_requests_holds_up_nothing_else_and_is_told(tired: Platform) -> None:
    rows = tired.home / "lake/captured_requests/request_day=2026-06-01/data.parquet"
    captured = tired.home / "captured_requests/abalone/AllTraffic/2026/06/01/10/a.jsonl"
    for path in (rows, captured):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"no Parquet")

    done = abalone("gc", "--yes")

    assert done.exit_code == 0
    assert f"Warning: {rows}: cannot be read" in done.stderr.replace("\n", "")
    assert len(list(tired.home.rglob("versions/*/model.tar.gz"))) == 2
    assert captured.exists()
    with dg.build_schedule_context(tired.instance) as context:
        (request,) = retention_schedule.evaluate_tick(context).run_requests or ()
    run = tired.run(GC_JOB, request)
    assert run.success
    assert any(
        "cannot be read" in each.user_message for each in tired.instance.all_logs(run.run_id)
    )


@pytest.mark.usefixtures("tired")
def test_it_shows_how_far_it_is_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = watched_stderr(monkeypatch)
    abalone("gc", "--yes")
    assert "removing" in shown.getvalue()
    shown.truncate(0)
    abalone_json("gc", "--yes")
    assert shown.getvalue() == ""


def test_an_instance_that_cannot_be_opened_is_an_error_that_says_what_to_do(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    moved = tmp_path / "moved"
    moved.mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("dagster_postgres.utils.calculate_delay", lambda **_: 0.0)
    away = "{hostname: 127.0.0.1, port: 9, username: u, password: p, db_name: d, scheme: %s}"
    cases = [
        ("moved", "", f"DAGSTER_HOME=moved: Dagster takes a whole path only; set it to {moved}"),
        (str(moved), "storage: [", "correct its dagster.yaml"),
        (str(moved), "storag: {}", 'unexpected config entry "storag"'),
        (
            str(moved),
            f"storage: {{postgres: {{postgres_db: {away % 'postgresql+psycopg2'}}}}}",
            "Connection refused",
        ),
    ]
    for named, config, told in cases:
        (moved / "dagster.yaml").write_text(config)
        monkeypatch.setenv("DAGSTER_HOME", named)
        for command in ("gc", "restore"):
            result = abalone(command)
            assert result.exit_code == 1
            assert result.stderr.startswith("Error: ")
            assert told in result.stderr


@pytest.mark.parametrize("command", ["gc", "restore"])
def test_a_damaged_database_of_dagsters_is_one_too(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    moved = tmp_path / "moved"
    make_dagster_home(moved)
    monkeypatch.setenv("DAGSTER_HOME", str(moved))
    assert abalone(command).exit_code == 0
    for database in moved.rglob("*.db"):
        database.write_bytes(database.read_bytes()[:4096] + b"rot" * 100_000)
    result = abalone(command)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"Error: {moved}: Dagster's ")
    assert "malformed" in result.stderr
