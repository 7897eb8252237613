"""Days that differ from what the lake holds of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.ingest import reconcile
from abalone_assets.ingest.landing_zone import LandedFile, Landing
from abalone_assets.ingest.memory import Memory
from abalone_assets.ingest.reconcile import Due, find_due
from abalone_assets.lake.manifest import IngestedDay, IngestedFile, Manifest
from abalone_assets.survey import MAX_FILE_BYTES
from abalone_assets_tests.ingest.support import (
    DAY,
    FILE,
    FIRST,
    LAST,
    NEXT,
    OLD,
    TWIN,
    World,
    name_of,
    two_days,
)

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def world() -> World:
    return two_days()


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
    assert world.look() == Due(due)
    assert world.reads == []


def test_an_identical_rewrite_is_read_once_and_never_again(world: World) -> None:
    world.write(FILE, b"one")
    first = world.look()
    assert (first.days, world.reads) == ((), [FILE])
    second = world.look(before=first)
    third = world.look(before=second)
    assert third == second == first
    assert third.memory == second.memory == first.memory
    assert world.reads == [FILE]


def test_an_identical_rewrite_is_forgotten_with_its_bytes_and_with_its_file(world: World) -> None:
    world.write(FILE, b"one")
    before = world.look()
    world.write(FILE, b"eno")
    assert world.look(before=before).days == (DAY,)
    del world.files[FILE]
    assert world.look(before=before).memory.identical == {}


def test_a_file_that_could_not_be_read_is_read_though_it_was_an_identical_rewrite(
    world: World,
) -> None:
    world.write(FILE, b"one")
    before = world.look()
    known, *others = world.manifest.days[DAY].files
    unread = IngestedDay("d", (replace(known, e_tag="", problem="denied"), *others))
    world.manifest = Manifest(None, {**world.manifest.days, DAY: unread})
    assert world.look(before=before).days == (DAY,)


def test_a_lost_memory_costs_one_more_read_and_nothing_else(world: World) -> None:
    world.write(FILE, b"one")
    assert world.look() == world.look(before=Due((), memory=Memory(identical={"other": "token"})))
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
    assert set(second.memory.identical) == {FILE, TWIN}
