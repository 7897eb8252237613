"""What releases were made from: kept by content, shared between releases, found again."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.lake.kept_inputs import (
    DAYS,
    INPUTS_KEY,
    RAW,
    ROWS,
    SURVEYS,
    changed_since,
    days_of,
    kept_key,
    last_inputs,
    manifest_of,
    record_inputs,
    replace_rows,
    rows_of,
)
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest import (
    IngestedDay,
    IngestedFile,
    IngestedRaw,
    Manifest,
    day_digest,
)
from abalone_assets.lake.manifest_store import (
    MANIFEST_KEY,
    commit_days,
    commit_raw,
    read_manifest_anew,
    revoke_days,
)
from abalone_assets.lake.preparation import Preparation, Written
from abalone_assets.lake.writers import Writer
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from pathlib import Path

DAY, NEXT, OTHER_MONTH = "2025-03-14", "2025-03-15", "2025-04-01"


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(params=["folder", "s3"])
def lake(request: pytest.FixtureRequest, home: Path) -> Lake:
    if request.param == "folder":
        return Lake(str(home / "lake"))
    return Lake(f"{request.getfixturevalue('s3')}/lake")


def entry(day: str, data: bytes, *, recorded: bool = True) -> IngestedDay:
    name = f"abalone.{day.replace('-', '')}120000"
    files = (IngestedFile(name, len(data), sha256(data)[:8], sha256(b"file " + data), 3, 0),)
    return IngestedDay(day_digest(files), files, "j", sha256(data) if recorded else "")


def ingest(lake: Lake, day: str, data: bytes, *, recorded: bool = True, run: str = "") -> None:
    writer = Writer.this(run) if run else None
    revoke_days(lake.store, [day], writer=writer)
    replace_rows(lake, SURVEYS, day, data)
    commit_days(lake.store, {day: entry(day, data, recorded=recorded)}, writer=writer)


def keys(lake: Lake, prefix: str) -> set[str]:
    return {stored.key for stored in lake.store.list(prefix)}


def test_rows_that_are_replaced_are_kept_and_found_by_their_digest(lake: Lake) -> None:
    for data in (b"one", b"two", b"three", b"three"):
        replace_rows(lake, SURVEYS, DAY, data)
        replace_rows(lake, RAW, None, data + b" raw")

    kept = (b"one", b"two", b"one raw", b"two raw")
    assert keys(lake, ROWS) == {kept_key(sha256(data)) for data in kept}
    for data in (b"one", b"two", b"three"):
        assert rows_of(lake, DAY, sha256(data)) == data
        assert rows_of(lake, RAW, sha256(data + b" raw")) == data + b" raw"
    assert rows_of(lake, NEXT, sha256(b"three")) is None
    assert rows_of(lake, DAY, "") is None


def test_rows_are_kept_before_they_are_replaced(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_rows(lake, SURVEYS, DAY, b"one")
    write = ObjectStore.write

    def refused(store: ObjectStore, key: str, data: bytes, **options: Any) -> None:
        if key == lake.key(SURVEYS, DAY):
            raise StorageError("the store refuses")
        write(store, key, data, **options)

    monkeypatch.setattr(ObjectStore, "write", refused)
    with pytest.raises(StorageError, match="the store refuses"):
        replace_rows(lake, SURVEYS, DAY, b"two")

    assert keys(lake, ROWS) == {kept_key(sha256(b"one"))}


def test_kept_rows_that_rotted_are_not_taken_for_what_they_were(lake: Lake) -> None:
    for data in (b"one", b"two"):
        replace_rows(lake, SURVEYS, DAY, data)
    lake.store.write(kept_key(sha256(b"one")), b"0ne")

    assert rows_of(lake, DAY, sha256(b"one")) is None


def test_what_no_release_is_made_from_is_just_written(lake: Lake) -> None:
    for data in (b"one", b"two"):
        replace_rows(lake, "quarantined_rows", DAY, data)

    assert keys(lake, ROWS) == set()
    assert lake.store.read(lake.key("quarantined_rows", DAY)) == b"two"


def test_releases_share_the_documents_of_months_that_changed_since(lake: Lake) -> None:
    ingest(lake, DAY, b"one")
    ingest(lake, OTHER_MONTH, b"april")
    first = record_inputs(lake, lake.manifest())
    ingest(lake, NEXT, b"next")
    second = record_inputs(lake, lake.manifest())

    assert first.months["2025-04"] == second.months["2025-04"]
    assert keys(lake, DAYS) == {
        month.document for each in (first, second) for month in each.months.values()
    }
    assert len(keys(lake, DAYS)) == 3
    assert list(days_of(lake.store, first)) == [DAY, OTHER_MONTH]
    assert days_of(lake.store, second)[NEXT].rows_sha256 == sha256(b"next")
    assert last_inputs(lake) == second
    assert manifest_of(lake.store, second).digest == second.digest == lake.manifest().digest


def test_a_document_that_was_lost_is_written_again(lake: Lake) -> None:
    ingest(lake, DAY, b"one")
    document = record_inputs(lake, lake.manifest()).months["2025-03"].document
    lake.store.delete(document)

    assert record_inputs(lake, lake.manifest()).months["2025-03"].document == document
    assert keys(lake, DAYS) == {document}


def test_a_document_that_is_gone_or_damaged_says_so(lake: Lake) -> None:
    ingest(lake, DAY, b"one")
    inputs = record_inputs(lake, lake.manifest())
    document = inputs.months["2025-03"].document
    lake.store.write(document, b"{}")
    with pytest.raises(StorageError, match=r"format: field required; restore it from a copy"):
        days_of(lake.store, inputs)
    lake.store.delete(document)
    with pytest.raises(StorageError, match=r"no such object; restore it from a copy"):
        days_of(lake.store, inputs)


def test_a_lake_of_before_is_read_once_and_its_digests_are_kept(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(lake, DAY, b"one", recorded=False)
    lake.store.write(lake.key(RAW), b"raw")
    commit_raw(lake.store, IngestedRaw("d", "u", simulated=False, rows=9, quarantined=0))

    inputs = record_inputs(lake, lake.manifest())

    assert inputs.raw is not None
    assert inputs.raw.rows_sha256 == sha256(b"raw")
    assert days_of(lake.store, inputs)[DAY].rows_sha256 == sha256(b"one")
    assert lake.manifest().digest == inputs.digest
    read = list[str]()
    look = ObjectStore.read_changed

    def looked(store: ObjectStore, key: str, e_tag: str | None) -> Any:
        read.append(key)
        return look(store, key, e_tag)

    monkeypatch.setattr(ObjectStore, "read_changed", looked)
    record_inputs(lake, lake.manifest())
    assert lake.key(SURVEYS, DAY) not in read


def test_a_manifest_in_one_document_has_inputs_too(lake: Lake) -> None:
    replace_rows(lake, SURVEYS, DAY, b"one")
    day = {"digest": "d", "files": [vars(each) for each in entry(DAY, b"one").files]}
    lake.store.write_json(MANIFEST_KEY, {"format": 1, "raw": None, "days": {DAY: day}})
    read_manifest_anew(lake.store)

    inputs = record_inputs(lake, lake.manifest())

    assert days_of(lake.store, inputs)[DAY].rows_sha256 == sha256(b"one")


def test_what_is_needed_is_said_before_it_is_written(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    ingest(lake, DAY, b"one")
    written = list[str]()
    write = ObjectStore.write

    def noted(store: ObjectStore, key: str, data: bytes, **options: Any) -> None:
        written.append(key)
        write(store, key, data, **options)

    monkeypatch.setattr(ObjectStore, "write", noted)

    inputs = record_inputs(lake, lake.manifest())

    order = [key for key in written if key == INPUTS_KEY or key.startswith(DAYS)]
    assert order == [INPUTS_KEY, inputs.months["2025-03"].document]


@pytest.mark.parametrize("stored", [False, True], ids=["in memory", "stored"])
def test_a_day_that_was_ingested_again_is_noticed_and_one_that_was_added_is_no_matter(
    lake: Lake, *, stored: bool
) -> None:
    ingest(lake, DAY, b"one")
    ingest(lake, NEXT, b"next")
    before = lake.manifest()
    if not stored:
        before = Manifest(before.raw, dict(before.days))
    assert not changed_since(before, lake.manifest())

    ingest(lake, OTHER_MONTH, b"april")
    ingest(lake, "2025-03-16", b"more")
    assert not changed_since(before, lake.manifest())
    revoke_days(lake.store, [NEXT])
    assert changed_since(before, lake.manifest()) == [NEXT]
    ingest(lake, NEXT, b"next")
    assert not changed_since(before, lake.manifest())
    other_parser = replace(entry(NEXT, b"next"), rows_sha256=sha256(b"another parser"))
    commit_days(lake.store, {NEXT: other_parser})
    assert changed_since(before, lake.manifest()) == [NEXT]
    raw = IngestedRaw("d", "u", simulated=False, rows=9, quarantined=0)
    commit_raw(lake.store, raw)
    with_raw = lake.manifest()
    commit_raw(lake.store, replace(raw, rows_sha256="other"))
    assert changed_since(with_raw, lake.manifest()) == ["raw_abalone"]


def test_a_day_that_is_corrected_and_put_back_is_noticed_though_all_else_is_as_before(
    lake: Lake,
) -> None:
    """Files too: a store may tell each write of the same bytes by the same token."""
    ingest(lake, DAY, b"one", run="run one")
    before = lake.manifest()
    inputs = record_inputs(lake, before)
    ingest(lake, DAY, b"two", run="run two")
    ingest(lake, DAY, b"one", run="run three")
    now = lake.manifest()

    assert dict(now.days) == dict(before.days)
    assert changed_since(before, now) == [DAY]
    assert (now.digest, record_inputs(lake, now)) == (before.digest, inputs)
    assert now.writes != before.writes
    commit_raw(lake.store, None, judge_again=lambda manifest: dict(manifest.days))
    assert not changed_since(now, lake.manifest()), "it was judged again, not written"


class TestSplitsThatAreBeingRead:
    SPLIT = "train_split"

    def prepared(self, lake: Lake) -> None:
        lake.store.write(lake.key(self.SPLIT), b"rows")
        splits = lake.written({self.SPLIT: sha256(b"rows")})
        lake.record_preparation(Preparation("d", 1, 1, 0, engine="polars", splits=splits))

    def test_stay_as_they_were_written(self, lake: Lake) -> None:
        self.prepared(lake)
        with lake.steady_splits() as preparation:
            assert preparation.splits[self.SPLIT].sha256 == sha256(b"rows")

    def test_of_another_run_are_found_out_before_and_after(self, lake: Lake) -> None:
        self.prepared(lake)
        with (
            pytest.raises(
                StorageError, match=r"train_split.* was written again since this release"
            ),
            lake.steady_splits(),
        ):
            lake.store.write(lake.key(self.SPLIT), b"others")
        with pytest.raises(StorageError, match="train_split"), lake.steady_splits():
            pytest.fail("nobody reads them")

    def test_that_were_copied_back_are_the_same(self, lake: Lake) -> None:
        self.prepared(lake)
        written = replace(lake.preparation().splits[self.SPLIT], e_tag="of the write before")
        lake.record_preparation(replace(lake.preparation(), splits={self.SPLIT: written}))
        with lake.steady_splits() as preparation:
            assert preparation.splits[self.SPLIT] == written
        untold = replace(written, sha256="")  # as Spark leaves it
        lake.record_preparation(replace(preparation, splits={self.SPLIT: untold}))
        with pytest.raises(StorageError, match="train_split"), lake.steady_splits():
            pytest.fail("nobody knows what was written")

    def test_of_another_preparation_are_found_out(self, lake: Lake) -> None:
        self.prepared(lake)
        with (
            pytest.raises(StorageError, match=r"merged_dataset.* was written again"),
            lake.steady_splits() as preparation,
        ):
            lake.record_preparation(replace(preparation, digest="e"))

    def test_that_are_gone_are_found_out(self, lake: Lake) -> None:
        self.prepared(lake)
        lake.store.delete(lake.key(self.SPLIT))
        with pytest.raises(StorageError, match="train_split"), lake.steady_splits():
            pytest.fail("nobody reads them")
        with pytest.raises(StorageError, match="no such object"):
            lake.written({self.SPLIT: ""})

    def test_of_a_record_of_before_are_taken_as_they_are(self, lake: Lake) -> None:
        lake.store.write_json(
            "merged_dataset/_preparation.json",
            {"digest": "d", "rows_ingested": 1, "rows_in": 1, "repeats": 0},
        )
        with lake.steady_splits() as preparation:
            assert preparation.splits == {}
            assert preparation.engine == ""

    def test_are_recorded_with_what_they_are(self, lake: Lake) -> None:
        self.prepared(lake)
        stored = lake.store.find(lake.key(self.SPLIT))
        assert stored is not None
        written = lake.preparation().splits[self.SPLIT]
        assert written == Written(stored.e_tag, sha256(b"rows"))
