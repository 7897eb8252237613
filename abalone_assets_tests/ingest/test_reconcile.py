from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abalone_assets.automation.day_ranges import DayRange, plan_ranges
from abalone_assets.errors import StorageError
from abalone_assets.ingest import reconcile
from abalone_assets.ingest.landing_zone import LandedFile, Landing
from abalone_assets.ingest.memory import Memory, Patience
from abalone_assets.ingest.reconcile import MAX_VANISHED_DAYS, Due, find_due
from abalone_assets.lake.manifest import (
    BEING_WRITTEN,
    IngestedDay,
    IngestedFile,
    Manifest,
    day_digest,
)
from abalone_assets.survey import MAX_FILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

DAY, NEXT, OLD = "2025-03-03", "2025-03-04", "2023-06-01"
FIRST, LAST = date(2015, 1, 1), date(2025, 12, 31)


def name_of(day: str, second: int = 0) -> str:
    return f"abalone.{day.replace('-', '')}1200{second:02}"


FILE, TWIN = name_of(DAY), name_of(DAY, 1)


@dataclass
class World:
    """A landing zone in memory, and a lake that ingests what is due.

    Attributes:
        files: Bytes of each landed file; writing counts up its token.
        reads: Names of the files that were read to compare them.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    tokens: dict[str, int] = field(default_factory=dict)
    manifest: Manifest = field(default_factory=Manifest)
    reads: list[str] = field(default_factory=list)

    def write(self, name: str, data: bytes) -> None:
        self.files[name] = data
        self.tokens[name] = self.tokens.get(name, 0) + 1

    def landed(self, name: str) -> LandedFile:
        return LandedFile(name, len(self.files[name]), f"token {self.tokens[name]}")

    def landing(self, first: date = FIRST, last: date = LAST) -> Landing:
        days: dict[str, tuple[LandedFile, ...]] = {}
        for name in sorted(self.files):
            digits = name.removeprefix("abalone.")
            day = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}"
            days[day] = (*days.get(day, ()), self.landed(name))
        seen = {day: files for day, files in days.items() if str(first) <= day <= str(last)}
        return Landing(str(first), str(last), seen, ())

    def read(self, name: str) -> bytes:
        self.reads.append(name)
        return self.files[name]

    def look(self, before: Due | None = None, first: date = FIRST, last: date = LAST) -> Due:
        return find_due(
            self.landing(first, last),
            self.manifest,
            self.read,
            identical=before.identical if before else None,
        )

    def revoke(self, day: str, *, gone: bool = False) -> None:
        if gone:
            del self.files[name_of(day)]
        self.manifest = replace(self.manifest, days={**self.manifest.days, day: BEING_WRITTEN})

    def ingest(self, *days: str) -> None:
        landing = self.landing()
        entries = {}
        for day in days:
            files = [
                IngestedFile(
                    file.name,
                    file.size,
                    file.e_tag,
                    hashlib.sha256(self.files[file.name]).hexdigest(),
                    rows=1,
                    quarantined=0,
                )
                for file in landing.days.get(day, ())
            ]
            entries[day] = IngestedDay(day_digest(files), tuple(files))
        self.manifest = replace(self.manifest, days={**self.manifest.days, **entries})


@pytest.fixture
def world() -> World:
    """A day of two files and one of one file, both ingested."""
    world = World()
    world.write(FILE, b"one")
    world.write(TWIN, b"two")
    world.write(name_of(NEXT), b"next")
    world.ingest(DAY, NEXT)
    return world


CHANGES: dict[str, tuple[Callable[[World], object], tuple[str, ...]]] = {
    "nothing": (lambda _world: None, ()),
    "a new day": (lambda world: world.write(name_of("2025-03-05"), b"x"), ("2025-03-05",)),
    "a late file of an old day": (lambda world: world.write(name_of(OLD), b"late"), (OLD,)),
    "a late file of a known day": (lambda world: world.write(name_of(DAY, 2), b"late"), (DAY,)),
    "bytes of another size": (lambda world: world.write(FILE, b"longer"), (DAY,)),
    "a deleted file": (lambda world: world.files.pop(TWIN), (DAY,)),
    "a renamed file": (lambda world: world.write(name_of(DAY, 9), world.files.pop(TWIN)), (DAY,)),
    "a revoked day": (lambda world: world.revoke(DAY), (DAY,)),
    "a revoked day without a file": (lambda world: world.revoke(NEXT, gone=True), (NEXT,)),
}


@pytest.mark.parametrize("change", list(CHANGES))
def test_what_differs_from_the_lake_makes_its_day_due_and_nothing_is_read(
    world: World, change: str
) -> None:
    make, due = CHANGES[change]
    make(world)
    assert world.look() == Due(due, {})
    assert world.reads == []


def test_an_identical_rewrite_is_read_once_and_never_again(world: World) -> None:
    world.write(FILE, b"one")
    first = world.look()
    assert (first.days, world.reads) == ((), [FILE])
    second = world.look(before=first)
    third = world.look(before=second)
    assert third == second == first
    assert world.reads == [FILE]


def test_an_identical_rewrite_is_forgotten_with_its_bytes_and_with_its_file(world: World) -> None:
    world.write(FILE, b"one")
    before = world.look()
    world.write(FILE, b"eno")
    assert world.look(before=before).days == (DAY,)
    del world.files[FILE]
    assert world.look(before=before).identical == {}


def test_a_lost_memory_costs_one_more_read_and_nothing_else(world: World) -> None:
    world.write(FILE, b"one")
    assert world.look() == world.look(before=Due((), {"other": "token"}))
    assert world.reads == [FILE, FILE]


def test_a_day_is_due_once_when_its_only_file_is_deleted_and_when_it_returns(world: World) -> None:
    data = world.files.pop(name_of(NEXT))
    assert world.look().days == (NEXT,)
    world.ingest(NEXT)
    assert world.look().days == ()
    world.write(name_of(NEXT), data)
    assert world.look().days == (NEXT,)


def test_days_that_were_not_looked_at_are_left_alone_deleted_files_included(world: World) -> None:
    assert world.look(first=date(2025, 3, 4)).days == ()
    world.write(name_of(OLD), b"late")
    del world.files[TWIN]
    world.write(name_of(NEXT), b"changed")
    assert world.look(first=date(2025, 3, 4)).days == (NEXT,)
    assert world.look(first=date(2025, 3, 3)).days == (DAY, NEXT)
    assert world.look(last=date(2025, 3, 3)).days == (OLD, DAY)


def ingested_days(count: int) -> tuple[World, list[str]]:
    """A world of so many days, each of one file, all ingested."""
    world, days = World(), [f"2025-04-{number:02}" for number in range(1, count + 1)]
    for day in days:
        world.write(name_of(day), b"rows")
    world.ingest(*days)
    return world, days


@pytest.mark.parametrize("count", [1, 2, 4, MAX_VANISHED_DAYS + 2])
def test_a_landing_zone_that_went_away_is_not_believed_however_few_days_it_had(count: int) -> None:
    """Four emptied days were once deleted from the lake, and a model without surveys deployed."""
    world, days = ingested_days(count)
    world.files.clear()
    away = world.look()
    assert (away.days, away.vanished) == ((), tuple(days))
    for day in days:
        world.write(name_of(day), b"rows")
    assert (world.look().days, world.look().vanished) == ((), ())


@pytest.mark.parametrize(
    ("gone", "believed"),
    [
        (slice(0, 1), True),
        (slice(9, 10), True),
        (slice(2, 7), True),
        (slice(0, 6), False),  # more than are left
        (slice(8, 10), False),  # everything since a day: an old copy of the share
    ],
)
def test_days_are_gone_for_good_while_at_least_as_many_remain_not_just_older_ones(
    gone: slice, *, believed: bool
) -> None:
    world, days = ingested_days(10)
    for day in days[gone]:
        del world.files[name_of(day)]
    look = world.look()
    assert (look.days if believed else look.vanished) == tuple(days[gone])
    assert (look.vanished if believed else look.days) == ()


def test_no_more_than_ten_days_are_gone_for_good_at_once() -> None:
    world, days = ingested_days(30)
    for day in days[: MAX_VANISHED_DAYS + 1]:
        del world.files[name_of(day)]
    assert world.look().vanished == tuple(days[: MAX_VANISHED_DAYS + 1])


def test_other_surveys_in_the_place_of_all_known_ones_prove_nothing() -> None:
    world, days = ingested_days(3)
    world.files.clear()
    world.write(name_of(OLD), b"of another prefix")
    look = world.look()
    assert (look.days, look.vanished) == ((OLD,), tuple(days))


@pytest.mark.parametrize(("known", "gone"), [(3, slice(0, 3)), (10, slice(8, 10))])
def test_surveys_that_land_in_another_place_or_an_old_copy_prove_nothing_later_either(
    known: int, gone: slice
) -> None:
    """The lake lost all days of before as soon as it had ingested those of a mistyped prefix."""
    world, days = ingested_days(known)
    kept = {name_of(day): world.files.pop(name_of(day)) for day in days[gone]}
    news = [f"2025-05-{number:02}" for number in range(1, 6)]
    for day in news:
        world.write(name_of(day), b"of another prefix")
    first = world.look()
    assert (first.days, first.vanished) == (tuple(news), tuple(days[gone]))
    world.ingest(*news)
    memory = Memory().after(world.landing(), first.memory)

    def look() -> Due:
        return find_due(world.landing(), world.manifest, world.read, memory=memory)

    assert (look().days, look().vanished) == ((), tuple(days[gone]))
    some = replace(world.landing(first=date(2025, 5, 1)), whole=False)
    passing = find_due(some, world.manifest, world.read, memory=memory)
    assert memory.after(some, passing.memory).missing == memory.missing
    world.files.update(kept)
    assert (look().days, look().vanished) == ((), ())
    assert memory.after(world.landing(), look().memory).missing == ()


def test_a_look_at_some_days_never_believes_that_one_is_gone() -> None:
    world, days = ingested_days(3)
    del world.files[name_of(days[-1])]
    some = replace(world.landing(first=date(2025, 4, 2)), whole=False)
    assert find_due(some, world.manifest, world.read).vanished == (days[-1],)
    assert world.look().days == (days[-1],)


def test_while_days_are_missing_one_that_only_lost_files_is_not_believed_either() -> None:
    world, days = ingested_days(3)
    world.write(name_of(days[0], 1), b"second boat")
    world.ingest(days[0])
    for day in days:
        del world.files[name_of(day)]
    assert world.look().vanished == tuple(days)
    world.write(name_of(days[0], 2), b"news")
    assert world.look().days == (days[0],)


def test_a_missing_day_that_a_person_forgot_is_ingested_as_empty() -> None:
    world, days = ingested_days(1)
    world.revoke(days[0], gone=True)
    assert world.look() == Due((days[0],), {})
    world.ingest(days[0])
    assert world.look() == Due((), {})


def test_a_rewritten_file_too_large_to_be_read_is_due_without_being_read(world: World) -> None:
    entry = IngestedFile(FILE, MAX_FILE_BYTES + 1, "token 1", "token 1", 0, 0, "too large")
    manifest = Manifest(None, {DAY: IngestedDay("digest", (entry,))})
    for token, days in (("token 1", ()), ("token 2", (DAY,))):
        landed: dict[str, tuple[LandedFile, ...]] = {
            DAY: (LandedFile(FILE, MAX_FILE_BYTES + 1, token),)
        }
        landing = Landing(str(FIRST), str(LAST), landed, ())
        assert find_due(landing, manifest, world.read).days == days
    assert world.reads == []


def test_a_rewritten_file_that_cannot_be_read_makes_its_day_due_and_stops_no_other(
    world: World,
) -> None:
    world.write(FILE, b"one")
    world.write(name_of(NEXT), b"txen")

    def read(name: str) -> bytes:
        if name == FILE:
            raise StorageError("deleted since it was listed")
        return world.read(name)

    due = find_due(world.landing(), world.manifest, read)
    assert due.days == (DAY, NEXT)
    assert due.unreadable[FILE].problem == "deleted since it was listed"


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


def test_files_compared_at_one_look_are_limited_and_the_rest_follow(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconcile, "MAX_COMPARED_FILES", 2)
    world.write(FILE, b"one")
    world.write(TWIN, b"two")
    world.write(name_of(NEXT), b"txen")
    first = world.look()
    assert (first.days, first.undecided, len(world.reads)) == ((), 1, 2)
    second = world.look(before=first)
    assert (second.days, second.undecided, len(world.reads)) == ((NEXT,), 0, 3)
    assert set(second.identical) == {FILE, TWIN}


# Ranges ---------------------------------------------------------------------------------------


def ranges(*texts: str) -> tuple[DayRange, ...]:
    """Days and ranges of days, written ``first/last``."""
    return tuple(DayRange(text.partition("/")[0], text.rpartition("/")[2]) for text in texts)


TOGETHER = [f"2025-03-{day:02}" for day in range(3, 8)]
FAILED = dict.fromkeys(TOGETHER, DayRange(TOGETHER[0], TOGETHER[-1]))


@pytest.mark.parametrize(
    ("days", "options", "planned"),
    [
        pytest.param([], {}, [], id="no days"),
        pytest.param([], {"failed": FAILED}, [], id="no days, though some failed"),
        pytest.param(["2025-03-05", DAY, NEXT, DAY], {}, [f"{DAY}/2025-03-05"], id="adjacent"),
        pytest.param(
            ["2025-01-01", "2025-01-30"], {}, ["2025-01-01", "2025-01-30"], id="no day between"
        ),
        pytest.param(
            ["2025-01-01", "2025-02-01"],
            {"limit": 1},
            ["2025-01-01/2025-02-01"],
            id="a month, when there would be too many runs",
        ),
        pytest.param(
            ["2025-01-01", "2025-02-02"], {"limit": 1}, ["2025-01-01"], id="never across more"
        ),
        pytest.param([DAY, "2025-03-05"], {"apart": {NEXT}}, [DAY, "2025-03-05"], id="apart"),
        pytest.param(
            [*TOGETHER, "2025-03-01", "2025-03-09"],
            {"failed": FAILED},
            ["2025-03-01", "2025-03-09", "2025-03-03/2025-03-05", "2025-03-06/2025-03-07"],
            id="what failed together in halves, after the others",
        ),
        pytest.param(
            [OLD, DAY], {"failed": {OLD: DayRange(OLD, OLD)}, "limit": 1}, [DAY], id="failed last"
        ),
        pytest.param(
            ["2024-01-01", "2023-06-01", "2023-01-01"],
            {"limit": 2},
            ["2023-01-01", "2023-06-01"],
            id="the oldest, up to the limit",
        ),
    ],
)
def test_days_are_planned_as_few_ranges(
    days: list[str], options: dict[str, Any], planned: list[str]
) -> None:
    assert plan_ranges(days, **{"limit": 5, **options}) == ranges(*planned)


def test_one_bad_day_of_a_year_is_found_in_a_few_runs() -> None:
    first = date(2024, 1, 1)
    days = [(first + timedelta(days=number)).isoformat() for number in range(366)]
    due, bad, runs = set(days), days[200], 0
    failed: dict[str, DayRange] = {}
    while due != {bad} or failed[bad] != DayRange(bad, bad):
        for planned in plan_ranges(due, failed=failed, limit=5):
            runs += 1
            covered = {day for day in due if day in planned}
            if bad in covered:
                failed.update(dict.fromkeys(covered, planned))
            else:
                due -= covered
    assert runs <= 20


def test_ten_years_of_days_are_ranges_of_a_year() -> None:
    first = date(2015, 1, 1)
    days = [(first + timedelta(days=number)).isoformat() for number in range(3650)]
    planned = plan_ranges(days, limit=20)
    assert len(planned) == 10
    assert (planned[0].first, planned[-1].last) == (days[0], days[-1])
    assert sum(sum(day in each for day in days) for each in planned) == len(days)


some_days = st.sets(st.dates(date(2023, 1, 1), date(2023, 12, 31)).map(date.isoformat), max_size=30)


@settings(max_examples=100, deadline=None)
@given(days=some_days, others=some_days, data=st.data())
def test_every_due_day_is_in_exactly_one_range(
    days: set[str], others: set[str], data: st.DataObject
) -> None:
    together = DayRange("2023-01-01", "2023-12-31")
    failed = {day: together for day in sorted(days) if data.draw(st.booleans())}
    others -= days
    planned = plan_ranges(days, failed=failed, apart=others, limit=10_000)
    for day in days:
        assert sum(day in each for each in planned) == 1
    for each in planned:
        covered = {day for day in days if day in each}
        assert {each.first, each.last} <= days
        assert not any(other in each for other in others)
        assert covered <= failed.keys() or covered.isdisjoint(failed)
    assert len(plan_ranges(days, failed=failed, apart=others, limit=2)) <= 2
