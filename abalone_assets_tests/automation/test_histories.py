"""Whatever happens to files and lake, and wherever a process fails, it settles as it should.

``make soak`` goes through many more and longer histories than the suite.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.ingest.accepted_files import LEDGER_KEY as ACCEPTED_KEY
from abalone_assets.ingest.synthetic_files import LEDGER_KEY as SYNTHETIC_KEY
from abalone_assets.sample_data import base_survey
from abalone_assets_tests.automation.support import Clock, name_of
from abalone_assets_tests.support.faults import KILLS, REFUSES, Strike, install_faults
from abalone_assets_tests.support.histories import ASSETS, FIRST_DAY, World, keep_s3_in_memory
from abalone_assets_tests.support.platform import survey_rows
from abalone_assets_tests.support.random_histories import (
    Histories,
    History,
    integer,
    one_of,
    step,
    strikes,
)
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator
    from pathlib import Path

FIRST_SEED = int(os.environ.get("ABALONE_TEST_SEED", "1"))
SEEDS = int(os.environ.get("ABALONE_TEST_SEEDS", "1"))
HISTORIES = int(os.environ.get("ABALONE_TEST_HISTORIES", "12"))
STEPS = int(os.environ.get("ABALONE_TEST_HISTORY_STEPS", "14"))
"""As many fit into some seconds."""

DAYS = [f"2025-03-{number:02}" for number in (3, 4, 6)]
NAMES = [name_of(day, at) for day in DAYS for at in ("060000", "180000")]
BAD_ROW = b"M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,many\n"
HELD = Animals.of(base_survey())[:60].with_error(ERRORS["weights * 0.2"]).file()
OTHERS = ["ingests", "ingests all", "corrects", "corrects and ingests all", "deletes"]
PEOPLE = ["tells of a simulation", "accepts"]
STRIKES = strikes([*OTHERS, *PEOPLE], writes=12, reads=32)
"""An ingestion of two days makes some ten writes and thirty reads."""

CONTENTS = one_of(
    [
        *(survey_rows(count, seed=seed) for count in range(1, 5) for seed in range(10)),
        *(survey_rows(2, seed=seed) + BAD_ROW for seed in range(10)),
        *(b"", b"no survey at all\n") * 3,
        *[HELD] * 12,
    ]
)
PICK = integer(0, 99)


def _has_files(history: SurveyHistory) -> object:
    return history.world.names


@dataclass
class SurveyHistory(History):
    """What may happen to survey files and their ingestion."""

    of = "ingestion"

    make_world: Callable[[], World]

    def __post_init__(self) -> None:
        self.world = self.make_world()
        self.struck.clear()

    @property
    def struck(self) -> Counter[str]:
        return self.world.faults.struck

    @property
    def runs(self) -> int:
        return self.world.runs

    def picked(self, number: int) -> Path:
        names = self.world.names
        return self.world.folder / names[number % len(names)]

    @step(weight=4, name=one_of(NAMES), data=CONTENTS)
    def land(self, name: str, data: bytes) -> None:
        self.world.zone.land(name, data)

    @step(when=_has_files, pick=PICK, data=CONTENTS)
    def write_again_in_place(self, pick: int, data: bytes) -> None:
        self.picked(pick).write_bytes(data)

    @step(when=_has_files, pick=PICK, rings=one_of([b",7\n", b",8\n", b",9\n"]))
    def correct_with_equal_size_and_time(self, pick: int, rings: bytes) -> None:
        path = self.picked(pick)
        data, known = path.read_bytes(), path.stat()
        if data[-3:-2] == b",":
            path.write_bytes(data[:-3] + rings)
            os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))

    @step(when=_has_files, pick=PICK)
    def delete(self, pick: int) -> None:
        self.picked(pick).unlink()

    @step(when=_has_files, pick=PICK, name=one_of(NAMES))
    def rename(self, pick: int, name: str) -> None:
        self.picked(pick).rename(self.world.folder / name)

    @step(day=one_of(DAYS), asset=one_of(ASSETS))
    def wipe_a_partition(self, day: str, asset: str) -> None:
        self.world.wipe(day, asset)

    @step(when=_has_files, pick=PICK, strikes=STRIKES)
    def tell_of_a_simulation(self, pick: int, strikes: list[Strike]) -> None:
        path, world = self.picked(pick), self.world
        name, data = path.name, path.read_bytes()
        world.have_a_person(lambda: world.know_as_simulated(name, data), strikes)

    @step(strikes=STRIKES)
    def accept_what_is_held(self, strikes: list[Strike]) -> None:
        self.world.have_a_person(self.world.accept_all, strikes)

    @step()
    def lose_the_manifests_parts(self) -> None:
        self.world.lose_part()

    @step(cursor=one_of([None, "", "{", "[]", "null", '{"pending": ["x"]}']))
    def lose_or_damage_the_cursor(self, cursor: str | None) -> None:
        self.world.cursor = cursor

    @step(hours=one_of([-1.0, 0.01, 1.0, 30.0]))
    def move_the_clock(self, hours: float) -> None:
        self.world.clock.advance(seconds=3600 * hours)

    @step(weight=5, strikes=STRIKES)
    def tick_and_ingest(self, strikes: list[Strike]) -> None:
        self.world.try_to(self.world.tick_and_ingest, strikes)

    @step(weight=2, first=one_of(DAYS), last=one_of(DAYS), strikes=STRIKES)
    def backfill(self, first: str, last: str, strikes: list[Strike]) -> None:
        days = DayRange(*sorted((first, last)))
        self.world.try_to(lambda: self.world.ingest(days), strikes)

    def end(self) -> None:
        _settles_as_new(self.world, self.make_world())


def _settles_as_new(world: World, rebuilt: World) -> None:
    """Settle, and compare with a new lake of the same landing zone and the same words of people."""
    world.settle()
    assert world.tick() == []
    rebuilt.folder = world.folder
    for key in (ACCEPTED_KEY, SYNTHETIC_KEY):
        if world.lake.store.find(key):
            rebuilt.lake.store.write(key, world.lake.store.read(key))
    rebuilt.ingest(DayRange(DAYS[0], DAYS[-1]))
    found, expected = world.held(), rebuilt.held()
    for asset in ASSETS:
        of = {day: rows for day, rows in found[asset].items() if rows}
        assert of == {day: rows for day, rows in expected[asset].items() if rows}
    assert found["files"] == expected["files"]
    assert found["digest"] == expected["digest"]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.fixture(params=["folder", "memory like S3"])
def make_world(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    instance: dg.DagsterInstance,
) -> Callable[[], World]:
    """Makes new worlds, on a folder or on an object store."""
    monkeypatch.setenv("ABALONE_HOME", str(tmp_path))
    monkeypatch.setenv("ABALONE_SETTLE_SECONDS", "0")
    monkeypatch.setenv("ABALONE_FIRST_SURVEY_DAY", FIRST_DAY)
    keep_s3_in_memory(monkeypatch)
    faults, clock = install_faults(monkeypatch), Clock.installed(monkeypatch)
    numbers = itertools.count()

    def make() -> World:
        clock.reset()
        count = next(numbers)
        folder = tmp_path / f"landing{count}"
        folder.mkdir()
        on_disk = request.param == "folder"
        uri = str(tmp_path / f"lake{count}") if on_disk else f"s3://memory/lake{count}"
        return World(folder, uri, faults, clock, instance)

    return make


@pytest.mark.timeout(0 if HISTORIES > 100 else 300)
@pytest.mark.parametrize("number", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_it_settles_as_what_a_new_lake_would_be(
    number: int, make_world: Callable[[], World], request: pytest.FixtureRequest
) -> None:
    store = request.node.callspec.params["make_world"]
    histories = Histories(lambda: SurveyHistory(make_world), store, STEPS)
    histories.go_through(number, HISTORIES)


@pytest.mark.parametrize("ends", [KILLS, REFUSES])
@pytest.mark.parametrize("write", range(1, 7))
def test_a_run_that_fails_after_another_wrote_its_day_leaves_it_due(
    make_world: Callable[[], World], write: int, ends: str
) -> None:
    """Its rows are of before, and what the other one committed is of after the correction."""
    world = make_world()
    world.zone.land(NAMES[0], survey_rows(3, seed=1))
    other = Strike(write, "before", "corrects and ingests all")
    strikes = [other, Strike(write, "after", ends)]
    world.try_to(lambda: world.ingest(DayRange(DAYS[0], DAYS[-1])), strikes)
    _settles_as_new(world, make_world())


@pytest.mark.parametrize("says", PEOPLE)
def test_what_somebody_says_of_a_file_counts_though_its_run_dies_at_its_commit(
    make_world: Callable[[], World], says: str
) -> None:
    """At whichever call of the run; it looked at the ledgers again only after its commit."""
    monday = DayRange(DAYS[0], DAYS[0])

    def landed() -> World:
        world = make_world()
        world.zone.land(NAMES[0], HELD if says == "accepts" else survey_rows(3, seed=1))
        world.settle()
        return world

    counted = landed()
    counted.try_to(lambda: counted.ingest(monday), [])
    calls = dict(counted.faults.made)
    dies = Strike(calls["write"] - 1, "after", KILLS)

    def ingest(said: Strike) -> None:
        world = landed()
        world.try_to(lambda: world.ingest(monday), [said, dies])
        _settles_as_new(world, make_world())

    for call, most in calls.items():
        for number in range(most):
            ingest(Strike(number, "before", says, call))


@pytest.mark.parametrize("write", range(5))
def test_a_file_that_turns_out_to_be_a_simulation_while_it_is_ingested_is_one(
    make_world: Callable[[], World], write: int
) -> None:
    world = make_world()
    world.zone.land(NAMES[0], survey_rows(3, seed=1))
    strikes = [Strike(write, "before", "tells of a simulation")]
    world.try_to(lambda: world.ingest(DayRange(DAYS[0], DAYS[0])), strikes)
    _settles_as_new(world, make_world())
    assert world.lake.manifest().days[DAYS[0]].synthetic_rows == 3


def test_a_day_whose_run_died_keeps_its_rows_while_the_landing_zone_is_away(
    make_world: Callable[[], World],
) -> None:
    """A machine that lost its power comes back before the share is mounted again."""
    world = make_world()
    for name in NAMES[:4]:
        world.zone.land(name, survey_rows(3, seed=NAMES.index(name)))
    world.settle()
    before = world.held()
    world.try_to(lambda: world.ingest(DayRange(DAYS[0], DAYS[0])), [Strike(0, "after", KILLS)])
    away = world.folder.rename(world.folder.with_suffix(".away"))
    world.folder.mkdir()
    assert world.tick_and_ingest() == 1, "from what the lake held"
    assert world.tick() == []
    assert world.held() == before
    world.folder.rmdir()
    away.rename(world.folder)
    world.settle()
    assert world.held() == before


def test_what_was_not_believed_is_not_forgotten_when_the_store_refuses_a_read(
    make_world: Callable[[], World],
) -> None:
    """A look that could not read what the looks before knew took it for nothing, and wrote that."""
    world = make_world()
    world.zone.land(NAMES[0], survey_rows(3, seed=1))
    world.settle()
    for file in world.folder.iterdir():
        file.unlink()  # another folder is mounted in its place
    assert world.tick() == []
    for name in (NAMES[2], NAMES[4]):
        world.zone.land(name, survey_rows(3, seed=NAMES.index(name)))

    def look() -> None:
        world.clock.advance(seconds=700)
        world.tick_and_ingest()

    world.try_to(look, ())
    for number in range(world.faults.made["read"]):
        world.try_to(look, [Strike(number, call="read")])
        look()
    assert [len(rows) for rows in world.held()["new_surveys"].values()] == [3, 3, 3]
