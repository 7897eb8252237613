"""What people ask of a version, and which version first learnt from a file."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.ingest.file_status import FileStatus, State
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest import IngestedDay, IngestedFile, Manifest
from abalone_assets.lake.released_files import record_released_files
from abalone_assets.registry.file_releases import FileReleases
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.registry.version_facts import DATA, VersionFacts
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.registry.versions import ModelVersion

NAME, DAY = "abalone.20250314061500", "2025-03-14"
ENTRY = IngestedFile(NAME, 9, "token", "a" * 64, 3, 0)
MANIFEST = Manifest(None, {DAY: IngestedDay("d", (ENTRY,))})


@pytest.fixture
def registry(tmp_path: Path) -> FolderRegistry:
    return FolderRegistry(ObjectStore(tmp_path / "registry"))


@pytest.fixture
def lake(home: Path) -> Lake:
    return Lake(str(home / "lake"))


def register(registry: FolderRegistry, release: str = "r1", **evaluation: Any) -> ModelVersion:
    known = {"rmse": 2.1, "rows": 209, "model_sha256": "c" * 64, **evaluation}
    decision = {"approved": True, "reason": "Approved: good.", "rule": "holds_against_champion"}
    return registry.register(
        b"archive", evaluation=known, decision=decision, release_digest=release
    )


def test_a_version_tells_its_data_its_error_and_whose_word_holds(registry: FolderRegistry) -> None:
    data = {"rows": 4300, "days": 12, "first_day": DAY, "last_day": "2025-04-01"}
    intervals = {"rmse": [1.9, 2.3]}
    assert DATA == "data"
    register(registry, data=data, confidence=intervals, champion={"version": "4"})
    registry.reject(1, because="wrong crew", by="ana")
    facts = VersionFacts.of(registry.get(1))
    assert (facts.data.rows, facts.data.days, facts.data.last_day) == (4300, 12, "2025-04-01")
    assert (facts.rmse, facts.rmse_low, facts.rmse_high, facts.test_rows) == (2.1, 1.9, 2.3, 209)
    assert (facts.approved, facts.status, facts.held_against) == (False, "rejected by ana", "4")
    assert facts.gate == "Approved: good."
    assert facts.decided_by_people[0].startswith("Rejected by ana on ")
    assert facts.to_document()["digest"] == "r1"


def test_an_old_record_has_gaps_and_no_error(registry: FolderRegistry) -> None:
    facts = VersionFacts.of(register(registry))
    assert (facts.data.rows, facts.rmse_low, facts.held_against) == (None, None, None)


def reads_of(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The versions whose records are read from now on."""
    get, read = FolderRegistry.get, list[int]()

    def counted(self: FolderRegistry, version: int) -> ModelVersion:
        read.append(version)
        return get(self, version)

    monkeypatch.setattr(FolderRegistry, "get", counted)
    return read


def status(state: State = "ingested", entry: IngestedFile | None = ENTRY) -> FileStatus:
    return FileStatus(NAME, DAY, state, "", None, entry)


def test_a_file_waits_for_a_release_then_names_its_first_version(
    lake: Lake, registry: FolderRegistry
) -> None:
    before = FileReleases(lake, registry).of(status())
    assert before is not None
    assert (before.released, before.version) == (False, None)
    record_released_files(lake.store, MANIFEST)
    prepared = FileReleases(lake, registry).of(status())
    assert prepared is not None
    assert (prepared.released, prepared.version) == (True, None)
    at = str(prepared.at)[:19].replace("T", " ")
    assert prepared.why == (
        f"in the release prepared at {at} UTC; no version of it is registered yet"
    )
    register(registry, MANIFEST.digest, model_sha256="c" * 64)
    register(registry, MANIFEST.digest, model_sha256="d" * 64)
    register(registry, "another", model_sha256="e" * 64)
    after = FileReleases(lake, registry).of(status())
    assert after is not None
    assert (after.version, after.status) == (1, "approved by the gate")
    assert after.why == "first in version 1, approved by the gate"


def test_a_file_whose_first_release_failed_has_the_version_of_the_next(
    lake: Lake, registry: FolderRegistry
) -> None:
    record_released_files(lake.store, MANIFEST)
    other = IngestedFile("abalone.20250401061500", 9, "token", "b" * 64, 3, 0)
    second = Manifest(None, {**MANIFEST.days, "2025-04-01": IngestedDay("e", (other,))})
    record_released_files(lake.store, second)
    register(registry, second.digest)
    assert FileReleases(lake, registry).versions_of([status()]) == [1]


def test_files_without_a_version_cost_one_walk_through_the_versions(
    lake: Lake, registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    record_released_files(lake.store, MANIFEST)
    for number in range(3):
        register(registry, f"r{number}", model_sha256=f"{number}" * 64)
    read = reads_of(monkeypatch)
    releases = FileReleases(lake, registry)
    assert releases.versions_of([status()] * 9) == [None] * 9
    assert read == [3, 2, 1]
    assert [each and each.version for each in releases.of_all([status()] * 9)] == [None] * 9
    assert read == [3, 2, 1] * 2


def test_a_version_of_before_the_preparation_is_not_taken_for_its_own(
    lake: Lake, registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        register(registry, MANIFEST.digest, model_sha256=f"{number}" * 64)
    record_released_files(lake.store, MANIFEST)
    key = "merged_dataset/_released_files.2025-03.json"
    document = lake.store.read_json(key)
    assert document is not None
    later = datetime.now(UTC).replace(year=2100).isoformat()
    document["files"][NAME]["at"] = later
    lake.store.write_json(key, document)
    read = reads_of(monkeypatch)
    found = FileReleases(lake, registry).of(status())
    assert found is not None
    assert found.version is None
    assert read == [3]  # and none of before it


@pytest.mark.parametrize(
    "found",
    [
        status("held"),
        status("changed"),
        status("stray", None),
        status(entry=IngestedFile(NAME, 9, "token", "a" * 64, 0, 3)),
    ],
)
def test_a_file_that_adds_nothing_is_in_no_release(
    lake: Lake, registry: FolderRegistry, found: FileStatus
) -> None:
    assert FileReleases(lake, registry).of(found) is None


def test_a_release_of_before_files_were_told_apart_is_called_so(
    lake: Lake, registry: FolderRegistry
) -> None:
    lake.store.write_json("release.json", {})
    record_released_files(lake.store, MANIFEST)
    found = FileReleases(lake, registry).of(status())
    assert found is not None
    assert (found.released, found.version) == (True, None)
    assert "before files were told apart" in found.why
