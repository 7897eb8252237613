"""Intake and ageing over folder and S3 alike."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

from abalone_assets.ageing import intake
from abalone_assets.ageing.intake import Intake
from abalone_assets.errors import StorageError
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.ingest.landing_zone import LandingZone
from abalone_assets.ingest.memory import Growing, Memory, Patience
from abalone_assets.survey import ANIMALS, SURVEYS
from abalone_assets_tests.ageing.shore import EARLY, FIRST, LAST, LATE, KilledError, Shore
from abalone_assets_tests.ageing.support import MONDAY, animals


def test_a_file_gets_its_ages_beside_it_and_they_are_never_taken_for_landed(shore: Shore) -> None:
    shore.zone.land(EARLY, animals(300))
    shore.settle()
    told = shore.csv(EARLY)
    assert told is not None
    frame = pl.read_csv(BytesIO(told))
    assert frame["line"].to_list() == list(range(1, 301))
    assert frame["rings"].to_list() == shore.ages(MONDAY)["rings"].to_list()
    assert shore.zone.has_aged(EARLY)
    assert not shore.zone.has_aged(LATE)
    assert shore.csv(LATE) is None
    assert list(shore.zone.list_oddities()) == []
    assert [file.name for file in shore.zone.list_files(kind=ANIMALS)] == [EARLY]
    assert sorted(shore.zone.list_names()) == [EARLY]
    landing = shore.zone.scan(FIRST, LAST)
    assert (landing.days, landing.strays) == ({}, ())
    assert shore.due() == []


def test_files_of_both_kinds_lie_beside_each_other(shore: Shore) -> None:
    survey = EARLY.replace("animals", "abalone")
    shore.zone.land(survey, b"survey")
    shore.zone.land(EARLY, animals(3))
    shore.zone.land("animals.csv", b"nobody's")
    shore.zone.land("animals.20990101000000", b"of the future")
    for since in (None, FIRST):
        surveys = shore.zone.scan(FIRST, LAST, since, kind=SURVEYS)
        assert [file.name for file in surveys.days[MONDAY]] == [survey]
        unaged = shore.zone.scan(FIRST, LAST, since, kind=ANIMALS)
        assert [file.name for file in unaged.days[MONDAY]] == [EARLY]
        assert not unaged.strays
    strays = {each.file.name: each for each in shore.zone.scan(FIRST, LAST).strays}
    assert "call it animals.YYYYMMDDHHMMSS" in strays["animals.csv"].problem
    assert strays["animals.20990101000000"].waits
    found = shore.zone.find(EARLY)
    assert found is not None
    assert found.name == EARLY


def test_a_late_file_is_aged_alone_and_a_backfill_ages_all_again(shore: Shore) -> None:
    shore.zone.land(EARLY, animals(20))
    shore.settle()
    before = shore.csv(EARLY)
    shore.version = 2
    shore.zone.land(LATE, animals(30, seed=1))
    shore.settle()
    assert shore.asked == 50
    versions = shore.ages(MONDAY).group_by("source_file").agg(pl.col("model_version").unique())
    assert dict(versions.rows()) == {EARLY: [1], LATE: [2]}
    assert shore.csv(EARLY) == before
    assert shore.animals.aged()[MONDAY].versions == (1, 2)
    shore.age([MONDAY], again=True)
    assert set(shore.ages(MONDAY)["model_version"]) == {2}
    assert shore.csv(EARLY) != before


def test_what_is_gone_loses_its_ages(shore: Shore, tmp_path: Path) -> None:
    shore.zone.land(EARLY, animals(20))
    shore.zone.land(LATE, animals(5, seed=1))
    shore.settle()
    shore.zone.land(LATE, b"\xff no animals")
    shore.settle()
    assert shore.csv(LATE) is None
    assert set(shore.ages(MONDAY)["source_file"]) == {EARLY}
    assert tmp_path.exists()


def test_ages_that_a_crew_removed_come_back_when_the_day_is_written_again(shore: Shore) -> None:
    shore.zone.land(EARLY, animals(20))
    shore.settle()
    told = shore.csv(EARLY)
    shore.zone.remove_aged(EARLY)
    shore.zone.remove_aged(EARLY)
    shore.zone.land(LATE, animals(5, seed=1))
    shore.settle()
    assert shore.csv(EARLY) == told


def test_a_file_that_is_still_written_or_cannot_be_read_keeps_its_animals(
    shore: Shore, monkeypatch: pytest.MonkeyPatch
) -> None:
    shore.zone.land(EARLY, animals(20))
    shore.zone.land(LATE, animals(5, seed=1))
    shore.settle()
    before = shore.animals.manifest()
    if isinstance(shore.zone, FolderLandingZone):  # on S3 a file only comes whole
        (shore.zone.folder / EARLY).write_bytes(animals(7))
        memory = Memory(growing={EARLY: Growing("another", 0.0)})
        taking = Intake(shore.zone, shore.animals, before, memory, Patience(settle_seconds=1e9))
        growing = dict(taking.days([MONDAY]))[MONDAY]
        assert growing.is_conserved
        assert growing.entry == before.days[MONDAY]
    real = type(shore.zone).download

    def refuse(zone: LandingZone, name: str, target: Path) -> str:
        if name == EARLY:
            raise StorageError("no access")
        return real(zone, name, target)

    monkeypatch.setattr(type(shore.zone), "download", refuse)
    taking = Intake(shore.zone, shore.animals, before, Memory(), Patience())
    unread = dict(taking.days([MONDAY]))[MONDAY]
    assert unread.is_conserved
    assert unread.entry.rows == 25
    kept = unread.entry.files[0]
    assert (kept.e_tag, kept.rows) == ("", 20)
    assert "no access" in str(kept.problem)


def test_a_day_that_is_being_written_says_so_and_is_due(
    shore: Shore, monkeypatch: pytest.MonkeyPatch
) -> None:
    shore.zone.land(EARLY, animals(20))
    shore.settle()
    with monkeypatch.context() as patch:
        patch.setattr(intake, "joined", lambda *_: (_ for _ in ()).throw(KilledError))
        with pytest.raises(KilledError):
            shore.take_in([MONDAY])
    assert shore.animals.manifest().summaries[MONDAY].being_written
    assert shore.due() == [MONDAY]
