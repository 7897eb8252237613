"""Days whose files are gone: believed or not."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from abalone_assets.ingest.memory import Memory
from abalone_assets.ingest.reconcile import MAX_VANISHED_DAYS, Due, find_due
from abalone_assets_tests.ingest.support import OLD, World, name_of


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
    assert world.look() == Due((days[0],))
    world.ingest(days[0])
    assert world.look() == Due(())
