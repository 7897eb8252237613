"""The stored manifest: a head and immutable parts, and the one document of earlier releases."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abalone_assets.errors import StorageError
from abalone_assets.lake.manifest import (
    BEING_WRITTEN,
    IngestedDay,
    IngestedFile,
    IngestedRaw,
    Manifest,
    day_digest,
)
from abalone_assets.lake.manifest_store import (
    KEPT_SECONDS,
    MANIFEST_KEY,
    PARTS,
    REMEMBERED_PARTS,
    commit_days,
    commit_raw,
    read_manifest,
    read_manifest_anew,
    revoke_days,
)
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from pathlib import Path

FILE = IngestedFile("abalone.20250303120000", 45, "tag", "5ha", rows=2, quarantined=1)
RAW = IngestedRaw("d1gest", "file:///abalone.data", simulated=False, rows=4175, quarantined=2)


def day(*files: IngestedFile) -> IngestedDay:
    return IngestedDay(day_digest(files), files)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path)


@pytest.fixture
def reads(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of which bytes are read from now on."""
    keys, read = list[str](), ObjectStore.read_changed

    def noted(self: ObjectStore, key: str, e_tag: str | None) -> Any:
        token, data = read(self, key, e_tag)
        if data is not None:
            keys.append(key)
        return token, data

    monkeypatch.setattr(ObjectStore, "read_changed", noted)
    return keys


def parts(store: ObjectStore) -> set[str]:
    return {stored.key for stored in store.list(PARTS)}


def test_a_new_lake_has_an_empty_manifest(store: ObjectStore) -> None:
    assert read_manifest(store) == Manifest()


def test_committed_days_and_the_base_survey_are_read_back_in_order(store: ObjectStore) -> None:
    refused = replace(FILE, name="abalone.20250303130000", rows=0, problem="not CSV")
    noted = replace(FILE, notes=("a sentence", "another"), held="off", held_rows=3)
    commit_raw(store, RAW)
    commit_days(store, {"2025-03-03": day(FILE, refused), "2024-03-01": day(noted)})
    commit_days(store, {"2025-03-02": day()})
    days = {"2024-03-01": day(noted), "2025-03-02": day(), "2025-03-03": day(FILE, refused)}
    found = read_manifest(store)
    assert found == Manifest(RAW, days)
    assert list(found.days) == list(days)
    assert found.summaries == Manifest(RAW, days).summaries
    assert found.digest == Manifest(RAW, days).digest


def test_a_revoked_day_holds_nothing_until_it_is_committed_again(store: ObjectStore) -> None:
    commit_days(store, {"2025-03-03": day(FILE), "2025-03-04": day(FILE)})
    both = read_manifest(store).digest
    revoke_days(store, iter(["2025-03-03", "2025-03-05"]))
    revoked = read_manifest(store)
    assert revoked.days["2025-03-03"] == revoked.days["2025-03-05"] == BEING_WRITTEN
    assert revoked.days_with_rows == ["2025-03-04"]
    assert revoked.rows == day(FILE).rows
    assert revoked.digest != both
    commit_days(store, {"2025-03-03": day(FILE)})
    assert read_manifest(store).digest == both


def test_runs_that_commit_at_once_lose_no_day(store: ObjectStore) -> None:
    names = [f"2025-03-{number:02}" for number in range(1, 25)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda name: commit_days(store, {name: day(FILE)}), names))
    assert list(read_manifest(store).days) == names


def test_what_did_not_change_is_not_read_again(store: ObjectStore, reads: list[str]) -> None:
    commit_days(store, {"2025-03-03": day(FILE), "2025-04-03": day(FILE)})
    first = read_manifest(store)
    assert first.rows_of("2025-03-03") == FILE.rows
    assert first.digest
    assert not any(key.startswith(PARTS) for key in reads), "summaries are enough"
    reads.clear()
    assert read_manifest(store).days["2025-03-03"] == day(FILE)
    assert [key.partition(".")[0] for key in reads] == [f"{PARTS}2025-03"]
    reads.clear()
    assert read_manifest(store).days["2025-03-03"] == day(FILE)
    assert reads == []


def test_a_change_writes_the_parts_of_its_months_only(store: ObjectStore) -> None:
    commit_days(store, {"2025-03-03": day(FILE), "2025-04-03": day(FILE)})
    before = parts(store)
    revoke_days(store, ["2025-04-03"])
    assert parts(store) == before, "a revoked day has nothing to write"
    commit_days(store, {"2025-04-04": day(FILE)})
    (new,) = parts(store) - before
    assert new.startswith(f"{PARTS}2025-04.")
    assert list(json.loads(store.read(new))["days"]) == ["2025-04-03", "2025-04-04"]


@pytest.mark.parametrize("stored_in", ["parts", "one document"])
def test_what_a_revoked_day_held_stays_known_until_it_is_forgotten(
    store: ObjectStore, stored_in: str
) -> None:
    first, second = "2025-03-03", "2025-03-04"
    commit_days(store, {first: day(FILE), second: day(FILE)})
    if stored_in == "one document":
        store.write_json(MANIFEST_KEY, whole(read_manifest(store)))
    for _ in range(2):
        revoke_days(store, [first, "2025-03-05"])
        commit_days(store, {second: day(FILE)})
        found = read_manifest(store)
        assert found.last_files(first) == (replace(FILE, e_tag=""),), "it is read again"
        assert (found.days[first], found.summaries[first].files) == (BEING_WRITTEN, 1)
        assert found.last_files(second) == (FILE,)
        assert found.last_files("2025-03-05") == found.last_files("2025-03-06") == ()
        assert found.digest == Manifest(None, {second: day(FILE)}).digest
    revoke_days(store, [first], forget=True)
    assert read_manifest(store).last_files(first) == ()
    known = parts(store)
    commit_days(store, {second: day()})
    (new,) = parts(store) - known
    assert list(json.loads(store.read(new))["days"]) == [second]


def test_of_a_revoked_day_whose_part_is_lost_nothing_is_known(store: ObjectStore) -> None:
    commit_days(store, {"2025-03-03": day(FILE), "2025-03-04": day(FILE)})
    revoke_days(store, ["2025-03-03", "2025-03-04"])
    for key in parts(store):
        store.delete(key)
    read_manifest_anew(store)
    assert read_manifest(store).last_files("2025-03-03") == ()
    commit_days(store, {"2025-03-04": day(FILE)})
    found = read_manifest(store)
    assert (found.last_files("2025-03-03"), found.last_files("2025-03-04")) == ((), (FILE,))


def test_who_read_the_head_before_a_change_still_reads_its_days(store: ObjectStore) -> None:
    commit_days(store, {"2025-03-03": day(FILE)})
    before, other = read_manifest(store), replace(FILE, name="other")
    commit_days(store, {"2025-03-03": day(other)})
    assert read_manifest(store).days["2025-03-03"] == day(other)
    assert before.days["2025-03-03"] == day(FILE)


def test_parts_that_no_head_names_go_when_nobody_can_still_read_them(store: ObjectStore) -> None:
    commit_days(store, {"2025-03-03": day(FILE), "2025-04-03": day(FILE)})
    first = parts(store)
    commit_days(store, {"2025-03-04": day(FILE)})
    assert first < parts(store)
    assert store.root
    long_ago = time.time() - KEPT_SECONDS - 60
    for key in parts(store):
        os.utime(store.root / key, (long_ago, long_ago))
    commit_days(store, {"2025-05-01": day(FILE)})
    kept = {key.partition(".")[0].removeprefix(PARTS) for key in parts(store)}
    assert (len(parts(store)), kept) == (3, {"2025-03", "2025-04", "2025-05"})
    assert next(iter(read_manifest(store).days.items())) == ("2025-03-03", day(FILE))


def test_a_change_that_fails_after_its_parts_leaves_the_manifest_as_it_was(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit_days(store, {"2025-03-03": day(FILE)})
    write = ObjectStore.write

    def refuse(self: ObjectStore, key: str, data: bytes, **options: Any) -> None:
        if key == MANIFEST_KEY:
            raise StorageError("disk full")
        write(self, key, data, **options)

    with monkeypatch.context() as patched:
        patched.setattr(ObjectStore, "write", refuse)
        with pytest.raises(StorageError, match="disk full"):
            commit_days(store, {"2025-03-03": day(), "2025-03-04": day(FILE)})
    assert read_manifest(store) == Manifest(None, {"2025-03-03": day(FILE)})


def whole(manifest: Manifest) -> dict[str, Any]:
    """The document of format 1."""
    days = {name: asdict(entry) for name, entry in manifest.days.items()}
    return {"format": 1, "raw": manifest.raw and asdict(manifest.raw), "days": days}


def test_a_manifest_in_one_document_is_read_and_kept_whole_by_the_next_change(
    store: ObjectStore,
) -> None:
    old = Manifest(RAW, {"2025-03-03": day(FILE), "2025-04-01": BEING_WRITTEN})
    store.write_json(MANIFEST_KEY, whole(old))
    assert read_manifest(store) == old
    digest = read_manifest(store).digest
    revoke_days(store, ["2025-05-01"])
    assert json.loads(store.read(MANIFEST_KEY))["format"] == 2
    assert read_manifest(store) == Manifest(RAW, {**old.days, "2025-05-01": BEING_WRITTEN})
    assert read_manifest(store).digest == digest == old.digest, "nothing is released again"


def test_a_manifest_from_before_there_were_simulations_is_of_surveys(store: ObjectStore) -> None:
    manifest = Manifest(RAW, {"2025-03-03": day(FILE)})
    document = whole(manifest)
    del document["raw"]["origin"], document["days"]["2025-03-03"]["files"][0]["origin"]
    store.write_json(MANIFEST_KEY, document)
    assert read_manifest(store) == manifest


def test_another_format_is_refused_with_both_numbers(store: ObjectStore) -> None:
    store.write_json(MANIFEST_KEY, {"format": 3, "raw": None, "months": {}})
    with pytest.raises(StorageError, match=r"^manifest.json: format 3, but this release reads 2$"):
        read_manifest(store)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"format": 1},
        {"format": 1, "raw": {"digest": "only"}, "days": {}},
        {"format": 1, "raw": None, "days": {"2025-03-03": {"digest": "", "files": [{}]}}},
        {"format": 2, "raw": None},
        {"format": 2, "raw": None, "months": {"2025-03": {"days": {}}}},
    ],
)
def test_what_is_no_manifest_is_refused_with_what_to_do(store: ObjectStore, document: Any) -> None:
    store.write_json(MANIFEST_KEY, document)
    for use in (read_manifest, lambda store: commit_raw(store, RAW)):
        with pytest.raises(StorageError, match=r"^manifest.json: .+; delete .+ ingest all surveys"):
            use(store)


@pytest.mark.parametrize("damage", [None, b"no JSON", b"{}", b'{"format": 2, "days": {}}'], ids=str)
def test_a_part_that_is_lost_or_damaged_is_named(store: ObjectStore, damage: bytes | None) -> None:
    commit_days(store, {"2025-03-03": day(FILE)})
    (part,) = parts(store)
    if damage is None:
        store.delete(part)
    else:
        store.write(part, damage)
    with pytest.raises(StorageError, match=part) as refused:
        dict(read_manifest(store).days)
    if damage != b"no JSON":
        assert "delete manifest.json to ingest all surveys again" in str(refused.value)


def test_no_more_than_two_years_are_kept_in_memory(store: ObjectStore, reads: list[str]) -> None:
    months = [f"20{year}-{month:02}-01" for year in range(20, 24) for month in range(1, 13)]
    commit_days(store, {name: day(FILE) for name in months})
    assert len(dict(read_manifest(store).days)) == len(months)
    reads.clear()
    assert len(dict(read_manifest(store).days)) == len(months)
    assert len(reads) >= len(months) - REMEMBERED_PARTS


DAYS = st.dates(date(2024, 11, 1), date(2025, 3, 1)).map(str)
ENTRIES = st.sampled_from([BEING_WRITTEN, day(), day(FILE), day(replace(FILE, rows=0, held="off"))])


@settings(max_examples=40, deadline=None)
@given(changes=st.lists(st.dictionaries(DAYS, ENTRIES, max_size=4), max_size=6))
def test_any_changes_leave_what_a_dictionary_would(
    tmp_path_factory: pytest.TempPathFactory, changes: list[dict[str, IngestedDay]]
) -> None:
    store = ObjectStore(tmp_path_factory.mktemp("lake"))
    expected: dict[str, IngestedDay] = {}
    for change in changes:
        commit_days(store, change)
        expected |= change
        found = read_manifest(store)
        assert dict(found.days) == expected
        assert found.digest == Manifest(None, expected).digest
        assert (
            found.since("2025-01-15").digest
            == Manifest(
                None, {name: each for name, each in expected.items() if name >= "2025-01-15"}
            ).digest
        )
