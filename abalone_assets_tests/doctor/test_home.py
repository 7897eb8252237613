"""What `abalone doctor` finds of a home's troubles, and what it mends."""

from __future__ import annotations

import errno
import json
import os
import shutil
import socket
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.lake.holder import machine, process_identity
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.lease import LEASE_KEY, Lease, read_lease
from abalone_assets.lake.leftovers import KEPT_SECONDS
from abalone_assets.lake.releases import RELEASE_KEY, Release
from abalone_assets.local.instance import make_home
from abalone_assets.serving.state import ServerState, write_state
from abalone_assets_tests.cli.support import GOOD_ROW, abalone, ingest
from abalone_assets_tests.serving.support import new_registry, running_server
from abalone_assets_tests.support.out_of_reach import WHY, out_of_reach

if TYPE_CHECKING:
    from collections.abc import Callable

NAME, DAY = "abalone.20250314061500", "2025-03-14"
DEAD = 2**22 + 1
"""No process has this id: it is above Linux's largest."""


@pytest.fixture(autouse=True)
def _free_port(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABALONE_ENDPOINT_PORT", "0")


def findings(*options: str) -> dict[str, dict[str, str]]:
    found = json.loads(abalone("doctor", *options, "--json").stdout)["findings"]
    return {each["subject"]: each for each in found}


def open_to_all(home: Path) -> None:
    home.chmod(0o775)


def leave_a_half_written_object(home: Path) -> None:
    (home / "lake/new_surveys").mkdir(parents=True)
    path = home / "lake/new_surveys/data.parquet#1"
    path.write_text("half")
    before = time.time() - KEPT_SECONDS - 60
    os.utime(path, (before, before))


def leave_a_lease(home: Path) -> None:
    lease = Lease("a-run", 3, 1, machine(), str(DEAD), "2025-03-14", "2025-03-14T00:00:00+00:00")
    Lake(str(home / "lake")).store.write_json(LEASE_KEY, asdict(lease))


def leave_a_server(home: Path) -> None:
    state = ServerState("http://127.0.0.1:1", DEAD, "abalone", "2025-03-14")
    write_state(home / "endpoint/server.json", state)


MENDED: list[tuple[Callable[[Path], None], str, str]] = [
    (open_to_all, "access to the home", "may enter it (mode 0775)"),
    (leave_a_half_written_object, "leftovers", "data.parquet#1"),
    (leave_a_lease, "release lease", "run a-run (since 2025-03-14) holds the lake"),
    (leave_a_server, "endpoint state", f"process {DEAD} has ended"),
]


@pytest.mark.parametrize(("break_it", "subject", "told"), MENDED)
def test_each_trouble_is_found_and_mended(
    home: Path, break_it: Callable[[Path], None], subject: str, told: str
) -> None:
    break_it(home)
    found = findings()[subject]
    assert found["outcome"] == "warning"
    assert told in found["found"]
    assert "abalone doctor --repair" in found["remedy"]
    assert findings("--repair")[f"{subject} repaired"]["outcome"] == "ok"
    after = findings("--repair")
    assert subject not in after
    assert f"{subject} repaired" not in after


def test_what_a_home_shares_with_a_group_stays_shared(home: Path) -> None:
    home.chmod(0o775)
    findings("--repair")
    assert home.stat().st_mode & 0o777 == 0o770
    assert "access to the home" not in findings()


def test_a_new_home_is_for_its_user_alone_whatever_the_umask(tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        make_home(tmp_path / "new")
    finally:
        os.umask(umask)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o700
    (tmp_path / "new").chmod(0o750)
    make_home(tmp_path / "new")
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o750


def test_a_lease_that_another_release_took_meanwhile_is_left_to_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from abalone_assets.doctor import home as looked

    leave_a_lease(home)
    store = Lake(str(home / "lake")).store
    dead = read_lease(store)
    taken = Lease("another", 4, 0, machine(), process_identity(os.getpid()), "now", "now")
    store.write_json(LEASE_KEY, asdict(taken))
    monkeypatch.setattr(looked, "read_lease", lambda _: dead)
    findings("--repair")
    assert read_lease(store) == taken


def test_a_living_release_keeps_its_lease(home: Path) -> None:
    store = Lake(str(home / "lake")).store
    since = "2025-03-14T00:00:00+00:00"
    living = Lease("a-run", 3, 1, machine(), process_identity(os.getpid()), since, since)
    store.write_json(LEASE_KEY, asdict(living))
    assert "release lease" not in findings("--repair")
    assert read_lease(store) == living


def test_a_lease_that_is_none_is_said_to_be_deleted(home: Path) -> None:
    Lake(str(home / "lake")).store.write_json(LEASE_KEY, [1])
    found = findings()["release lease"]
    assert "delete it while no release runs" in found["remedy"]


@pytest.mark.parametrize("where", ["another/pid:[1]", ""])
def test_a_server_in_another_container_that_shares_the_home_keeps_its_state_file(
    home: Path, where: str
) -> None:
    path = home / "endpoint/server.json"
    with running_server(new_registry(home), state_file=path) as running:
        # An older server does not say where it is, but it answers.
        url = "http://127.0.0.1:1" if where else running.url
        write_state(path, replace(running.state, pid=DEAD, machine=where, url=url))
        assert "endpoint state" not in findings()
        findings("--repair")
        assert path.exists()


def test_a_landing_zone_that_went_away_fails_and_is_never_made(home: Path) -> None:
    shutil.rmtree(home / "landing_zone")
    assert "landing zone" not in findings()  # of a home that knows no surveys
    (home / "landing_zone").mkdir()
    (home / "landing_zone" / NAME).write_text(GOOD_ROW)
    ingest(home, DAY)
    assert "landing zone" not in findings()
    (home / "landing_zone").rename(home / "unmounted")
    found = findings("--repair")["landing zone"]
    assert found["outcome"] == "failed"
    assert "the lake has the rows of 1 file that lay there" in found["found"]
    assert "mount it" in found["remedy"]
    assert not (home / "landing_zone").exists()


def test_a_lost_database_of_dagster_is_found(home: Path) -> None:
    assert "Dagster's database" not in findings()
    release = Release("digest", "deployed", "", 1, "a run", "2025-03-03")
    Lake(str(home / "lake")).record_release(release)
    assert "Dagster's database" not in findings()
    for database in (home / "dagster").rglob("*.db"):
        database.unlink()
    assert "abalone restore" in findings()["Dagster's database"]["remedy"]


def test_an_endpoint_may_listen_on_ipv6(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    monkeypatch.setenv("ABALONE_ENDPOINT_HOST", "::1")
    assert findings()["endpoint"]["outcome"] == "ok"


@pytest.mark.parametrize("options", [(), ("--repair",)])
@pytest.mark.parametrize(
    ("variable", "subjects", "remedy"),
    [
        ("HOME", {"home", "landing zone", "lake", "Dagster's database", "catalog"}, "ABALONE_HOME"),
        ("LANDING_ZONE_URI", {"landing zone"}, "let this user enter it, or mount it"),
        ("LAKE_URI", {"lake", "catalog"}, "mount it, or let this user read it"),
    ],
)
def test_what_nobody_can_look_into_is_found_and_ends_no_diagnosis(
    home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    subjects: set[str],
    remedy: str,
    options: tuple[str, ...],
) -> None:
    monkeypatch.setenv(f"ABALONE_{variable}", str(out_of_reach(tmp_path)))
    found = findings(*options)
    refused = {subject: each for subject, each in found.items() if WHY in each["found"]}
    assert {*refused} - {"catalog repaired"} == subjects
    assert {each["outcome"] for name, each in refused.items() if name != "catalog"} == {"failed"}
    assert any(remedy in each["remedy"] for each in refused.values())
    assert {"packages", "endpoint", "base survey"} <= {*found}


def test_a_damaged_record_of_the_last_release_ends_no_diagnosis(home: Path) -> None:
    for database in (home / "dagster").rglob("*.db"):
        database.unlink()
    Lake(str(home / "lake")).store.write_json(RELEASE_KEY, [1])
    assert "Dagster's database" not in findings()


@pytest.mark.parametrize(
    ("call", "options", "subject", "outcome"),
    [
        ("iterdir", (), "leftovers", "warning"),
        ("unlink", ("--repair",), "leftovers repaired", "failed"),
    ],
)
def test_leftovers_of_another_user_end_no_diagnosis(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    options: tuple[str, ...],
    subject: str,
    outcome: str,
) -> None:
    leave_a_half_written_object(home)
    (home / "lake/_staged").mkdir()
    allowed = getattr(Path, call)

    def refuse(path: Path, *others: Any, **named: Any) -> Any:
        if path.name in {"data.parquet#1", "_staged"}:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return allowed(path, *others, **named)

    monkeypatch.setattr(Path, call, refuse)
    found = findings(*options)
    assert found[subject]["outcome"] == outcome
    assert "Permission denied" in found[subject]["found"]
    assert "packages" in found
