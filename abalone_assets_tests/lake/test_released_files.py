"""Which release each survey file was first a part of."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest import IngestedDay, IngestedFile, Manifest, day_digest
from abalone_assets.lake.released_files import HEAD_KEY, first_release, record_released_files
from abalone_assets.lake.releases import Outcome, Release
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.support.faults import Strike, install_faults

if TYPE_CHECKING:
    from pathlib import Path

NAME, OTHER = "abalone.20250314061500", "abalone.20250401061500"
DAY, LATER = "2025-03-14", "2025-04-01"


def day_of(*files: IngestedFile) -> IngestedDay:
    return IngestedDay(day_digest(files), files)


def file(name: str, sha256: str, rows: int = 3) -> IngestedFile:
    return IngestedFile(name, 9, "token", sha256, rows, 0)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "lake")


FIRST = Manifest(None, {DAY: day_of(file(NAME, "a"))})
SECOND = Manifest(None, {**FIRST.days, LATER: day_of(file(OTHER, "b"))})


def ended(store: ObjectStore, digest: str, version: int | None, at: str) -> None:
    outcome: Outcome = "deployed" if version else "rejected"
    Lake(store.uri).record_release(Release(digest, outcome, "why", version, "run", at))


AFTER, BEFORE = "2100-01-01T00:00:00+00:00", "2000-01-01T00:00:00+00:00"


def digest_of(store: ObjectStore, day: str, name: str, sha256: str) -> str | None:
    found = first_release(store, day, name, sha256)
    return found.digest if found else None


def test_a_file_keeps_its_first_release_and_a_new_one_gets_the_next(store: ObjectStore) -> None:
    assert digest_of(store, DAY, NAME, "a") is None
    record_released_files(store, FIRST)
    record_released_files(store, SECOND)
    assert digest_of(store, DAY, NAME, "a") == FIRST.digest
    assert digest_of(store, LATER, OTHER, "b") == SECOND.digest


def test_a_file_with_other_bytes_is_in_no_release_before_the_next(store: ObjectStore) -> None:
    record_released_files(store, FIRST)
    assert digest_of(store, DAY, NAME, "changed") is None
    changed = Manifest(None, {DAY: day_of(file(NAME, "changed"))})
    record_released_files(store, changed)
    assert digest_of(store, DAY, NAME, "changed") == changed.digest


def test_another_file_of_the_day_leaves_the_first_ones_release(store: ObjectStore) -> None:
    record_released_files(store, FIRST)
    both = Manifest(None, {DAY: day_of(file(NAME, "a"), file("abalone.20250314061501", "c"))})
    record_released_files(store, both)
    assert digest_of(store, DAY, NAME, "a") == FIRST.digest
    assert digest_of(store, DAY, "abalone.20250314061501", "c") == both.digest


def test_a_store_that_refuses_a_read_does_not_pass_for_one_without_records(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_released_files(store, FIRST)
    other = "abalone.20250314061501"
    both = Manifest(None, {DAY: day_of(file(NAME, "a"), file(other, "c"))})
    faults = install_faults(monkeypatch)
    for number in range(3):
        faults.set([Strike(number, call="read")])
        with suppress(StorageError):
            record_released_files(ObjectStore(store.uri), both)
    assert faults.struck == {"refuses before a read": 3}
    faults.set(())
    record_released_files(store, both)
    assert digest_of(store, DAY, NAME, "a") == FIRST.digest
    assert digest_of(store, DAY, other, "c") == both.digest


def test_a_file_without_a_good_row_is_in_no_release(store: ObjectStore) -> None:
    none = file(OTHER, "b", rows=0)
    record_released_files(store, Manifest(None, {**FIRST.days, LATER: day_of(none)}))
    assert digest_of(store, LATER, OTHER, "b") is None


def test_only_the_months_that_changed_are_written(store: ObjectStore) -> None:
    record_released_files(store, FIRST)
    key = "merged_dataset/_released_files.2025-03.json"
    ended(store, FIRST.digest, 1, AFTER)
    before = store.find(key)
    record_released_files(store, SECOND)
    assert store.find(key) == before
    head = store.read_json(HEAD_KEY)
    assert head is not None
    assert head["waiting"] == ["2025-04"]  # the other's release has ended


def test_in_a_lake_of_before_nothing_is_said_that_is_not_known(store: ObjectStore) -> None:
    Lake(store.uri).record_release(Release("d", "deployed", "good", 1, "run", "2025-03-14"))
    record_released_files(store, FIRST)
    assert digest_of(store, DAY, NAME, "a") == ""
    record_released_files(store, SECOND)
    assert digest_of(store, LATER, OTHER, "b") == SECOND.digest


def test_a_file_whose_release_failed_is_of_the_next_ones_too(store: ObjectStore) -> None:
    record_released_files(store, FIRST)
    record_released_files(store, FIRST)
    record_released_files(store, SECOND)  # another month: that of the first has not changed
    found = first_release(store, DAY, NAME, "a")
    assert found is not None
    assert found.digests == (FIRST.digest, SECOND.digest)
    ended(store, SECOND.digest, None, AFTER)
    third = Manifest(None, {**SECOND.days, "2025-05-02": day_of(file("abalone.x", "x"))})
    record_released_files(store, third)
    found = first_release(store, DAY, NAME, "a")
    assert found is not None
    assert found.digests[-1] == third.digest


@pytest.mark.parametrize(("at", "count"), [(AFTER, 1), (BEFORE, 2)])
def test_a_file_of_a_release_that_ended_is_of_no_later_one(
    store: ObjectStore, at: str, count: int
) -> None:
    record_released_files(store, FIRST)
    ended(store, FIRST.digest, 1, at)
    more = day_of(file(NAME, "a"), file("abalone.20250314061501", "c"))
    record_released_files(store, Manifest(None, {DAY: more}))
    found = first_release(store, DAY, NAME, "a")
    assert found is not None
    assert len(found.digests) == count


def test_a_damaged_record_stops_no_release(store: ObjectStore) -> None:
    record_released_files(store, FIRST)
    store.write(HEAD_KEY, b"{")
    store.write("merged_dataset/_released_files.2025-03.json", b"[]")
    record_released_files(store, replace(SECOND))
    assert digest_of(store, DAY, NAME, "a") == SECOND.digest
