"""What is held follows from files, base survey and acceptances, in whatever order they came."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from threading import Event
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest

from abalone_assets.errors import StorageError, SurveyError
from abalone_assets.ingest import commit
from abalone_assets.ingest.accepted_files import (
    LEDGER_KEY,
    AcceptedFile,
    accept_file,
    accepted_files,
    held_files,
)
from abalone_assets.ingest.commit import commit_parsed_days
from abalone_assets.ingest.days import parse_days
from abalone_assets.ingest.earlier import Earlier
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.ingest.frames import survey_frame, to_parquet
from abalone_assets.ingest.held_files import Judge
from abalone_assets.ingest.memory import Memory, Patience
from abalone_assets.ingest.reconcile import find_due, missing_days
from abalone_assets.ingest.synthetic_files import (
    SyntheticFile,
    record_synthetic_file,
    synthetic_files,
)
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest import BEING_WRITTEN, IngestedRaw
from abalone_assets.lake.manifest_store import commit_raw, writing_days
from abalone_assets.lake.writers import Writer
from abalone_assets.sample_data import base_survey
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey import parse_survey
from abalone_assets.survey.origin import SYNTHETIC
from abalone_assets_tests.support.whole_surveys import Animals, scaled

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from abalone_assets.ingest.landing_zone import Landing

PATIENCE: Final = 60.0
DAYS = ("2025-03-03", "2025-03-04", "2025-03-05")
NAMES = [f"abalone.{day.replace('-', '')}120000" for day in DAYS]
WEIGHTS = ("whole_weight", "shucked_weight", "viscera_weight", "shell_weight")
WHY = {"because": "a bay of giants", "by": "ana"}


class World:
    """A landing zone of three files: as the base survey's animals, lighter, and half as heavy."""

    def __init__(self, folder: Path) -> None:
        self.lake, self.memory = Lake(str(folder / "lake")), Memory()
        (folder / "zone").mkdir()
        self.zone = FolderLandingZone(folder / "zone")
        animals = Animals.of(base_survey())
        self.base = animals[1000:]
        for name, first, factor in zip(NAMES, (0, 100, 200), (1.0, 0.75, 0.4), strict=True):
            lighter = animals[first : first + 100].with_error(scaled(WEIGHTS, factor))
            self.zone.land(name, lighter.file())

    def ingest(self, *days: str, judge: Judge | None = None, writer: Writer | None = None) -> None:
        judge = judge or Judge.of(self.lake)
        for day in days:
            earlier = Earlier(self.lake, self.lake.manifest(), self.memory, Patience())
            parsed = parse_days(
                self.zone,
                [day],
                synthetic=lambda: synthetic_files(self.lake.store).keys(),
                judge=judge,
                earlier=earlier,
            )
            tables = {"new_surveys": parsed.rows, "quarantined_rows": parsed.quarantined}
            for asset, rows in tables.items():
                self.lake.store.write(self.lake.key(asset, day), to_parquet(rows[day]))
            commit_parsed_days(self.lake, parsed.entries, judge, writer)

    def ingest_base(self, factor: float, digest: str) -> None:
        data = self.base.with_error(scaled(WEIGHTS, factor)).file()
        rows = survey_frame([parse_survey(data, "base")])
        self.lake.store.write(self.lake.key("raw_abalone"), to_parquet(rows))
        raw = IngestedRaw(digest, "base", simulated=False, rows=len(rows), quarantined=0)
        judge = Judge.on(rows, digest, accepted_files(self.lake.store).keys())
        commit_raw(self.lake.store, raw, judge_again=judge.judge_again(self.lake))

    def due(self) -> list[str]:
        landing = self.landing()
        due = find_due(landing, self.lake.manifest(), self.zone.read, memory=self.memory)
        self.memory = self.memory.after(landing, due.memory)
        return list(due.days)

    def landing(self) -> Landing:
        return self.zone.scan(date.fromisoformat(DAYS[0]), date.fromisoformat(DAYS[-1]))

    def settle(self) -> list[str]:
        """Ingest what is due until nothing is; the names of what is held then."""
        while due := self.due():
            self.ingest(*due)
        return [file.name for file in held_files(self.lake.store)]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_a_held_file_adds_no_rows_and_leaves_its_day_in_peace(world: World) -> None:
    assert world.settle() == NAMES[1:]
    days = world.lake.manifest().days
    assert [days[day].rows for day in DAYS] == [100, 0, 0]
    assert [days[day].held_rows for day in DAYS] == [0, 100, 100]
    assert world.due() == []


@pytest.mark.parametrize("base_comes", ["first", "between", "last"])
def test_the_base_survey_judges_all_files_whenever_it_comes(world: World, base_comes: str) -> None:
    before = {"first": (), "between": DAYS[:2], "last": DAYS}[base_comes]
    world.ingest(*before)
    world.ingest_base(0.7, "lighter animals")
    assert world.settle() == [NAMES[0], NAMES[2]]
    days = world.lake.manifest().days
    assert {day.judged_by for day in days.values()} == {"lighter animals"}
    world.ingest_base(1.0, "UCI's animals")
    assert world.settle() == NAMES[1:]


def test_a_base_survey_that_says_the_same_leaves_days_as_they_are(world: World) -> None:
    world.ingest(DAYS[0])
    world.ingest_base(1.0, "base")
    day = world.lake.manifest().days[DAYS[0]]
    assert (day.rows, day.judged_by) == (100, "base")
    assert world.due() == list(DAYS[1:])


def test_days_before_the_first_survey_day_are_judged_too(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They were revoked: moved back to them, that day found them without rows."""
    world.ingest(*DAYS)
    monkeypatch.setenv("ABALONE_FIRST_SURVEY_DAY", DAYS[2])
    world.ingest_base(1.0, "base")
    lost = world.lake.key("new_surveys", DAYS[0])
    rows = world.lake.store.read(lost)
    world.lake.store.delete(lost)
    world.ingest_base(1.0, "another base")
    world.lake.store.write(lost, rows)
    monkeypatch.delenv("ABALONE_FIRST_SURVEY_DAY")
    day = world.lake.manifest().days[DAYS[0]]
    assert (day.rows, day.judged_by) == (100, "base"), "nobody could have taken it in again"
    assert world.lake.manifest().days[DAYS[1]] == BEING_WRITTEN, "it has a held file"
    world.ingest_base(1.0, "one more base")
    assert world.lake.manifest().days[DAYS[0]].judged_by == "one more base"


def test_a_day_that_was_judged_by_a_base_survey_of_before_stays_due(world: World) -> None:
    before = Judge.of(world.lake)
    world.ingest_base(0.7, "lighter animals")
    world.ingest(DAYS[0], judge=before)
    assert world.lake.manifest().days[DAYS[0]] == BEING_WRITTEN
    assert world.settle() == [NAMES[0], NAMES[2]]


def test_an_accepted_file_is_ingested_and_stays_so_in_a_lake_made_again(world: World) -> None:
    world.settle()
    entry = accept_file(world.lake.store, NAMES[2], **WHY)
    assert (entry.name, entry.because, entry.by) == (NAMES[2], "a bay of giants", "ana")
    assert "whole_weight is 0.4" in entry.held
    assert world.due() == [DAYS[2]]
    assert world.settle() == [NAMES[1]]
    assert world.lake.manifest().days[DAYS[2]].rows == 100
    world.lake.store.delete("manifest.json")
    assert world.settle() == [NAMES[1]]
    world.ingest_base(1.0, "base")
    assert world.settle() == [NAMES[1]]


def test_another_content_of_an_accepted_name_is_judged_anew(world: World) -> None:
    world.settle()
    accept_file(world.lake.store, NAMES[1], **WHY)
    assert world.settle() == [NAMES[2]]
    world.zone.land(NAMES[1], world.zone.read(NAMES[2]))
    assert world.settle() == NAMES[1:]


def test_a_file_that_lands_again_corrected_is_held_no_more(world: World) -> None:
    world.settle()
    world.zone.land(NAMES[2], world.zone.read(NAMES[0]))
    assert world.settle() == [NAMES[1]]


def test_an_acceptance_while_the_day_is_ingested_counts(world: World) -> None:
    world.settle()
    judge = Judge.of(world.lake)
    accept_file(world.lake.store, NAMES[2], **WHY)
    world.ingest(DAYS[2], judge=judge)  # it read the ledger before
    assert world.due() == [DAYS[2]]
    assert world.settle() == [NAMES[1]]


class WaitsAtTheLedger(ObjectStore):
    """The store of somebody who accepts a file, and is slow."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.is_there, self.may_go_on, self.is_done = Event(), Event(), Event()

    def update_json(self, key: str, *arguments: Any, **options: Any) -> Any:
        if key == LEDGER_KEY:
            self.is_there.set()
            assert self.may_go_on.wait(PATIENCE)
        else:  # the manifest, which the commit has locked
            self.is_done.set()
        return super().update_json(key, *arguments, **options)

    def accept(self) -> None:
        try:
            accept_file(self, NAMES[2], **WHY)
        finally:
            self.is_done.set()


def test_an_acceptance_amid_a_commit_that_has_read_the_ledger_counts(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It finds its file held, then a run begins, and nowhere but in the run's note is its day."""
    world.settle()
    store, writer = WaitsAtTheLedger(world.lake.store.uri), Writer.this("run")

    def read_before_it_was_accepted(lake: ObjectStore) -> Mapping[str, AcceptedFile]:
        found = accepted_files(lake)
        store.may_go_on.set()
        assert store.is_done.wait(PATIENCE)
        return found

    monkeypatch.setattr(commit, "accepted_files", read_before_it_was_accepted)
    with ThreadPoolExecutor(1) as pool:
        accepting = pool.submit(store.accept)
        assert store.is_there.wait(PATIENCE)
        with writing_days(world.lake.store, [DAYS[2]], writer):
            world.ingest(DAYS[2], writer=writer)
        accepting.result()
    assert world.due() == [DAYS[2]]
    assert world.settle() == [NAMES[1]]


@pytest.fixture
def neighbour(world: World) -> str:
    """A good file beside a held one, both in the lake."""
    name = NAMES[2].replace("120000", "090000")
    world.zone.land(name, world.zone.read(NAMES[0]))
    world.settle()
    return name


def refused(world: World, *names: str) -> FolderLandingZone:
    """The world's landing zone where these files cannot be read."""

    class Refusing(FolderLandingZone):
        def read(self, name: str) -> bytes:
            if name in names:
                raise StorageError(f"{name}: permission denied")
            return super().read(name)

    return Refusing(world.zone.folder)


@pytest.mark.parametrize("unreadable", ["the neighbour", "the accepted file"])
def test_what_cannot_be_read_keeps_its_rows_when_a_file_of_its_day_is_accepted(
    world: World, neighbour: str, unreadable: str
) -> None:
    readable, name = world.zone, neighbour if unreadable == "the neighbour" else NAMES[2]
    accept_file(world.lake.store, NAMES[2], **WHY)
    world.zone = refused(world, name)
    held = [NAMES[1]] if name == neighbour else NAMES[1:]
    assert world.settle() == held
    rows = {file.name: file.rows for file in world.lake.manifest().days[DAYS[2]].files}
    assert rows == {neighbour: 100, NAMES[2]: 100 if name == neighbour else 0}
    world.zone, world.memory = readable, Memory()
    assert world.due() == [DAYS[2]]
    assert world.settle() == [NAMES[1]]
    assert world.lake.manifest().rows_of(DAYS[2]) == 200


def test_an_acceptance_while_the_landing_zone_is_away_takes_nothing_out_of_the_lake(
    world: World, neighbour: str
) -> None:
    digest, before = world.lake.manifest().digest, held_files(world.lake.store)
    away = world.zone.folder.rename(world.zone.folder.with_name("away"))
    world.zone.folder.mkdir()
    assert world.due() == []
    accept_file(world.lake.store, NAMES[2], **WHY)
    assert missing_days(world.landing(), world.lake.manifest(), world.memory) == DAYS
    assert world.due() == [DAYS[2]]
    assert world.settle() == [file.name for file in before]
    assert world.lake.manifest().digest == digest, "no release is asked for"
    world.zone.folder.rmdir()
    away.rename(world.zone.folder)
    assert world.due() == [DAYS[2]]
    assert world.settle() == [NAMES[1]]


def test_rows_that_are_kept_are_simulated_where_somebody_has_told_so_since(
    world: World, neighbour: str
) -> None:
    sha256 = hashlib.sha256(world.zone.read(neighbour)).hexdigest()
    world.zone = refused(world, neighbour)
    record_synthetic_file(world.lake.store, sha256, SyntheticFile(neighbour, 100, "copula", 0, "1"))
    world.settle()
    assert world.lake.manifest().days[DAYS[2]].synthetic_rows == 100
    rows = pl.read_parquet(world.lake.uri("new_surveys", DAYS[2]))
    assert set(rows["origin"]) == {SYNTHETIC}


def test_only_a_held_file_can_be_accepted(world: World) -> None:
    world.settle()
    with pytest.raises(SurveyError, match=rf"no such file is held \(held: {NAMES[1]}, {NAMES[2]}"):
        accept_file(world.lake.store, NAMES[0], **WHY)
    accept_file(world.lake.store, NAMES[1], **WHY)
    world.settle()
    with pytest.raises(SurveyError, match="not held; ana accepted it at"):
        accept_file(world.lake.store, NAMES[1], **WHY)


def test_a_release_is_due_for_an_accepted_file_not_for_a_held_one(world: World) -> None:
    world.settle()
    manifest = world.lake.manifest()
    kept = replace(manifest, days={DAYS[0]: manifest.days[DAYS[0]]})
    assert manifest.digest == kept.digest
    accept_file(world.lake.store, NAMES[1], **WHY)
    world.settle()
    assert world.lake.manifest().digest != manifest.digest
