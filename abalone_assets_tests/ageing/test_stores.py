"""Intake and ageing over folder and S3 alike, and what a killed process leaves of them."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from datetime import date
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from abalone_assets.ageing import intake
from abalone_assets.ageing.aged_days import Ageing
from abalone_assets.ageing.doubts import Doubter
from abalone_assets.ageing.intake import Intake
from abalone_assets.ageing.rows_file import note_of, on_this_machine
from abalone_assets.errors import StorageError
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.ingest.landing_zone import LandingZone
from abalone_assets.ingest.memory import Growing, Memory, Patience
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.ingest.reconcile import find_due
from abalone_assets.lake.animals import Animals
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest_store import commit_days, revoke_days
from abalone_assets.modeling.inference import Predictions
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets.survey import ANIMALS, SURVEYS
from abalone_assets_tests.ageing.support import MONDAY, TUESDAY, animals, animals_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abalone_assets.ageing.ages import AnimalBlock

FIRST, LAST = date(2025, 1, 1), date(2025, 3, 31)
EARLY, LATE = animals_name(MONDAY, "080000"), animals_name(MONDAY, "160000")


class KilledError(BaseException):
    """The process ends here."""


@dataclass
class Shore:
    """A landing zone and a lake, and what a run does with them, without Dagster."""

    zone: LandingZone
    animals: Animals
    folder: Path
    version: int = 1
    asked: int = 0
    meanwhile: Callable[[], object] = lambda: None
    """What happens between the question to the model and its first answer, and after the last."""

    def due(self) -> list[str]:
        landing = self.zone.scan(FIRST, LAST, kind=ANIMALS)
        return list(find_due(landing, self.animals.manifest(), self.zone.read).days)

    def take_in(self, days: list[str]) -> None:
        taking = Intake(self.zone, self.animals, self.animals.manifest(), Memory(), Patience())
        taken = dict(taking.days(days, lambda: revoke_days(self.animals.records, days)))
        assert all(each.is_conserved for each in taken.values())
        commit_days(self.animals.records, {day: each.entry for day, each in taken.items()})

    def age(self, days: list[str], *, again: bool = False) -> None:
        with TemporaryDirectory(dir=self.folder) as folder:
            ageing = Ageing(self.animals, self.zone, self.version, Doubter(), Path(folder))
            list(ageing.age(ageing.plan(days, again=again), self._score))

    def _score(
        self, blocks: Callable[[], Iterator[AnimalBlock]]
    ) -> Iterator[tuple[AnimalBlock, Predictions]]:
        self.meanwhile()
        for block in blocks():
            self.asked += len(block.frame)
            rings = block.frame["length"].to_numpy() * 10 + self.version
            yield block, Predictions(rings, rings - 1, rings + 1)
        self.meanwhile()

    def settle(self) -> None:
        """What the sensor has done about whatever is due."""
        for _ in range(5):
            if due := self.due():
                for day in due:
                    self.take_in([day])
            elif to_age := self.animals.days_to_age(self.animals.manifest()):
                self.age(to_age)
            else:
                return
        raise AssertionError("it does not settle")

    def ages(self, day: str) -> pl.DataFrame:
        key = self.animals.lake.key("aged_animals", day)
        return pl.read_parquet(BytesIO(self.animals.store.read(key)))

    def csv(self, name: str) -> bytes | None:
        pieces = self.zone.read_aged(name)
        return None if pieces is None else b"".join(pieces)

    def everything(self) -> dict[str, Any]:
        """All that readers see."""
        aged = self.animals.aged()
        names = (EARLY, LATE, animals_name(TUESDAY))
        return {
            "tables": {day: self.ages(day).rows() for day, each in aged.items() if each.rows},
            "csv": {name: self.csv(name) for name in names},
            "aged": aged,
        }


def shore_at(zone: str, lake: str, folder: Path) -> Shore:
    (folder / "scratch").mkdir()
    return Shore(open_landing_zone(zone), Animals(Lake(lake)), folder / "scratch")


@pytest.fixture(params=["folder", "s3"])
def shore(request: pytest.FixtureRequest, tmp_path: Path, home: Path) -> Shore:
    assert home.exists()
    if request.param == "s3":
        bucket = request.getfixturevalue("s3")
        return shore_at(f"{bucket}/landing_zone", f"{bucket}/lake", tmp_path)
    (tmp_path / "zone").mkdir()
    return shore_at(str(tmp_path / "zone"), str(tmp_path / "lake"), tmp_path)


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


def test_ages_of_another_content_than_the_manifest_lists_are_refused(shore: Shore) -> None:
    shore.zone.land(EARLY, animals(20))
    shore.take_in([MONDAY])
    entry = shore.animals.manifest().days[MONDAY]
    shore.zone.land(EARLY, animals(10))
    shore.take_in([MONDAY])
    commit_days(shore.animals.records, {MONDAY: entry})
    with pytest.raises(StorageError, match=f"animals of {EARLY} are of another content"):
        shore.age([MONDAY])
    store, key = shore.animals.store, shore.animals.lake.key("unaged_animals", MONDAY)
    without_note = BytesIO()
    pl.read_parquet(BytesIO(store.read(key))).write_parquet(without_note)
    store.write(key, without_note.getvalue())  # as earlier releases wrote it
    with pytest.raises(StorageError, match="10 of 20 animals"):
        shore.age([MONDAY])
    assert not shore.animals.aged()


@pytest.mark.parametrize("links", [True, False])
def test_animals_that_are_corrected_and_put_back_while_they_are_scored_keep_no_other_ages(
    shore: Shore, monkeypatch: pytest.MonkeyPatch, *, links: bool
) -> None:
    """The object of before, the correction and the object of after have as many rows."""
    if not links:
        monkeypatch.setattr(Path, "hardlink_to", _refuse_links)
    shore.zone.land(EARLY, animals(20))
    shore.take_in([MONDAY])
    contents = [animals(20), animals(20, seed=1)]

    def correct() -> None:
        shore.zone.land(EARLY, contents.pop())
        shore.take_in([MONDAY])

    shore.meanwhile = correct
    shore.age([MONDAY])
    assert not contents
    lengths = pl.read_csv(BytesIO(animals(20)), has_header=False)[:, 1]
    assert shore.ages(MONDAY)["length"].to_list() == lengths.to_list()
    assert shore.animals.days_to_age(shore.animals.manifest()) == []


def test_a_days_animals_say_of_which_content_of_each_file_they_are(
    shore: Shore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def said() -> object:
        path = on_this_machine(
            shore.animals.store, shore.animals.lake.key("unaged_animals", MONDAY), scratch()
        )
        assert path is not None
        return note_of(path)

    def scratch() -> Path:
        return Path(mkdtemp(dir=shore.folder))

    def in_manifest() -> object:
        files = shore.animals.manifest().days[MONDAY].files
        return {"files": {file.name: file.sha256 for file in files}}

    def unreadable(*_: object) -> str:
        raise StorageError("no access")

    shore.zone.land(EARLY, animals(20))
    shore.take_in([MONDAY])
    assert said() == in_manifest()
    with monkeypatch.context() as patch:
        patch.setattr(type(shore.zone), "download", unreadable)
        shore.take_in([MONDAY])
    assert said() == in_manifest()
    shore.zone.land(LATE, animals(5, seed=1))
    shore.take_in([MONDAY])
    assert said() == in_manifest()


def _refuse_links(_: Path, target: Path) -> None:
    raise OSError(errno.EXDEV, "another file system", str(target))


def test_ages_of_animals_that_were_corrected_while_they_were_scored_replace_none(
    shore: Shore,
) -> None:
    shore.zone.land(EARLY, animals(20))
    shore.zone.land(animals_name(TUESDAY), animals(5))
    for day in (MONDAY, TUESDAY):
        shore.take_in([day])
    corrections = [animals(30, seed=1)]

    def correct() -> None:
        shore.meanwhile = lambda: None
        shore.zone.land(EARLY, corrections.pop())
        shore.take_in([MONDAY])
        shore.age([MONDAY])  # as another run does

    shore.meanwhile = correct
    shore.age([MONDAY, TUESDAY])
    assert not corrections
    assert shore.ages(MONDAY).height == 30
    told = shore.csv(EARLY)
    assert told is not None
    assert pl.read_csv(BytesIO(told)).height == 30
    assert shore.animals.aged().keys() == {MONDAY, TUESDAY}
    assert shore.animals.days_to_age(shore.animals.manifest()) == []


def test_ages_of_animals_that_are_taken_in_now_are_put_off(shore: Shore) -> None:
    shore.zone.land(EARLY, animals(20))
    shore.take_in([MONDAY])
    entry = shore.animals.manifest().days[MONDAY]
    shore.meanwhile = lambda: revoke_days(shore.animals.records, [MONDAY])
    shore.age([MONDAY])
    assert shore.csv(EARLY) is None
    assert not shore.animals.aged()
    shore.meanwhile = lambda: None
    commit_days(shore.animals.records, {MONDAY: entry})
    shore.settle()
    assert shore.ages(MONDAY).height == 20


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


WRITES = {
    "zone": (FolderLandingZone, ("write_aged", "remove_aged")),
    "store": (ObjectStore, ("write", "update_json")),
    "object": (Path, ("replace",)),
}


def killing(patch: pytest.MonkeyPatch, at: int, *, after: bool) -> list[int]:
    """Have the process end at its write of this number, before or after it is done."""
    count = [0]

    def deadly(real: Callable[..., Any]) -> Callable[..., Any]:
        def write(*args: Any, **kwargs: Any) -> Any:
            count[0] += 1
            mine = count[0]
            if mine == at and not after:
                raise KilledError
            done = real(*args, **kwargs)
            if mine == at:
                raise KilledError
            return done

        return write

    for owner, names in WRITES.values():
        for name in names:
            patch.setattr(owner, name, deadly(getattr(owner, name)))
    return count


@pytest.mark.parametrize("after", [False, True])
def test_a_process_that_is_killed_at_any_write_loses_and_doubles_nothing(
    home: Path, tmp_path: Path, *, after: bool
) -> None:
    assert home.exists()

    def story(shore: Shore) -> Iterator[None]:
        shore.zone.land(EARLY, animals(30))
        shore.zone.land(LATE, animals(20, seed=1))
        shore.zone.land(animals_name(TUESDAY), animals(4))
        yield
        shore.version = 2
        shore.zone.land(EARLY, animals(25, seed=2))
        assert isinstance(shore.zone, FolderLandingZone)
        (shore.zone.folder / LATE).unlink()
        yield

    def new(name: str) -> Shore:
        (tmp_path / name / "zone").mkdir(parents=True)
        return shore_at(
            str(tmp_path / name / "zone"), str(tmp_path / name / "lake"), tmp_path / name
        )

    expected, right = [], new("right")
    for _ in story(right):
        right.settle()
        expected.append(right.everything())
    for chapter in range(2):
        at = 0
        while True:
            at += 1
            shore = new(f"{chapter}-{at}")
            told = story(shore)
            for _ in range(chapter):
                next(told)
                shore.settle()
            next(told)
            with pytest.MonkeyPatch.context() as patch:
                killing(patch, at, after=after)
                try:
                    shore.settle()
                except KilledError:
                    pass
                else:
                    break
            shore.settle()
            assert shore.everything() == expected[chapter], f"killed at write {at}"
        assert at > 8
