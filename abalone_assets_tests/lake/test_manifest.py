from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from abalone_assets.errors import StorageError
from abalone_assets.lake.manifest import (
    BEING_WRITTEN,
    MANIFEST_KEY,
    IngestedDay,
    IngestedFile,
    IngestedRaw,
    Manifest,
    commit_days,
    commit_raw,
    day_digest,
    read_manifest,
    revoke_days,
)
from abalone_assets.storage.object_store import ObjectStore

FILE = IngestedFile("abalone.20250303120000", 45, "tag", "5ha", rows=2, quarantined=1)
RAW = IngestedRaw("d1gest", "file:///abalone.data", simulated=False, rows=4175, quarantined=2)


def day(*files: IngestedFile) -> IngestedDay:
    return IngestedDay(day_digest(files), files)


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path)


def test_a_new_lake_has_an_empty_manifest(store: ObjectStore) -> None:
    assert read_manifest(store) == Manifest()


def test_committed_days_and_the_base_survey_are_read_back_in_order(store: ObjectStore) -> None:
    refused = replace(FILE, name="abalone.20250303130000", rows=0, problem="not CSV")
    commit_raw(store, RAW)
    commit_days(store, {"2025-03-03": day(FILE, refused), "2025-03-01": day()})
    commit_days(store, {"2025-03-02": day()})
    days = {"2025-03-01": day(), "2025-03-02": day(), "2025-03-03": day(FILE, refused)}
    assert read_manifest(store) == Manifest(RAW, days)
    assert list(json.loads(store.read(MANIFEST_KEY))["days"]) == list(days)


def test_a_days_digest_depends_on_names_sizes_and_bytes_only() -> None:
    other = replace(FILE, name="other")
    digest = day_digest([FILE, other])
    assert digest == day_digest([other, FILE])
    assert digest == day_digest([replace(FILE, e_tag="written again", rows=7), other])
    for changed in (
        replace(FILE, name="renamed"),
        replace(FILE, size=46),
        replace(FILE, sha256="other bytes"),
    ):
        assert day_digest([changed, other]) != digest
    assert day_digest([FILE]) != digest


def test_a_file_that_turns_out_to_be_a_simulation_is_another_content() -> None:
    simulated = replace(FILE, origin="synthetic")
    assert day_digest([simulated]) != day_digest([FILE])
    manifest = Manifest(RAW, {"2025-03-03": day(FILE)})
    assert replace(manifest, days={"2025-03-03": day(simulated)}).digest != manifest.digest
    assert replace(manifest, raw=replace(RAW, origin="synthetic")).digest != manifest.digest


def test_a_day_counts_its_files_rows() -> None:
    simulated = replace(FILE, name="other", rows=40, quarantined=9, origin="synthetic")
    entry = day(FILE, simulated)
    assert (entry.rows, entry.quarantined, entry.synthetic_rows) == (42, 10, 40)
    assert Manifest(RAW, {"2025-03-03": entry, "2025-03-04": day(FILE)}).rows == 4175 + 44


def test_a_manifest_from_before_there_were_simulations_is_of_surveys() -> None:
    manifest = Manifest(RAW, {"2025-03-03": day(FILE)})
    document = manifest.to_document()
    del document["raw"]["origin"], document["days"]["2025-03-03"]["files"][0]["origin"]
    assert Manifest.from_document(document) == manifest


def test_the_manifests_digest_changes_with_its_content_only() -> None:
    manifest = Manifest(RAW, {"2025-03-03": day(FILE)})
    assert replace(manifest, raw=replace(RAW, digest="other")).digest != manifest.digest
    assert replace(manifest, raw=None).digest != manifest.digest
    assert replace(manifest, raw=replace(RAW, uri="elsewhere")).digest == manifest.digest
    assert Manifest(RAW, {"2025-03-04": day(FILE)}).digest != manifest.digest
    assert Manifest(RAW, {"2025-03-03": day(replace(FILE, size=9))}).digest != manifest.digest
    assert Manifest(RAW, {**manifest.days, "2025-03-04": day()}).digest == manifest.digest


@settings(max_examples=30, deadline=None)
@given(st.permutations(["2025-03-01", "2025-03-02", "2024-12-31", "2025-10-01"]))
def test_the_manifests_digest_does_not_depend_on_the_order_of_ingestion(days: list[str]) -> None:
    ordered = Manifest(RAW, {name: day(FILE) for name in sorted(days)})
    assert Manifest(RAW, {name: day(FILE) for name in days}).digest == ordered.digest


def test_days_with_rows_are_in_order_and_leave_out_the_others() -> None:
    quarantined = day(replace(FILE, rows=0))
    manifest = Manifest(
        None,
        {"2025-03-04": day(FILE), "2025-03-03": quarantined, "2025-03-02": day(FILE)},
    )
    assert manifest.days_with_rows == ["2025-03-02", "2025-03-04"]


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


def test_another_format_is_refused_with_both_numbers() -> None:
    document = Manifest(RAW).to_document() | {"format": 2}
    with pytest.raises(StorageError, match=r"^manifest.json: format 2, but this release reads 1$"):
        Manifest.from_document(document)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"format": 1},
        {"format": 1, "raw": {"digest": "only"}, "days": {}},
        {"format": 1, "raw": None, "days": {"2025-03-03": {"digest": "", "files": [{}]}}},
    ],
)
def test_what_is_no_manifest_is_refused_with_what_to_do(document: Any) -> None:
    with pytest.raises(StorageError, match=r"^manifest.json: .+; delete it to ingest all surveys"):
        Manifest.from_document(document)
