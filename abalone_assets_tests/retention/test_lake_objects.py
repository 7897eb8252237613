"""What goes of the lake and of the home: nothing that a record names, nothing young."""

from __future__ import annotations

import errno
import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.ingest.frames import to_parquet
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.last_drift import LastDrift
from abalone_assets.lake.names import CAPTURED_REQUESTS
from abalone_assets.lake.reports import Reports
from abalone_assets.monitoring.captures import Captures
from abalone_assets.monitoring.days import delete_old, read_day
from abalone_assets.monitoring.tables import captured_rows
from abalone_assets.pages.surveys.staged_uploads import KEPT_SECONDS, StagedUploads
from abalone_assets.retention.lake_objects import (
    compared_versions,
    reports,
    request_rows,
    trained_archives,
)
from abalone_assets.retention.local_files import capture_files, staged_files
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.monitoring.support import keep_days

LATER = datetime.now(UTC) + timedelta(days=2)
DIGESTS = ["a" * 64, "b" * 64, "c" * 64]
NO_UPLOADS = StagedUploads.of(Path("nowhere"))


@pytest.fixture(params=["folder", "s3"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    if request.param == "folder":
        return Lake(str(tmp_path / "lake"))
    return Lake(f"{request.getfixturevalue('s3')}/lake")


def test_an_output_of_a_training_job_goes_unless_a_record_names_it(lake: Lake) -> None:
    for job in ("one", "two", "three"):
        lake.store.write(f"trained_model/{job}/output/model.tar.gz", b"model")
    lake.store.write("trained_model/one/debug/more.bin", b"more")
    moved_since = "/old/home/lake"
    for asset, job, then in (
        ("trained_model", "two", lake.store.uri),
        ("evaluation", "three", moved_since),
    ):
        uri = f"{then}/trained_model/{job}/output/model.tar.gz"
        lake.store.write_json(lake.key(asset, suffix="json"), {"model_uri": uri})

    assert trained_archives(lake, datetime.now(UTC)).surplus == []
    freed = trained_archives(lake, LATER).free()

    assert [(thing.name, thing.size) for thing in freed] == [("trained_model/one", 9)]
    left = {stored.key for stored in lake.store.list("trained_model/")}
    jobs = {f"trained_model/{job}/output/model.tar.gz" for job in ("two", "three")}
    assert left == {*jobs, "trained_model/data.json"}
    if lake.store.root is not None:
        assert not (lake.store.root / "trained_model/one").exists()


def test_a_report_stays_as_long_as_its_model_or_while_it_is_the_last(lake: Lake) -> None:
    for digest in DIGESTS:
        Reports(lake.store).keep(digest, b"<html>")
    lake.store.write_json("evaluation/data.json", {"metrics": {"model_sha256": DIGESTS[0]}})

    assert reports(lake, [DIGESTS[1]], datetime.now(UTC)).surplus == []
    freed = reports(lake, [DIGESTS[1]], LATER).free()

    assert [thing.name for thing in freed] == [f"evaluation/_reports/{DIGESTS[2]}.html"]
    assert {each.model_sha256 for each in Reports(lake.store).newest_first()} == {*DIGESTS[:2]}


def test_days_of_requests_go_when_they_are_old_and_never_where_that_is_off(lake: Lake) -> None:
    today = datetime.now(UTC).date()
    days = [(today - timedelta(days=ago)).isoformat() for ago in (800, 730, 729)]
    keep_days(lake, dict.fromkeys(days, 1))

    assert request_rows(lake, 0, datetime.now(UTC)).surplus == []
    freed = request_rows(lake, 730, datetime.now(UTC)).free()

    assert [thing.name for thing in freed] == [f"{CAPTURED_REQUESTS}/request_day={days[0]}"]
    assert len(list(lake.store.list(f"{CAPTURED_REQUESTS}/"))) == 3
    assert list(LastDrift(lake).kept_days()) == days[1:]
    assert captured_rows(lake).is_empty(), "monitoring reads the others"


def test_the_versions_that_the_last_evaluation_compares_with_are_told(lake: Lake) -> None:
    assert compared_versions(lake) == []
    options = {"champion-version": 7, "reference-version": 3, "missing-rows": 0}
    lake.store.write_json("evaluation/data.json", {"request": {"options": options}})

    assert compared_versions(lake) == [7, 3]


def test_no_folder_is_deleted_by_mistake(lake: Lake) -> None:
    for folder in ("", ".", "/", "./"):
        with pytest.raises(StorageError, match="not deleted as a whole"):
            lake.store.delete_folder(folder)


def test_capture_files_go_when_they_are_old_and_were_read(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    captures = Captures(ObjectStore(tmp_path / "captured"), "abalone")
    for day in ("2025/03/03", "2025/03/04", "2025/03/05"):
        captures.store.write(f"abalone/AllTraffic/{day}/10/a.jsonl", b"no JSON\n")
    for read in ("2025-03-03", "2025-03-05"):
        read_day(captures, lake, read)
    now = datetime(2025, 6, 3, tzinfo=UTC)

    assert capture_files(captures, lake, 0, now).surplus == []
    kind = capture_files(captures, lake, 90, now)
    freed = kind.free()

    assert [(thing.name, thing.size) for thing in freed] == [("2025-03-03", 8)]
    reasons = {thing.name: thing.kept for thing in kind.kept}
    assert reasons == {"2025-03-04": "not read yet", "2025-03-05": "younger than 90 days"}
    assert list(captures.files_by_day()) == [date(2025, 3, 4), date(2025, 3, 5)]


def test_a_day_whose_rows_are_damaged_keeps_its_files_and_holds_up_no_other(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    captures = Captures(ObjectStore(tmp_path / "captured"), "abalone")
    for day in ("2025/03/03", "2025/03/04"):
        captures.store.write(f"abalone/AllTraffic/{day}/10/a.jsonl", b"no JSON\n")
        read_day(captures, lake, day.replace("/", "-"))
    damaged = lake.key("captured_requests", "2025-03-03")
    lake.store.write(damaged, b"no Parquet")

    kind = capture_files(captures, lake, 90, datetime(2025, 6, 3, tzinfo=UTC))

    (warning,) = kind.warnings
    assert warning.startswith(f"{lake.store.uri_of(damaged)}: cannot be read")
    assert "delete it and materialize captured_requests of 2025-03-03 again" in warning
    assert [thing.name for thing in kind.free()] == ["2025-03-04"]
    assert delete_old(captures, lake, date(2025, 6, 3)) == []
    assert list(captures.files_by_day()) == [date(2025, 3, 3)]
    lake.store.delete(damaged)
    assert read_day(captures, lake, "2025-03-03") is not None
    assert delete_old(captures, lake, date(2025, 6, 3)) == ["2025-03-03"]


def test_so_do_those_whose_rows_are_too_old_to_be_kept(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "lake"))
    captures = Captures(ObjectStore(tmp_path / "captured"), "abalone")
    for day in ("2025/03/03", "2025/03/04"):
        captures.store.write(f"abalone/AllTraffic/{day}/10/a.jsonl", b"no JSON\n")
    read_day(captures, lake, "2025-03-03")
    now = datetime(2025, 6, 3, tzinfo=UTC)
    assert len(request_rows(lake, 30, now).free()) == 1

    assert capture_files(captures, lake, 90, now).surplus == [], "lost before their time?"
    freed = capture_files(captures, lake, 90, now, keep_request_days=30).free()

    assert [thing.name for thing in freed] == ["2025-03-03"]
    assert list(captures.files_by_day()) == [date(2025, 3, 4)]


def test_staged_files_go_once_nobody_writes_them(tmp_path: Path) -> None:
    store, zone = ObjectStore(tmp_path / "lake"), ObjectStore(tmp_path / "zone")
    store.write("asset/data.parquet", to_parquet_of_nothing())
    old, young = (tmp_path / f"lake/asset/data.parquet#{number}" for number in (1, 2))
    uploads = [tmp_path / "zone" / name for name in (f".s.{'0' * 32}.staged", "a crew's #1")]
    aged = tmp_path / "zone/aged" / f".ages.csv.{'f' * 32}.staged"
    for path in (old, young, *uploads, aged):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")
    hours_ago = old.stat().st_mtime - 7200
    for path in (old, *uploads, aged):
        os.utime(path, (hours_ago, hours_ago))

    freed = staged_files([store, store], zone, NO_UPLOADS).free()

    assert [thing.name for thing in freed] == [str(old), str(uploads[0]), str(aged)]
    assert young.exists()
    assert uploads[1].exists(), "not ours"
    assert staged_files([store], ObjectStore(tmp_path / "nowhere"), NO_UPLOADS).free() == []


def test_so_do_uploads_that_nobody_confirmed_in_time(tmp_path: Path) -> None:
    """Only the next upload removed them: of the last ones of a server up to 512 MiB stayed."""
    uploads, store = StagedUploads.of(tmp_path), ObjectStore(tmp_path / "lake")
    old, young = (uploads.add("crew.csv", b"M,0.4\n") for _ in range(2))
    long_ago = datetime.now(UTC).timestamp() - KEPT_SECONDS - 60
    os.utime(uploads.folder / old, (long_ago, long_ago))

    (freed,) = staged_files([store], ObjectStore(tmp_path / "zone"), uploads).free()

    assert Path(freed.name).name == old
    assert uploads.get(young) is not None
    assert [path.name for path in uploads.folder.iterdir()] == [young]


def test_what_may_not_be_removed_holds_up_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ObjectStore(tmp_path / "lake")
    before = datetime.now(UTC).timestamp() - 7200
    for number in (1, 2):
        path = tmp_path / f"lake/asset/data.parquet#{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
        os.utime(path, (before, before))
    unlink = Path.unlink

    def refuse(path: Path, *, missing_ok: bool = False) -> None:
        if path.name.endswith("#1"):
            raise PermissionError(errno.EPERM, "Operation not permitted")
        unlink(path, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", refuse)
    freed = staged_files([store], ObjectStore(tmp_path / "zone"), NO_UPLOADS).free()
    assert [Path(thing.name).name for thing in freed] == ["data.parquet#2"]


def to_parquet_of_nothing() -> bytes:
    import polars as pl

    return to_parquet(pl.DataFrame({"rings": []}))
