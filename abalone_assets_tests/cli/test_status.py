"""`abalone status`."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.ingest.memory import Growing, Memory, Unreadable, write_memory
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest import IngestedRaw
from abalone_assets.lake.manifest_store import commit_days, commit_raw
from abalone_assets.lake.releases import Release
from abalone_assets.local.driver_lock import driver_lock
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.sample_data import base_survey
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.settings.platform import load_settings
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.cli.support import (
    ANIMAL,
    GOOD_ROW,
    abalone,
    abalone_json,
    ingest,
    work_in_compose,
)
from abalone_assets_tests.serving.support import register
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals

if TYPE_CHECKING:
    from pathlib import Path

NAME = "abalone.20250314061500"
KILOGRAMS = Animals.of(base_survey())[:60].with_error(ERRORS["weights * 0.2"]).file().decode()


def land(home: Path, name: str, content: str) -> None:
    (home / "landing_zone" / name).write_text(content)


def test_an_empty_home_is_described_and_the_demo_proposed(home: Path) -> None:
    result = abalone("status")
    assert result.exit_code == 0, result.output
    assert "no model was deployed yet" in result.output
    assert "Next: `abalone demo`" in result.output


def test_what_is_pending_while_dev_runs_is_under_way(home: Path) -> None:
    land(home, NAME, GOOD_ROW)
    with driver_lock(load_settings(), "abalone dev"):
        expected = f"nothing to do: `abalone dev` (process {os.getpid()}) is at work"
        assert abalone_json("status")["next"].startswith(expected)
    assert abalone_json("status")["next"].startswith("`abalone dev` ingests")


def test_animals_that_wait_to_be_taken_in_are_what_is_next(home: Path) -> None:
    name = "animals.20250314061500"
    land(home, name, ",".join(ANIMAL) + "\n")
    summary, file = abalone_json("status")["next"], abalone_json("status", name)["next"]
    for told in (summary, file):
        assert told.startswith("`abalone dev` goes on with ")
        assert told.endswith(": nothing drives the sensors of this home now")
    with driver_lock(load_settings(), "abalone dev"):
        assert abalone_json("status")["next"] == abalone_json("status", name)["next"]


@pytest.mark.parametrize(
    ("location", "driver", "told"),
    [
        ("abalone_assets", "the daemon", "nothing to do: the daemon is at work"),
        ("warehouse", None, "`abalone dev` "),
    ],
)
def test_what_is_pending_in_compose_is_under_way_and_not_by_another_projects_dagster(
    home: Path, monkeypatch: pytest.MonkeyPatch, location: str, driver: str | None, told: str
) -> None:
    land(home, NAME, GOOD_ROW)
    work_in_compose(home, monkeypatch, location)
    report = abalone_json("status")
    assert report["driver"] == driver
    for each in (report, abalone_json("status", NAME)):
        assert each["next"].startswith(told)


def test_a_landing_zone_that_vanished_is_one_clear_error(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(home, NAME, GOOD_ROW)
    ingest(home, "2025-03-14")
    (home / "landing_zone").rename(home / "moved")
    assert "cannot read the landing zone" in abalone("status").stderr
    monkeypatch.setenv("ABALONE_LANDING_ZONE_URI", str(tmp_path / "unmounted"))
    assert "cannot read the landing zone" in abalone("status").stderr


def test_a_simulated_base_survey_is_called_so(home: Path) -> None:
    asked = "https://example.org/abalone.zip"
    raw = IngestedRaw("0" * 64, asked, simulated=True, rows=4177, quarantined=0)
    commit_raw(Lake(str(home / "lake")).store, raw)
    base_survey = abalone_json("status")["totals"]["base_survey"]
    assert base_survey == f"the bundled simulated survey, instead of {asked}"


def test_landed_days_are_pending_until_ingested_and_then_a_release_is(home: Path) -> None:
    land(home, NAME, GOOD_ROW)
    before = abalone_json("status")
    assert (before["due_days"], before["release_due"]) == (["2025-03-14"], False)
    assert "1 survey day to ingest (2025-03-14)" in abalone("status").output
    ingest(home, "2025-03-14")
    after = abalone_json("status")
    assert (after["due_days"], after["release_due"]) == ([], True)
    assert after["totals"]["rows"] == 1


def test_the_last_release_is_shown_with_its_reason(home: Path) -> None:
    lake = Lake(str(home / "lake"))
    reason = "Rejected: RMSE 2.900 is above the limit of 2.5."
    digest = lake.manifest().digest
    lake.record_release(Release(digest, "rejected", reason, None, "run", "2025-03-14T07:00:00"))
    assert abalone_json("status")["release"]["reason"] == reason
    assert reason in " ".join(abalone("status").output.split())


GATE = {
    "approved": False,
    "reason": "Rejected: " + "on 4,177 rows that neither model had learnt from, " * 5 + "worse.",
    "rule": "worse_than_champion",
}


def test_a_decision_is_told_in_a_line_and_once(home: Path) -> None:
    # The whole sentence of the gate stood there twice and filled the screen.
    registry, lake = FolderRegistry(ObjectStore(home / "registry")), Lake(str(home / "lake"))
    paired = {"overall": {"difference": 0.212, "rows": 4177}}
    evaluation = {"rmse": 2.3, "rows": 209, "champion": {"version": "1", "paired": paired}}
    registry.register(b"two", evaluation=evaluation, decision=GATE, release_digest="r")
    reason, at = str(GATE["reason"]), "2025-03-14T07:00:00"
    lake.record_release(Release("r", "rejected", reason, 1, "run", at))
    said = " ".join(abalone("status").output.split())
    short = "Rejected: worse than version 1, RMSE 0.212 more on 4,177 unseen rows."
    assert said.count(short) == 1
    assert reason not in said
    assert "Last decision" not in said
    assert abalone_json("status")["release"]["reason"] == reason
    lake.record_release(Release("r", "overruled", f"{reason} But …", 1, "run", at))
    assert f"{short} But a person wants another live." in " ".join(abalone("status").output.split())


def test_what_people_want_is_told_once(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "ana")
    registry = FolderRegistry(ObjectStore(home / "registry"))
    register(registry, b"one")
    register(registry, b"two")
    registry.approve(1, because="the new one drifts", by="ana")
    said = " ".join(abalone("status").output.split())
    assert "People want version 1 live: version 1 approved by ana" in said
    assert "Last decision" not in said
    registry.reject(2, because="worse on females", by="ben")
    assert "Last decision version 2 rejected by ben" in " ".join(abalone("status").output.split())


def test_refused_files_name_the_next_step_and_are_no_held_ones(home: Path) -> None:
    land(home, NAME, "\0")
    ingest(home, "2025-03-14")
    lake = Lake(str(home / "lake"))
    lake.record_release(Release(lake.manifest().digest, "rejected", "r", None, "run", "2025"))
    document = abalone_json("status")
    assert document["next"].startswith(f"mend {NAME} and land it again")
    said = " ".join(abalone("status").output.split())
    assert "Refused files: nothing can be read from them (1)" in said
    one = " ".join(abalone("status", NAME).output.split())
    assert "Rows none: nothing of a refused file is used" in one
    refused = abalone("accept", NAME, "--because", "it is right")
    assert refused.exit_code == 1
    assert "refused, not held" in refused.stderr
    assert "there is nothing to accept" in refused.stderr


def test_a_file_that_cannot_be_read_now_is_not_called_refused(home: Path) -> None:
    """The advice was to delete it, while its rows were in use."""
    land(home, NAME, GOOD_ROW)
    ingest(home, "2025-03-14")
    lake = Lake(str(home / "lake"))
    day = lake.manifest().days["2025-03-14"]
    unread = replace(day.files[0], e_tag="", problem="permission denied; it is tried again")
    commit_days(lake.store, {"2025-03-14": replace(day, files=(unread,))})
    token = next(FolderLandingZone(home / "landing_zone").list_files()).e_tag
    failed = Unreadable(token, "permission denied", 1, time.time() + 60)
    write_memory(lake.store, Memory(unreadable={NAME: failed}))
    lake.record_release(Release(lake.manifest().digest, "rejected", "r", None, "run", "2025"))
    document = abalone_json("status")
    assert document["out_of_reach_files"] == document["unreadable_files"] == {NAME: unread.problem}
    assert document["next"].startswith(f"have {NAME} read again: mend its permissions")
    said = " ".join(abalone("status").output.split())
    assert "Files that cannot be read now: what was read before counts (1)" in said
    assert "Refused files" not in said
    accepted = abalone("accept", NAME, "--because", "it is right")
    assert "nobody knows whether it will be held: permission denied" in accepted.stderr


def test_a_file_that_is_gone_or_missing_says_what_to_do(home: Path) -> None:
    for day in ("2025-03-14", "2025-03-15", "2025-03-16"):
        land(home, f"abalone.{day.replace('-', '')}061500", GOOD_ROW)
        ingest(home, day)
    (home / "landing_zone" / NAME).unlink()
    with driver_lock(load_settings(), "abalone dev"):
        assert f"or land {NAME} again" in abalone_json("status", NAME)["next"]
    lake = Lake(str(home / "lake"))
    write_memory(lake.store, Memory(missing=("2025-03-14",)))
    found = abalone_json("status", NAME)
    assert found["state"] == "missing"
    assert "`abalone forget 2025-03-14`" in found["next"]
    ingest(home, "2025-03-14")
    gone = abalone("status", NAME)
    assert "was deleted, and the ingestion after that took its rows out" in gone.stderr
    whole = abalone("status", "2025-03-14")
    assert "the ingestion after that took their rows out" in whole.stderr


def test_of_a_landing_zone_that_went_away_all_and_one_are_told_the_same(home: Path) -> None:
    land(home, NAME, GOOD_ROW)
    ingest(home, "2025-03-14")
    (home / "landing_zone" / NAME).unlink()
    assert abalone_json("status")["vanished_days"] == ["2025-03-14"]
    assert "the lake keeps its rows" in abalone_json("status", NAME)["why"]
    (file,) = abalone_json("status", "2025-03-14")["files"]
    assert file["state"] == "missing"
    assert "`abalone forget 2025-03-14`" in file["next"]


def test_quarantined_rows_are_counted_by_rule_and_the_newest_shown(home: Path) -> None:
    land(home, NAME, GOOD_ROW + "X,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\n" + "M,1\n" * 2)
    land(home, "abalone.20250401061500", "M,[b]1\n")
    for day in ("2025-03-14", "2025-04-01"):
        ingest(home, day)
    quarantine = abalone_json("status")["quarantine"]
    assert quarantine["by_rule"] == {"field_count": 3, "sex": 1}
    assert quarantine["newest"][-1] == {
        "file": "abalone.20250401061500",
        "line": 1,
        "column": None,
        "rule": "field_count",
        "message": quarantine["newest"][-1]["message"],
    }
    assert f"{NAME}:2" in abalone("status").output


def test_files_that_can_be_no_survey_are_listed_with_their_problem(home: Path) -> None:
    land(home, "notes[1].txt", "hello")
    land(home, NAME, "\0")
    ingest(home, "2025-03-14")
    document = abalone_json("status")
    assert "call it abalone.YYYYMMDDHHMMSS" in document["stray_files"]["notes[1].txt"]
    assert "NUL byte" in document["unreadable_files"][NAME]
    output = abalone("status").output
    assert "notes[1].txt" in output
    assert NAME in output


def test_files_that_wait_are_named_with_the_reason(home: Path) -> None:
    land(home, NAME, GOOD_ROW)
    land(home, "abalone.20250315061500", GOOD_ROW)
    files = FolderLandingZone(home / "landing_zone").list_files()
    token = next(file.e_tag for file in files if file.name == NAME)
    memory = Memory(
        growing={NAME: Growing(token, time.time()), "abalone.20250101000000": Growing("gone", 1.0)},
        unreadable={"abalone.20250315061500": Unreadable("token", "permission denied", 1, 2.0)},
    )
    write_memory(Lake(str(home / "lake")).store, memory)
    document = abalone_json("status")
    assert document["growing_files"] == [NAME]
    assert document["unreadable_now"] == {"abalone.20250315061500": "permission denied"}
    output = " ".join(abalone("status").output.split())
    assert f"1 file still being written ({NAME})" in output
    assert "permission denied" in output


def test_days_that_the_lake_lost_or_that_no_release_holds_are_told(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    land(home, NAME, GOOD_ROW + "X,1\n")
    ingest(home, "2025-03-14")
    lake = Lake(str(home / "lake"))
    for asset in ("new_surveys", "quarantined_rows"):
        lake.store.delete(lake.key(asset, "2025-03-14"))
    assert abalone_json("status")["lost_days"] == ["2025-03-14"]
    assert "the lake lost 1 survey day (2025-03-14)" in " ".join(abalone("status").output.split())
    monkeypatch.setenv("ABALONE_FIRST_SURVEY_DAY", "2025-04-01")
    document = abalone_json("status")
    assert (document["earlier_days"], document["totals"]["rows"]) == (["2025-03-14"], 0)
    assert "1 survey day before ABALONE_FIRST_SURVEY_DAY in no release" in " ".join(
        abalone("status").output.split()
    )


def test_a_deployed_version_without_a_server_is_not_called_live(home: Path) -> None:
    registry = FolderRegistry(ObjectStore(home / "registry"))
    version = register(registry, b"archive").version
    publish_pointer(registry.store, "abalone", version)
    live = abalone_json("status")["live"]
    assert (live["requested_version"], live["version"], live["url"]) == (1, None, None)
    assert live["rmse"] == 2.1
    assert "deployed but no server runs" in abalone("status").output


@pytest.mark.parametrize("json", [True, False])
def test_a_live_version_whose_record_is_gone_is_told_of(home: Path, *, json: bool) -> None:
    registry = FolderRegistry(ObjectStore(home / "registry"))
    for archive in (b"one", b"two"):
        version = register(registry, archive).version
    publish_pointer(registry.store, "abalone", version)
    shutil.rmtree(home / "registry" / "versions" / "000002")
    if json:
        live = abalone_json("status")["live"]
        assert (live["requested_version"], live["rmse"], live["standing"]) == (2, None, None)
        assert live["problem"].startswith("the record of version 2 is gone")
    else:
        said = " ".join(abalone("status").output.split())
        assert "no server runs; the record of version 2 is gone" in said


def test_a_damaged_lake_is_one_clear_error(home: Path) -> None:
    land(home, NAME, "M,1\n")
    ingest(home, "2025-03-14")
    lake = Lake(str(home / "lake"))
    lake.store.write(lake.key("quarantined_rows", "2025-03-14"), b"not parquet")
    result = abalone("status")
    assert result.exit_code == 1
    assert "quarantined_rows cannot be read" in result.stderr


def test_days_that_vanished_at_once_are_told_with_what_to_do(home: Path) -> None:
    days = ["2025-03-01", "2025-03-02"]
    for day in days:
        land(home, f"abalone.{day.replace('-', '')}061500", GOOD_ROW)
        ingest(home, day)
    for file in (home / "landing_zone").iterdir():
        file.unlink()
    document = abalone_json("status")
    assert (document["vanished_days"], document["due_days"]) == (days, [])
    assert "abalone forget --missing" in document["next"]
    assert "2 survey days are gone at once (2025-03-01, 2025-03-02)" in " ".join(
        abalone("status").output.split()
    )


def test_a_file_tells_its_rows_its_bad_rows_and_how_far_it_has_come(home: Path) -> None:
    land(home, NAME, GOOD_ROW + "<b>X</b>,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\n")
    before = abalone_json("status", NAME)
    assert (before["state"], before["release"]) == ("to_ingest", None)
    assert before["next"].startswith("`abalone dev` goes on with it")
    ingest(home, "2025-03-14")
    after = abalone_json("status", f"somewhere/{NAME}")
    assert (after["state"], after["rows"], after["quarantined"]) == ("ingested", 1, 1)
    (bad,) = after["quarantined_rows"]
    assert (bad["line"], bad["column"], bad["rule"]) == (2, "sex", "sex")
    assert after["release"]["released"] is False
    shown = " ".join(abalone("status", NAME).output.split())
    assert "1 row taken in, 1 quarantined" in shown
    assert "<b>X</b>,0.455" in shown
    assert "no release has taken it in yet" in shown


def test_a_driver_at_work_is_named_where_a_file_waits(home: Path) -> None:
    land(home, NAME, GOOD_ROW)
    with driver_lock(load_settings(), "abalone dev"):
        assert "is at work on what is pending" in abalone_json("status", NAME)["next"]


@pytest.mark.parametrize(
    ("name", "content", "next_step"),
    [
        (NAME, "\0", f"mend {NAME} and land it again"),
        (NAME, GOOD_ROW, "`abalone dev` goes on with it"),
        (NAME, GOOD_ROW + "X,1\n", "mend the quarantined rows"),
        (NAME, KILOGRAMS, f"land {NAME} again, corrected"),
        ("notes.txt", "hello", "give notes.txt a survey's name"),
        ("abalone.20990101000000", GOOD_ROW, "nothing to do: it is ingested when"),
    ],
    ids=["refused", "ingested", "quarantined", "held", "stray", "future"],
)
def test_a_file_tells_what_to_do_next(home: Path, name: str, content: str, next_step: str) -> None:
    land(home, name, content)
    if name == NAME:
        ingest(home, "2025-03-14")
    assert abalone_json("status", name)["next"].startswith(next_step)


def test_a_day_tells_of_each_of_its_files(home: Path) -> None:
    land(home, NAME, GOOD_ROW)
    ingest(home, "2025-03-14")
    land(home, "abalone.20250314061501", GOOD_ROW)
    document = abalone_json("status", "2025-03-14")
    assert document["day"] == "2025-03-14"
    assert [each["state"] for each in document["files"]] == ["ingested", "to_ingest"]
    shown = abalone("status", "2025-03-14").output
    assert "to ingest" in shown
    assert "abalone.20250314061501" in shown


@pytest.mark.parametrize("subject", [NAME, "2025-03-15", "notes.txt", "[b]"])
def test_what_is_nowhere_is_one_clear_error(home: Path, subject: str) -> None:
    result = abalone("status", subject)
    assert result.exit_code == 1
    assert "no " in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("subject", ["20250314", "2025-W11-5"])
def test_a_day_that_is_written_otherwise_is_no_day(home: Path, subject: str) -> None:
    land(home, NAME, GOOD_ROW)
    result = abalone("status", subject)
    assert result.exit_code == 1
    assert f"{subject!r} is no day: write it as 2025-03-14; nor is it a file: " in result.stderr
