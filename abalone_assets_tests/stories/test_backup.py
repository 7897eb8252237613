"""A home is copied while it works, lost, and copied back: nothing is missing and nothing is due."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets.backup.home import ABOUT, PARTIAL, altered, backups
from abalone_assets.backup.stable_copy import Copy
from abalone_assets.backup.sums import SUMS
from abalone_assets.local.driver import RECORD_NAME
from abalone_assets.local.driver_lock import LOCK_NAME
from abalone_assets_tests.automation.support import ingest, name_of, requests
from abalone_assets_tests.backup.rotten import refuse
from abalone_assets_tests.cli.support import abalone, abalone_json, watched_stderr
from abalone_assets_tests.stories.finished import DAYS, finished_home
from abalone_assets_tests.support.platform import Platform, survey_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.xdist_group("backup")  # one home for all


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with finished_home(tmp_path_factory.mktemp("backed_up")) as platform:
        yield platform


@pytest.fixture
def home(finished: Platform) -> Path:
    for name in ("driver.json", "driver.lock"):
        assert name in {LOCK_NAME, RECORD_NAME}
        (finished.home / "dagster" / name).write_text("")
    (finished.home / "captured_requests").mkdir(exist_ok=True)
    (finished.home / "captured_requests/one.jsonl").write_text("{}")
    return finished.home


@contextmanager
def away(home: Path) -> Iterator[None]:
    """A home that is nowhere for a while."""
    home.rename(home.with_name("away"))
    try:
        yield
    finally:
        home.with_name("away").rename(home)


def test_a_lost_home_comes_back_from_its_copy_and_nothing_is_due(
    finished: Platform, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = {run.run_id for run in finished.instance.get_runs()}
    made = abalone_json("backup", tmp_path / "copies")
    copy = Path(made["folder"])
    assert {"dagster", "lake", "landing_zone", "registry", "captured_requests"} == set(
        made["parts"]
    )

    lost_and_back = tmp_path / "back"
    shutil.copytree(copy, lost_and_back)
    instance = lost_and_back / "dagster/dagster.yaml"  # which names its folder in tests alone
    instance.write_text(instance.read_text().replace(str(home), str(lost_and_back)))
    monkeypatch.setenv("ABALONE_HOME", str(lost_and_back))
    monkeypatch.setenv("DAGSTER_HOME", str(lost_and_back / "dagster"))

    with away(home), Platform.at(lost_and_back) as back:
        findings = abalone_json("verify")["findings"]
        assert {each["outcome"] for each in findings} <= {"ok"}, findings
        assert {run.run_id for run in back.instance.get_runs()} == runs
        for sensor in ("survey_sensor", "release_sensor", "approval_sensor"):
            assert requests(back, sensor) == [], back.reasons
        (lost_and_back / "lake/evaluation_report/data.json").unlink()
        for asset in ("approved_model", "evaluation_report", "evaluation"):
            alone = dg.RunRequest(asset_selection=[dg.AssetKey(asset)])
            result = back.run("release", alone, raise_on_error=False)
            assert result.success, asset
            assert all(each.passed for each in result.get_asset_check_evaluations()), asset
        back.land(name_of("2025-03-05"), survey_rows(6, seed=9))
        assert ingest(back) == [True]
    assert not (copy / "landing_zone" / name_of("2025-03-05")).exists()


def test_the_copy_can_be_looked_at_with_every_systems_own_tool(home: Path, tmp_path: Path) -> None:
    copy = Path(abalone_json("backup", tmp_path)["folder"])
    checked = subprocess.run(["sha256sum", "--quiet", "-c", SUMS], cwd=copy, check=False)
    assert checked.returncode == 0
    assert abalone("backup", "--check", copy).exit_code == 0
    (copy / "landing_zone" / name_of(DAYS[0])).chmod(0o600)
    (copy / "landing_zone" / name_of(DAYS[0])).write_bytes(b"rot")
    (copy / "lake/manifest.json").unlink()
    result = abalone("backup", "--check", copy, "--json")
    assert result.exit_code == 1
    assert (
        json.loads(result.stdout)["altered"]
        == [
            f"landing_zone/{name_of(DAYS[0])}",
            "lake/manifest.json",
        ][::-1]
    )
    nothing = abalone("backup", "--check", home)
    assert nothing.exit_code == 1
    assert "no whole copy" in nothing.stderr
    assert "Errno" not in nothing.stderr
    assert "name the folder of one copy" in nothing.stderr


def test_crews_may_call_files_whatever_their_system_lets_them(home: Path, tmp_path: Path) -> None:
    """One name from a Windows share ended every backup; others were said to be altered."""
    odd = [b"abal\xf6ne.csv", b"two\nlines", b"back\\nslash", b"ends in cr\r", "sep\u2028".encode()]
    paths = [os.path.join(os.fsencode(home), b"landing_zone", name) for name in odd]  # noqa: PTH118 - no text
    for path in paths:
        Path(os.fsdecode(path)).write_text("what a crew sent")
    try:
        copy = Path(abalone_json("backup", tmp_path)["folder"])
    finally:
        for path in paths:
            os.unlink(path)  # noqa: PTH108 - no text
    assert altered(copy) == []
    checked = subprocess.run(["sha256sum", "--quiet", "-c", SUMS], cwd=copy, check=False)
    assert checked.returncode == 0
    (copy / "landing_zone" / os.fsdecode(odd[0])).unlink()
    result = abalone("backup", "--check", copy)
    assert result.exit_code == 1
    assert "abal" in result.stdout


def test_what_a_link_of_the_instance_leads_to_is_copied_and_left_as_it_is(
    home: Path, tmp_path: Path
) -> None:
    shared = tmp_path / "shared.yaml"
    shared.write_text("run_queue: {}")
    shared.chmod(0o644)
    (home / "dagster/linked.yaml").symlink_to(shared)
    try:
        copied = Path(abalone_json("backup", tmp_path / "copies")["folder"]) / "dagster/linked.yaml"
    finally:
        (home / "dagster/linked.yaml").unlink()
    assert shared.stat().st_mode & 0o777 == 0o644
    assert not copied.is_symlink()
    assert copied.read_text() == "run_queue: {}"


def test_who_drives_the_home_and_open_databases_are_not_copied(
    finished: Platform, home: Path, tmp_path: Path
) -> None:
    database = next((home / "dagster").rglob("runs.db"))
    with sqlite3.connect(database, isolation_level=None) as writer:
        writer.execute("begin immediate")  # somebody is amid a write
        writer.execute("create table half_written (x)")
        copy = Path(abalone_json("backup", tmp_path)["folder"])
        writer.execute("rollback")
    writer.close()
    names = {path.name for path in copy.rglob("*")}
    assert not names & {LOCK_NAME, RECORD_NAME, "runs.db-wal"}
    with sqlite3.connect(copy / database.relative_to(home)) as copied:
        tables = {name for (name,) in copied.execute("select name from sqlite_master")}
        assert copied.execute("pragma integrity_check").fetchone() == ("ok",)
    copied.close()
    assert "runs" in tables
    assert "half_written" not in tables


def test_a_second_copy_shares_what_is_equal(home: Path, tmp_path: Path) -> None:
    first = Path(abalone_json("backup", tmp_path)["folder"])
    # Named by the second: the first is put back a day.
    first = first.rename(tmp_path / "2025-01-01T000000Z")
    second = abalone_json("backup", tmp_path)
    archive = "registry/versions/000002/model.tar.gz"
    assert (first / archive).samefile(Path(second["folder"]) / archive)
    assert second["earlier"] == str(first)
    assert backups(tmp_path) == [first, Path(second["folder"])]


def test_cut_short_it_leaves_no_copy_and_the_next_one_is_whole(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / PARTIAL / "lake").mkdir(parents=True)  # as one that was killed left it
    (tmp_path / PARTIAL / "lake/leftover").write_text("")
    with monkeypatch.context() as patched:
        full = OSError(28, "No space left on device")
        patched.setattr(Copy, "add_folders", lambda *_, **__: (_ for _ in ()).throw(full))
        result = abalone("backup", tmp_path)
        assert result.exit_code == 1
        assert "No space left" in result.stderr
        assert "choose a folder with enough room" in result.stderr
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == []
    copy = Path(abalone_json("backup", tmp_path)["folder"])
    assert not (copy / "lake/leftover").exists()
    assert (copy / ABOUT).exists()


def test_what_is_no_place_for_a_copy_is_refused(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for part in ("lake", "dagster", "captured_requests"):
        inside = abalone("backup", home / part / "copies")
        assert inside.exit_code == 1
        assert "choose another" in inside.stderr
    with monkeypatch.context() as patched:
        patched.setenv("ABALONE_LANDING_ZONE_URI", "s3://surveys/here")
        on_s3 = abalone("backup", tmp_path)
    assert on_s3.exit_code == 1
    assert "a backup is of folders" in on_s3.stderr


def test_surveys_that_are_not_mounted_are_not_left_out_in_silence(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ABALONE_LANDING_ZONE_URI", str(tmp_path / "unmounted"))
    result = abalone("backup", tmp_path / "copies")
    assert result.exit_code == 1
    assert "mount it" in result.stderr
    assert abalone("backup", tmp_path / "copies", "--without-surveys").exit_code == 0


@pytest.mark.parametrize("name", ["LAKE", "REGISTRY"])
def test_records_that_are_not_mounted_are_not_left_out_in_silence(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    unmounted = tmp_path / "unmounted"
    monkeypatch.setenv(f"ABALONE_{name}_URI", str(unmounted))
    for is_there in (False, True):
        if is_there:
            unmounted.mkdir()  # as the mount point of a share that is away
        result = abalone("backup", tmp_path / "copies")
        assert result.exit_code == 1
        assert f"{unmounted}: no {name.lower()} to copy" in result.stderr
        assert f"mount it, or correct ABALONE_{name}_URI" in result.stderr
    assert not (tmp_path / "copies").exists()


def test_a_home_that_is_lost_but_for_its_registry_is_not_copied_over(
    home: Path, tmp_path: Path
) -> None:
    (home / "lake").rename(home / "aside")
    try:
        result = abalone("backup", tmp_path)
    finally:
        (home / "aside").rename(home / "lake")
    assert result.exit_code == 1
    assert "it is empty, though" in result.stderr


def test_a_new_home_needs_no_records_yet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "new/landing_zone").mkdir(parents=True)
    (tmp_path / "new/landing_zone" / name_of(DAYS[0])).write_bytes(survey_rows(3))
    monkeypatch.setenv("ABALONE_HOME", str(tmp_path / "new"))
    assert abalone_json("backup", tmp_path / "copies")["parts"] == {"landing_zone": 1}


def test_an_object_of_the_lake_that_cannot_be_read_ends_it_and_the_target_is_not_blamed(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse(monkeypatch, "open", home / "lake/manifest.json")
    result = abalone("backup", tmp_path / "copies")
    assert result.exit_code == 1
    assert f"{home / 'lake/manifest.json'}: cannot be read" in result.stderr
    assert "choose a folder with enough room" not in result.stderr
    assert backups(tmp_path / "copies") == []


def test_a_copy_that_lacks_what_cannot_be_read_says_so_wherever_it_is_looked_at(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    survey, run = home / "landing_zone" / name_of(DAYS[0]), home / "dagster/history/torn.db"
    run.parent.mkdir(exist_ok=True)
    run.write_bytes(b"no database" * 1000)
    (home / "dagster/log").symlink_to("/proc/self/mem")  # a file that gives EIO
    expected = {
        "dagster/history/torn.db": "file is not a database",
        "dagster/log": "Input/output error",
        f"landing_zone/{survey.name}": "Input/output error",
    }
    try:
        with monkeypatch.context() as broken:
            refuse(broken, "open", survey)
            result = abalone("backup", tmp_path, "--json")
            said = abalone("backup", tmp_path / "other")
    finally:
        run.unlink()
        (home / "dagster/log").unlink()

    made = json.loads(result.stdout)
    copy = Path(made["folder"])
    assert (result.exit_code, made["missing"]) == (4, expected)
    assert (said.exit_code, "torn.db: could not be read" in said.stdout) == (4, True)
    assert copy.name.endswith("Z-incomplete")
    assert made["parts"]["landing_zone"] == len(DAYS) - 1
    assert altered(copy) == []
    looked = abalone("backup", "--check", copy, "--json")
    assert (looked.exit_code, json.loads(looked.stdout)["missing"]) == (4, expected)
    assert f"{survey.name}: could not be read" in abalone("backup", "--check", copy).stdout
    (copy / "lake/manifest.json").unlink()
    assert abalone("backup", "--check", copy).exit_code == 1
    whole = abalone_json("backup", tmp_path / "whole")
    assert (whole["missing"], Path(whole["folder"]).name[-1]) == ({}, "Z")


def test_a_copy_whose_sums_are_lost_ends_no_later_one(home: Path, tmp_path: Path) -> None:
    made = Path(abalone_json("backup", tmp_path)["folder"])
    first, second = tmp_path / "2025-01-01T000000Z", tmp_path / "2025-01-02T000000Z"
    shutil.copytree(made, first)
    made.rename(second)
    (second / SUMS).unlink()
    assert abalone_json("backup", tmp_path)["earlier"] == str(first)


def test_surveys_may_be_left_out_and_others_may_read_nothing(home: Path, tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        made = abalone_json("backup", tmp_path / "copies", "--without-surveys")
    finally:
        os.umask(umask)
    assert "landing_zone" not in made["parts"]
    copies = tmp_path / "copies"
    modes = {path: path.stat().st_mode & 0o077 for path in (copies, *copies.glob("2*/**/*"))}
    assert {path for path, mode in modes.items() if mode} == set()


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("command", "told"), [(("backup", "copies"), "copying"), (("verify",), "Looked at")]
)
def test_on_a_terminal_it_shows_how_far_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    shown = watched_stderr(monkeypatch)
    assert abalone(*command).exit_code == 0
    assert told in shown.getvalue()
    shown.truncate(0)
    shutil.rmtree(tmp_path / "copies", ignore_errors=True)  # copies are named by the second
    abalone_json(*command)
    assert shown.getvalue() == ""
