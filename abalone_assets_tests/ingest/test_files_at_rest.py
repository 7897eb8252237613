"""Files that may still be written, or cannot be read: when their day is due."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.ingest.landing_zone import Landing
from abalone_assets.ingest.memory import Memory, Patience
from abalone_assets.ingest.reconcile import Due, find_due
from abalone_assets.lake.manifest import Manifest
from abalone_assets_tests.ingest.support import DAY, FILE, TWIN, World, two_days


@pytest.fixture
def world() -> World:
    return two_days()


@dataclass
class Watch:
    """Looks at a world, one after the other, whose files take time to write and may be unreadable.

    Attributes:
        now: Our clock, Unix time.
        skew: Seconds by which the clock of the share is ahead of ours.
        grown: When each file was written last, by our clock; one of the others came whole.
        broken: Files that cannot be read.
        tried: How often each of them was tried.
    """

    world: World
    now: float = 1_000_000.0
    skew: float = 0.0
    grown: dict[str, float] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    tried: list[str] = field(default_factory=list)
    memory: Memory = field(default_factory=Memory)

    def append(self, name: str, data: bytes) -> None:
        self.world.write(name, self.world.files.get(name, b"") + data)
        self.grown[name] = self.now

    def look(self, *, seconds: float = 0) -> Due:
        self.now += seconds
        landing = self.world.landing()
        days = {
            day: tuple(
                replace(
                    file,
                    e_tag=f"{file.name}-{file.e_tag}",
                    written_at=self.grown[file.name] + self.skew,
                    whole=False,
                )
                if file.name in self.grown
                else replace(file, e_tag=f"{file.name}-{file.e_tag}")
                for file in files
            )
            for day, files in landing.days.items()
        }
        patience = Patience(settle_seconds=3, retry_seconds=10, now=self.now)
        due = find_due(
            replace(landing, days=days),
            self.world.manifest,
            self._read,
            memory=self.memory,
            patience=patience,
        )
        self.memory = self.memory.after(landing, due.memory)
        return due

    def ingest(self, day: str) -> None:
        self.world.ingest(day)
        entry = self.world.manifest.days[day]
        files = (replace(file, e_tag=f"{file.name}-{file.e_tag}") for file in entry.files)
        days = {**self.world.manifest.days, day: replace(entry, files=tuple(files))}
        self.world.manifest = replace(self.world.manifest, days=days)

    def _read(self, name: str) -> bytes:
        if name in self.broken:
            self.tried.append(name)
            raise StorageError(f"{name}: permission denied")
        return self.world.read(name)


@pytest.mark.parametrize("skew", [0, -7200, 7200], ids=["right", "two hours behind", "ahead"])
def test_a_file_is_due_once_it_has_come_to_rest_whatever_the_clock_of_the_share(skew: int) -> None:
    """One that got a row each 0.2 s was once ingested 21 times in two minutes."""
    watch = Watch(World(), skew=skew)
    watch.append(FILE, b"row")
    asked = [watch.look().days]
    if asked[0]:
        watch.ingest(DAY)
    for _ in range(5):
        watch.append(FILE, b"row")
        asked.append(watch.look(seconds=5).days)
    at_first_sight = skew < 0  # as old as a file that was copied long ago
    assert asked == [(DAY,) if at_first_sight else (), *[()] * 5]
    assert FILE in watch.memory.growing
    end = watch.look(seconds=5)
    if at_first_sight:  # ingested too early once, it needs twice the rest
        assert end.days == ()
        end = watch.look(seconds=5)
    assert (end.days, end.growing) == ((DAY,), ())


@pytest.mark.parametrize("every", [7, 30])
@pytest.mark.parametrize("whole", [False, True], ids=["in place", "as a whole file"])
def test_a_file_that_changes_again_and_again_is_due_less_and_less_often(
    every: int, *, whole: bool
) -> None:
    watch, ingestions = Watch(World()), 0
    for second in range(0, 3600, 1):
        if second % every == 0:
            watch.append(FILE, b"row")
            if whole:
                del watch.grown[FILE]
        if second % 5 == 0 and watch.look(seconds=5).days:
            ingestions += 1
            watch.ingest(DAY)
    assert 1 <= ingestions <= 10
    watch.look()
    due = [watch.look(seconds=60).days for _ in range(20)]
    assert due.count((DAY,)) >= 1, "it counts when it has come to rest"


def test_a_file_that_was_touched_is_read_once_and_then_known(world: World) -> None:
    watch = Watch(world)
    watch.append(FILE, b"!")
    watch.append(TWIN, b"")
    watch.ingest(DAY)
    watch.append(TWIN, b"")
    looks = [watch.look(seconds=5) for _ in range(6)]
    assert [look.growing for look in looks] == [(TWIN,), (TWIN,), (), (), (), ()]
    assert {look.days for look in looks} == {()}
    assert world.reads.count(TWIN) == 1


def test_tokens_of_an_older_lake_make_no_day_due_and_are_compared_once(world: World) -> None:
    older = world.manifest.days[DAY]
    files = tuple(replace(file, e_tag="1-2-3") for file in older.files)
    world.manifest = Manifest(None, {DAY: replace(older, files=files)})
    landed = tuple(
        replace(world.landed(name), e_tag="1-2-3-4", whole=False, written_at=1.0)
        for name in (FILE, TWIN)
    )
    landing, memory = Landing(DAY, DAY, {DAY: landed}, ()), Memory()
    patience = Patience(settle_seconds=3, now=2.0)
    for _ in range(3):
        due = find_due(landing, world.manifest, world.read, memory=memory, patience=patience)
        memory = memory.after(landing, due.memory)
        assert (due.days, due.growing, memory.restless) == ((), (), {})
    assert world.reads == [FILE, TWIN]


def test_a_change_at_rest_stays_due_until_it_is_ingested(world: World) -> None:
    watch = Watch(world)
    watch.append(FILE, b"!")
    watch.ingest(DAY)
    watch.append(FILE, b"!")
    days = [watch.look(seconds=5).days for _ in range(6)]
    assert days == [(), (), (DAY,), (DAY,), (DAY,), (DAY,)]


def test_a_file_written_long_ago_is_due_at_first_sight() -> None:
    watch = Watch(World())
    watch.append(FILE, b"row")
    assert watch.look(seconds=3).days == (DAY,)


def test_what_is_at_rest_waits_for_no_other_file_of_its_day() -> None:
    watch = Watch(World())
    watch.world.write(TWIN, b"whole")
    watch.append(FILE, b"row")
    assert watch.look().days == (DAY,)
    watch.world.ingest(DAY)
    entry = watch.world.manifest.days[DAY]
    without = replace(entry, files=tuple(file for file in entry.files if file.name == TWIN))
    watch.world.manifest = Manifest(None, {DAY: without})
    watch.append(FILE, b"row")
    assert watch.look(seconds=1).days == ()
    assert watch.look(seconds=3).days == (DAY,)


def test_a_clock_that_is_set_back_delays_a_file_by_no_more_than_its_rest() -> None:
    watch = Watch(World())
    watch.append(FILE, b"row")
    watch.look()
    assert watch.look(seconds=-3600).days == ()
    assert watch.look(seconds=3).days == (DAY,)


def test_a_file_that_cannot_be_read_is_tried_later_and_later_and_its_day_is_due_once(
    world: World,
) -> None:
    watch = Watch(world, broken={FILE})
    world.write(FILE, b"one")
    days = [watch.look(seconds=1).days for _ in range(100)]
    assert days == [(DAY,), *[()] * 99]
    assert len(watch.tried) == 4, "after 0, 10, 30 and 70 seconds"
    watch.broken.clear()
    watch.look(seconds=80)
    assert watch.memory.unreadable == {}


def test_a_file_that_could_not_be_read_is_due_when_it_can_be(world: World) -> None:
    entry = world.manifest.days[DAY]
    first = replace(entry.files[0], e_tag="", sha256="", problem="cannot be read")
    days = {**world.manifest.days, DAY: replace(entry, files=(first, *entry.files[1:]))}
    world.manifest = replace(world.manifest, days=days)
    watch = Watch(world, broken={FILE})
    assert watch.look().days == ()
    watch.broken.clear()
    assert watch.look(seconds=1).days == ()
    assert watch.look(seconds=10).days == (DAY,)


def test_a_write_of_the_bytes_that_the_lake_has_is_known(world: World) -> None:
    file = world.landed(FILE)
    assert not Memory().is_known(file, "an earlier token")
    assert Memory(identical={FILE: file.e_tag}).is_known(file, "an earlier token")
