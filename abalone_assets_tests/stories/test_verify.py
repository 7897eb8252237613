"""`abalone verify` finds whatever is not as recorded, and says nothing is wrong when it is not."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl
import pytest

from abalone_assets.automation.alert_sensor import WATCHED_JOBS
from abalone_assets.automation.runs import VERIFY_JOB, Runs
from abalone_assets.defs.verification import verify_schedule
from abalone_assets.doctor.verify import inputs, models
from abalone_assets.doctor.verify.run import DAYS_A_NIGHT, days_of_night, verify_at_night
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.lake import kept_inputs
from abalone_assets.lake.manifest_store import revoke_days
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.settings.platform import load_settings
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.automation.support import files_below, ingest, name_of
from abalone_assets_tests.cli.support import abalone, abalone_json
from abalone_assets_tests.provenance.support import Little
from abalone_assets_tests.stories.finished import BAD_ROW, DAYS, finished_home, kept_whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from abalone_assets.lake.lake import Lake
    from abalone_assets_tests.support.platform import Platform

pytestmark = pytest.mark.xdist_group("verify")  # one home for all


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with finished_home(tmp_path_factory.mktemp("verified")) as platform:
        yield platform


@pytest.fixture
def home(finished: Platform, tmp_path: Path) -> Iterator[Path]:
    """A finished home, whole again after each test."""
    with kept_whole(finished.home, tmp_path, "lake", "registry", "landing_zone"):
        yield finished.home


def day(home: Path, asset: str) -> Path:
    return home / "lake" / asset / f"survey_day={DAYS[0]}" / "data.parquet"


def cut(path: Path) -> None:
    """Take the last row away."""
    rows = pl.read_parquet(path, hive_partitioning=False)
    rows.head(len(rows) - 1).write_parquet(path)


def spoil(path: Path) -> None:
    """Change a byte in the middle."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def halve(path: Path) -> None:
    """Leave the first half."""
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])


def swap_ages(path: Path) -> None:
    """Give each animal the rings of the one before."""
    rows = pl.read_parquet(path, hive_partitioning=False)
    rows.with_columns(pl.col("rings").reverse()).write_parquet(path)


def revoke(home: Path) -> None:
    revoke_days(ObjectStore(home / "lake"), [DAYS[0]])


def mislead(home: Path) -> None:
    publish_pointer(ObjectStore(home / "registry"), "abalone", 9)


def change_part(home: Path) -> None:
    """Let the files of a day be others than it was committed with."""
    (part,) = (
        path
        for path in (home / "lake/_manifest").iterdir()
        if path.name in (home / "lake/manifest.json").read_text()
    )
    document = json.loads(part.read_text())
    document["days"][DAYS[0]]["files"][0]["sha256"] = "0" * 64
    part.write_text(json.dumps(document))


def archive(home: Path) -> Path:
    return home / "registry/versions/000002/model.tar.gz"


def write_otherwise(path: Path) -> None:
    """The same rows in other bytes."""
    pl.read_parquet(path).write_parquet(path, compression="lz4")


def kept_document(home: Path) -> Path:
    return min((home / "lake/_kept/days").iterdir())


def remove_outputs(home: Path) -> None:
    for path in home.glob("lake/trained_model/*/output/model.tar.gz"):
        path.unlink()


def remove_reports(home: Path) -> None:
    for path in (home / "lake/evaluation/_reports").iterdir():
        path.unlink()


def remove_parts(home: Path) -> None:
    for path in (home / "lake/_manifest").iterdir():
        path.unlink()


DAMAGES: list[tuple[Callable[[Path], object], str, str, str]] = [
    (remove_parts, "manifest", "failed", "no such part of the manifest"),
    (change_part, "survey days", "failed", "do not have the digest"),
    (lambda home: day(home, "new_surveys").unlink(), "survey days", "failed", "0 of 6 rows of"),
    (lambda home: cut(day(home, "new_surveys")), "survey days", "failed", "5 of 6 rows of"),
    (lambda home: halve(day(home, "new_surveys")), "survey days", "failed", "cannot be read"),
    (
        lambda home: swap_ages(day(home, "new_surveys")),
        "survey days",
        "failed",
        "other rows of abalone.20250303120000 than its bytes have",
    ),
    (
        lambda home: (home / "landing_zone" / name_of(DAYS[1])).write_bytes(BAD_ROW),
        "landing zone",
        "warning",
        "1 file is written anew since",
    ),
    (
        lambda home: cut(day(home, "quarantined_rows")),
        "survey days",
        "failed",
        "0 of 1 quarantined rows",
    ),
    (revoke, "survey days", "warning", "1 survey day is being written"),
    (
        lambda home: cut(home / "lake/raw_abalone/data.parquet"),
        "base survey in the lake",
        "failed",
        "799 rows of 800",
    ),
    (
        lambda home: (home / "landing_zone" / name_of(DAYS[1])).unlink(),
        "landing zone",
        "warning",
        name_of(DAYS[1]),
    ),
    (lambda home: cut(home / "lake/train_split/data.parquet"), "splits", "failed", "in the splits"),
    (
        lambda home: swap_ages(home / "lake/train_split/data.parquet"),
        "splits",
        "failed",
        "train_split: holds other bytes than were prepared",
    ),
    (
        lambda home: (home / "lake/test_split/data.parquet").unlink(),
        "splits",
        "failed",
        "test_split: no such object",
    ),
    (
        lambda home: (home / "lake/merged_dataset/_preparation.json").unlink(),
        "splits",
        "warning",
        "nothing is prepared",
    ),
    (remove_outputs, "last model", "failed", "no such object"),
    (remove_reports, "last model", "warning", "has no report"),
    (lambda home: spoil(archive(home)), "model versions", "failed", "version 2: .*SHA-256 is"),
    (lambda home: archive(home).unlink(), "model versions", "failed", "version 2: .*is gone"),
    (mislead, "model versions", "failed", "version 9 "),
    (
        lambda home: spoil(kept_document(home)),
        "inputs of versions",
        "failed",
        "1 kept object is other than the digest in its name",
    ),
    (
        lambda home: kept_document(home).unlink(),
        "inputs of versions",
        "failed",
        "1 input of versions is gone: _kept/days/2025-03.* of version",
    ),
    (
        lambda home: write_otherwise(home / "lake/raw_abalone/data.parquet"),
        "inputs of versions",
        "failed",
        "2 inputs of versions are gone: base survey of version 1, base survey of version 2",
    ),
]


def found(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    return {each["subject"]: each for each in document["findings"]}


def test_a_finished_home_is_as_recorded_and_stays_as_it_is(home: Path) -> None:
    before = files_below(home / "lake") | files_below(home / "registry")

    findings = found(abalone_json("verify"))

    assert {each["outcome"] for each in findings.values()} == {"ok"}
    assert "2 survey days and the base survey: 812 rows" in findings["manifest"]["found"]
    assert findings["landing zone"]["found"].startswith("the bytes of 2 files are")
    assert files_below(home / "lake") | files_below(home / "registry") == before
    assert "All is well." in abalone("verify").output


@pytest.mark.parametrize(("damage", "subject", "outcome", "told"), DAMAGES)
def test_each_damage_is_told_with_what_to_do(
    home: Path, damage: Callable[[Path], object], subject: str, outcome: str, told: str
) -> None:
    damage(home)

    result = abalone("verify", "--json")

    findings = found(json.loads(result.stdout))
    assert result.exit_code == (1 if outcome == "failed" else 0)
    assert findings[subject]["outcome"] == outcome, findings
    assert findings[subject]["remedy"]
    assert re.search(told, findings[subject]["found"]), findings[subject]["found"]
    others = {each["subject"] for each in findings.values() if each["outcome"] == "failed"}
    too = {"inputs of versions"}  # damaged rows are missing to versions too
    if damage is change_part:
        too.add("landing zone")  # its file is another than is listed, until it is put back once
    assert others <= {subject, *too}


def test_a_file_whose_bytes_decayed_is_told(
    finished: Platform, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoke(home)
    assert ingest(finished) == [True]  # its token is that of the file as it lies here now
    read = FolderLandingZone.read
    monkeypatch.setattr(
        FolderLandingZone, "read", lambda zone, name: read(zone, name).replace(b"15", b"16", 1)
    )

    finding = found(json.loads(abalone("verify", "--json").stdout))["landing zone"]

    assert finding["outcome"] == "failed"
    assert name_of(DAYS[0]) in finding["found"]
    assert (home / "landing_zone").exists()


def test_an_old_archive_that_was_removed_is_no_damage(home: Path) -> None:
    registry = FolderRegistry(ObjectStore(home / "registry"))
    (home / "registry/endpoints/abalone.json").write_text(
        json.dumps({"endpoint": "abalone", "version": 2, "previous": None, "requested_at": "now"})
    )
    document = json.loads((home / "lake/evaluation/data.json").read_text())
    document["request"]["options"] = {}
    (home / "lake/evaluation/data.json").write_text(json.dumps(document))
    version = json.loads((home / "registry/versions/000002/version.json").read_text())
    version["decision"]["rule"] = "better_than_champion"  # so that it is a reference itself
    (home / "registry/versions/000002/version.json").write_text(json.dumps(version))
    registry.remove_archive(1)

    finding = found(abalone_json("verify"))["model versions"]

    assert finding["outcome"] == "ok"
    assert "of older ones 1 removed" in finding["found"]


def test_what_gc_removes_meanwhile_is_no_damage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The archive of an old version went, and then what it alone was made from."""
    little = Little(tmp_path)
    little.base()
    little.ingest("2025-03-14", 1)
    little.release()
    little.ingest("2025-03-14", 2)
    little.release()
    (rows,) = (tmp_path / "lake/_kept/rows").iterdir()
    document = min((tmp_path / "lake/_kept/days").iterdir(), key=lambda each: each.stat().st_mtime)
    listed = little.lake.store.list

    def list_and_lose(prefix: str = "") -> list[Any]:
        found = [*listed(prefix)]
        if prefix == kept_inputs.ROWS:
            little.registry.remove_archive(1)
            rows.unlink()
            document.unlink()
        return found

    monkeypatch.setattr(little.lake.store, "list", list_and_lose)
    (finding,) = inputs.input_findings(little.lake, little.registry, sorted)
    assert finding.outcome == "ok", finding


def test_an_archive_that_gc_removes_meanwhile_is_no_damage(tmp_path: Path) -> None:
    little = Little(tmp_path)
    little.base()
    little.release()
    version = little.registry.get(1)
    little.registry.remove_archive(1)
    assert models._archive(little.registry, version, needed=()) == ""
    assert "is gone" in models._archive(little.registry, version, needed=(1,))


def asked(platform: Platform) -> dg.RunRequest:
    """What the schedule asks for."""
    with dg.build_schedule_context(platform.instance) as context:
        (request,) = verify_schedule.evaluate_tick(context).run_requests or ()
    return request


def test_the_nights_look_tells_damage_by_a_run_that_fails(
    finished: Platform, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("abalone_assets.doctor.verify.run.time.sleep", lambda _: None)
    assert finished.run(VERIFY_JOB, asked(finished)).success
    spoil(archive(home))

    result = finished.run(VERIFY_JOB, asked(finished), raise_on_error=False)

    assert not result.success
    error = Runs(finished.instance, ()).error_of(result.run_id)
    assert "model versions: 1 archive is not as registered: version 2" in error
    assert "restore them from a copy" in error
    assert VERIFY_JOB in WATCHED_JOBS


@pytest.mark.usefixtures("home")
def test_what_a_run_was_writing_is_not_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is amiss at the first look and whole at the second."""
    whole, waited = archive(home).read_bytes(), []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        archive(home).write_bytes(whole)

    monkeypatch.setattr("abalone_assets.doctor.verify.run.time.sleep", wait)
    spoil(archive(home))

    findings = verify_at_night(load_settings(), 0)

    assert {each.outcome for each in findings} == {"ok"}
    assert waited == [60.0]


def test_a_night_reads_its_share_of_the_days(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("abalone_assets.doctor.verify.run.DAYS_A_NIGHT", 1)
    monkeypatch.setattr("abalone_assets.doctor.verify.run.time.sleep", lambda _: None)
    cut(day(home, "new_surveys"))
    told = [
        {each.subject: each for each in verify_at_night(load_settings(), night)}
        for night in range(2)
    ]
    assert [each["survey days"].outcome for each in told] == ["failed", "ok"]
    assert "1 day read now" in told[0]["manifest"].found


def test_a_night_reads_its_share_of_what_old_releases_need(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All days of all versions were read every night, however many these are."""
    little, days = Little(tmp_path), ("2025-03-14", "2025-03-15", "2025-04-02")
    little.base()
    for seed, each in enumerate(days):
        little.ingest(each, seed)
    little.release()
    little.ingest(days[0], 7)  # so that what the version was made from lies in what is kept
    monkeypatch.setattr("abalone_assets.doctor.verify.run.DAYS_A_NIGHT", 1)
    looked = list[str]()
    read = kept_inputs.rows_of

    def rows_of(lake: Lake, place: str, sha256: str) -> bytes | None:
        looked.append(place)
        return read(lake, place, sha256)

    monkeypatch.setattr(inputs, "rows_of", rows_of)
    for night in range(4):
        chosen = partial(days_of_night, night=night)
        (finding,) = inputs.input_findings(little.lake, little.registry, chosen)
        assert finding.outcome == "ok", finding
        assert "1 object read now" in finding.found
    assert sorted(looked) == sorted((*days, "raw_abalone"))
    (kept,) = (tmp_path / "lake/_kept/rows").iterdir()
    kept.unlink()
    chosen = partial(days_of_night, night=0)
    (finding,) = inputs.input_findings(little.lake, little.registry, chosen)
    assert (finding.outcome, days[0] in finding.found) == ("failed", True)


@pytest.mark.parametrize("count", [0, 1, 200, 201, 2000])
def test_each_day_comes_once_in_a_round_of_nights(count: int) -> None:
    days = [f"{number:05}" for number in range(count)]
    nights = -(-count // DAYS_A_NIGHT) or 1
    looked = [days_of_night(days, 739_000 + night) for night in range(nights)]
    assert sorted(day for each in looked for day in each) == days
    assert max(map(len, looked)) <= DAYS_A_NIGHT
