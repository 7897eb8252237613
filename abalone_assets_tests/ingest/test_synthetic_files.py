from __future__ import annotations

import hashlib
import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.errors import StorageError
from abalone_assets.ingest.given_files import Options, Verdicts, read_file
from abalone_assets.ingest.synthetic_files import (
    LEDGER_KEY,
    SyntheticFile,
    origin_of,
    record_synthetic_file,
    synthetic_files,
)
from abalone_assets.lake.manifest import (
    BEING_WRITTEN,
    IngestedDay,
    IngestedFile,
    IngestedRaw,
    day_digest,
)
from abalone_assets.lake.manifest_store import commit_days, commit_raw, read_manifest
from abalone_assets.sample_data import base_survey, surveys
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from pathlib import Path

NAME = "abalone.20250303120000"
SHA256, OTHER = "0" * 63 + "a", "0" * 63 + "b"


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path)


def record(store: ObjectStore, sha256: str = SHA256, **changes: Any) -> None:
    file = SyntheticFile(NAME, 200, "copula", seed=0, data_version="v1")
    record_synthetic_file(store, sha256, replace(file, **changes))


def ingested(*digests: str, origin: str = "surveyed") -> IngestedDay:
    files = tuple(
        IngestedFile(f"{NAME[:-2]}{number:02}", 45, "tag", digest, 2, 0, origin=origin)
        for number, digest in enumerate(digests)
    )
    return IngestedDay(day_digest(files), files)


def test_a_recorded_file_is_known_by_the_digest_of_its_bytes(store: ObjectStore) -> None:
    record(store, SHA256, seed=7)
    record(store, OTHER, name="abalone.20250304120000", recipe="ctgan")
    files = synthetic_files(store)
    assert list(files) == [OTHER, SHA256]
    assert (files[SHA256].name, files[SHA256].rows, files[SHA256].seed) == (NAME, 200, 7)
    assert (files[OTHER].recipe, files[OTHER].data_version) == ("ctgan", "v1")
    made_at = datetime.fromisoformat(files[OTHER].made_at)
    assert made_at.utcoffset() == timedelta(0)
    assert origin_of(SHA256, files) == "synthetic"
    assert origin_of("0" * 64, files) == "surveyed"


@pytest.mark.parametrize("path", [base_survey(), *surveys()], ids=lambda path: path.name)
def test_what_ships_with_the_platform_is_an_example_also_as_it_lands(path: Path) -> None:
    given = path.read_bytes()
    landed = read_file(given, path.name, Options(), Verdicts()).data
    for content in (given, landed):
        assert origin_of(hashlib.sha256(content).hexdigest(), {}) == "example"


def test_a_file_that_is_recorded_again_keeps_its_first_entry(store: ObjectStore) -> None:
    record(store, made_at="2025-03-03T12:00:00+00:00")
    first = store.read(LEDGER_KEY)
    record(store, name="renamed", seed=1)
    assert store.read(LEDGER_KEY) == first


def test_files_that_are_recorded_at_once_are_all_kept(store: ObjectStore) -> None:
    digests = [f"{number:064x}" for number in range(24)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda digest: record(store, digest), digests))
    assert sorted(synthetic_files(store)) == digests


@pytest.mark.parametrize("digest", ["", "5ha", "A" * 64, "0" * 65])
def test_what_is_no_sha_256_is_refused_and_not_recorded(store: ObjectStore, digest: str) -> None:
    with pytest.raises(StorageError, match="is no SHA-256 in lower-case hex"):
        record(store, digest)
    assert synthetic_files(store) == {}


@pytest.mark.parametrize(
    "document",
    [
        [],
        {"format": 1},
        {"format": 1, "files": {SHA256: {"name": NAME}}},
    ],
)
def test_a_damaged_ledger_is_one_clear_error_and_never_overwritten(
    store: ObjectStore, document: Any
) -> None:
    store.write_json(LEDGER_KEY, document)
    with pytest.raises(StorageError, match=r"_files\.json: .+; restore this ledger from a copy"):
        synthetic_files(store)
    with pytest.raises(StorageError, match="restore this ledger"):
        record(store)
    assert json.loads(store.read(LEDGER_KEY)) == document


def test_another_format_is_refused_with_both_numbers(store: ObjectStore) -> None:
    store.write_json(LEDGER_KEY, {"format": 2, "files": {}})
    with pytest.raises(StorageError, match=r"_files\.json: format 2, but this release reads 1$"):
        synthetic_files(store)


def test_a_day_that_took_a_simulation_for_a_survey_is_due_again(store: ObjectStore) -> None:
    commit_days(store, {"2025-03-03": ingested(OTHER, SHA256), "2025-03-04": ingested(OTHER)})
    record(store)
    days = read_manifest(store).days
    assert days["2025-03-03"] == BEING_WRITTEN
    assert days["2025-03-04"] == ingested(OTHER)


def test_a_day_that_knows_its_simulation_stays_as_it_is(store: ObjectStore) -> None:
    commit_days(store, {"2025-03-03": ingested(SHA256, origin="synthetic")})
    before = read_manifest(store)
    record(store)
    assert read_manifest(store) == before


def test_a_base_survey_that_was_a_simulation_is_fetched_again(store: ObjectStore) -> None:
    raw = IngestedRaw(SHA256, "file:///abalone.data", simulated=False, rows=9, quarantined=0)
    commit_raw(store, raw)
    record(store, OTHER)
    assert read_manifest(store).raw == raw
    record(store)
    assert read_manifest(store).raw is None
