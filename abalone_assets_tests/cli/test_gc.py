"""`abalone gc`, and the schedule that does the same."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from abalone_assets.automation import old_runs
from abalone_assets.automation.runs import GC_JOB
from abalone_assets.defs.retention import retention_schedule
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.automation.support import files_below, ingest, name_of
from abalone_assets_tests.cli.support import abalone, abalone_json, see_as_next_year
from abalone_assets_tests.registry.support import add
from abalone_assets_tests.support.instance import make_dagster_home
from abalone_assets_tests.support.platform import Platform, survey_rows

if TYPE_CHECKING:
    from pathlib import Path


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
