"""Inputs of releases stay while a version needs them, whoever releases and ingests meanwhile."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.lake.kept_inputs import DAYS, ROWS, kept_key, record_inputs
from abalone_assets.lake.kept_inputs import _month_at as documents
from abalone_assets.lake.lake import Lake
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.registry.provenance import PROVENANCE
from abalone_assets.retention.kept_inputs import NEEDED, UNKNOWN, kept_inputs
from abalone_assets.retention.kind import GRACE, YOUNG
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.lake.test_kept_inputs import DAY, ingest, keys, lake, sha256
from abalone_assets_tests.registry.support import add
from abalone_assets_tests.registry.test_provenance import MADE
from abalone_assets_tests.retention.turns import play

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.lake.kept_inputs import Inputs
    from abalone_assets.registry.versions import ModelVersion
    from abalone_assets.retention.kind import Kind

__all__ = ["lake"]

LATER = datetime.now(UTC) + timedelta(days=2)


@pytest.fixture
def registry(tmp_path: Path) -> FolderRegistry:
    return FolderRegistry(ObjectStore(tmp_path / "registry"))


def document_of(inputs: Inputs) -> dict[str, Any]:
    return replace(MADE, inputs=inputs).to_document()


def release(lake: Lake, registry: FolderRegistry, name: str) -> ModelVersion:
    inputs = record_inputs(lake, lake.manifest())
    return add(registry, name, provenance=document_of(inputs))


def look(lake: Lake, registry: FolderRegistry, *versions: int, now: datetime = LATER) -> Kind:
    return kept_inputs(lake, registry, versions, now)


def kept(lake: Lake) -> set[str]:
    return keys(lake, ROWS) | keys(lake, DAYS)


def three_releases(lake: Lake, registry: FolderRegistry) -> list[set[str]]:
    """Of each release what is kept of its inputs once its day was ingested twice more."""
    needed: list[set[str]] = []
    for data in (b"one", b"two", b"three"):
        ingest(lake, DAY, data)
        version = release(lake, registry, data.decode())
        document = version.evaluation[PROVENANCE]["inputs"]["months"]["2025-03"]["document"]
        needed.append({document, kept_key(sha256(data))})
    return needed


def test_inputs_go_with_the_archive_of_their_version(lake: Lake, registry: FolderRegistry) -> None:
    first, second, third = three_releases(lake, registry)
    assert look(lake, registry, 1, 2, 3).surplus == []
    assert {each.kept for each in look(lake, registry, 3, now=datetime.now(UTC)).things} == {
        YOUNG,
        NEEDED,
    }

    kind = look(lake, registry, 2, 3)
    assert {thing.name for thing in kind.surplus} == first
    assert kind.free() == []  # while its archive is there
    registry.remove_archive(1)
    assert {thing.name for thing in kind.free()} == first
    assert kept(lake) == (second | third) - {kept_key(sha256(b"three"))}


def test_what_a_release_that_runs_is_made_from_stays(lake: Lake, registry: FolderRegistry) -> None:
    ingest(lake, DAY, b"one")
    inputs = record_inputs(lake, lake.manifest())
    ingest(lake, DAY, b"two")
    assert look(lake, registry).surplus == []

    for asset in ("trained_model", "evaluation"):
        lake.store.write_json(
            lake.key(asset, suffix="json"), {PROVENANCE: document_of(inputs), "model_uri": "u"}
        )
        record_inputs(lake, lake.manifest())
        assert kept_key(sha256(b"one")) not in {
            thing.name for thing in look(lake, registry).surplus
        }
        lake.store.write_json(lake.key(asset, suffix="json"), {"model_uri": "u"})
    assert kept_key(sha256(b"one")) in {thing.name for thing in look(lake, registry).surplus}


def test_where_archives_are_kept_for_ever_so_are_inputs(
    lake: Lake, registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    three_releases(lake, registry)
    monkeypatch.setattr(FolderRegistry, "archives", lambda _: {})

    kind = look(lake, registry, 3)
    assert kind.surplus == [], "nothing is promised that is never done"
    assert kind.free() == []


def test_while_a_document_is_lost_no_rows_go(lake: Lake, registry: FolderRegistry) -> None:
    _, second, _ = three_releases(lake, registry)
    registry.remove_archive(1)
    lake.store.delete(next(key for key in second if key.startswith(DAYS)))
    documents.cache_clear()

    kind = look(lake, registry, 2, 3)
    reasons = {thing.name: thing.kept for thing in kind.things}
    assert reasons[kept_key(sha256(b"one"))] == UNKNOWN
    assert [thing.name.split("/")[1] for thing in kind.surplus] == ["days"]


@pytest.mark.parametrize("moment", ["before", "amid"])
def test_what_somebody_comes_to_need_while_it_is_removed_is_there_again(
    lake: Lake, registry: FolderRegistry, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    three_releases(lake, registry)
    registry.remove_archive(1)
    kind = look(lake, registry, 2, 3)
    delete, rows = ObjectStore.delete, kept_key(sha256(b"one"))

    def back_to_one() -> None:
        """The day is again as it was first, is released so, and is another again."""
        ingest(lake, DAY, b"one")
        release(lake, registry, "again")
        ingest(lake, DAY, b"four")

    deleted = list[str]()

    def removing(store: ObjectStore, key: str) -> None:
        deleted.append(key)
        if key == rows and moment == "amid":
            monkeypatch.setattr(ObjectStore, "delete", delete)
            back_to_one()
        delete(store, key)

    if moment == "before":
        back_to_one()
    monkeypatch.setattr(ObjectStore, "delete", removing)
    freed = {thing.name for thing in kind.free()}

    assert (rows in deleted) == (moment == "amid")  # not even for a moment, where it is known
    assert rows not in freed
    assert lake.store.read(rows) == b"one"
    assert look(lake, registry, 2, 3, 4).surplus == []


def test_what_was_written_again_after_the_look_stays(lake: Lake, registry: FolderRegistry) -> None:
    three_releases(lake, registry)
    registry.remove_archive(1)
    rows = kept_key(sha256(b"one"))
    last = max(each.last_modified for each in lake.store.list("_kept/"))
    kind = look(lake, registry, 2, 3, now=last + GRACE)
    assert rows in {thing.name for thing in kind.surplus}
    time.sleep(1.1)  # S3 tells seconds
    lake.store.write(rows, b"one")

    assert rows not in {thing.name for thing in kind.free()}


@pytest.mark.parametrize("seed", range(25))
def test_gc_under_concurrent_releases_and_ingestions_loses_nothing(
    seed: int, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del home  # its settings are the environment's
    outcome = play(seed, monkeypatch)

    assert outcome.lost == []
