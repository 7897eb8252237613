"""What an ingestion makes of what others do while it writes a survey day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.ingest import synthetic_files
from abalone_assets.lake import manifest_store
from abalone_assets.resources import storage
from abalone_assets_tests.automation.support import (
    Clock,
    ingest,
    ingest_range,
    know_as_simulated,
    name_of,
    prepare_only,
    requests,
)
from abalone_assets_tests.support.platform import Platform, small_base, survey_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from abalone_assets.lake.manifest import IngestedRaw
    from abalone_assets.storage.object_store import ObjectStore

pytestmark = pytest.mark.service
DAY = "2025-03-03"
BEFORE, AFTER = survey_rows(3, seed=1), survey_rows(3, seed=2)


def meanwhile(patch: pytest.MonkeyPatch, does: Callable[[], object]) -> None:
    """Have something done once, before the next table is written."""
    write, left = storage.write_frames, [does]

    def written(*arguments: Any) -> None:
        if left:
            left.pop()()
        write(*arguments)

    patch.setattr(storage, "write_frames", written)


def test_two_runs_that_write_one_day_fail_and_the_next_one_ingests_it(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures: list[str] = []

    def another_run() -> None:
        platform.land(name_of(DAY), AFTER)
        with pytest.raises(Exception, match="another run was writing") as failed:
            ingest_range(platform, DayRange(DAY, DAY))
        failures.append(str(failed.value))

    platform.land(name_of(DAY), BEFORE)
    meanwhile(monkeypatch, another_run)
    with pytest.raises(Exception, match=f"another run was writing {DAY}"):
        ingest_range(platform, DayRange(DAY, DAY))
    assert len(failures) == 1
    assert platform.lake.manifest().summaries[DAY].being_written
    Clock.installed(monkeypatch).advance(days=1)
    assert ingest(platform) == [True]
    assert platform.lake.manifest().rows_of(DAY) == 3
    assert requests(platform) == []


def test_a_run_that_failed_is_not_waited_for(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process lives on, as that of `abalone release` does."""

    def fail() -> None:
        raise OSError("the store refuses")

    platform.land(name_of(DAY), BEFORE)
    meanwhile(monkeypatch, fail)
    with pytest.raises(Exception, match="the store refuses"):
        ingest_range(platform, DayRange(DAY, DAY))
    assert len(platform.lake.manifest().summaries[DAY].writers) == 1
    ingest_range(platform, DayRange(DAY, DAY))
    assert platform.lake.manifest().summaries[DAY].writers == ()


def test_a_file_that_is_told_of_as_a_simulation_while_it_is_ingested_is_ingested_again(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.land(name_of(DAY), BEFORE)
    meanwhile(monkeypatch, lambda: know_as_simulated(platform, DAY, BEFORE))
    assert ingest(platform) == [True]
    assert ingest(platform) == [True]
    assert platform.lake.manifest().days[DAY].synthetic_rows == 3
    assert requests(platform) == []


@pytest.fixture
def base(tmp_path: Path) -> bytes:
    """The base survey of the platform."""
    from pathlib import Path as Local

    return Local(small_base(tmp_path)["RAW_URI"]).read_bytes()


def test_so_is_a_base_survey(
    platform: Platform, base: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    meanwhile(monkeypatch, lambda: know_as_simulated(platform, DAY, base))
    assert prepare_only(platform, "raw_abalone").success
    assert platform.lake.manifest().raw is None, "it is to be ingested once more"


def test_so_is_a_base_survey_whose_run_dies_at_its_commit(
    platform: Platform, base: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It looked at the ledger again only after its commit, and a release takes what it finds."""
    commit = manifest_store.commit_raw

    def commit_and_die(store: ObjectStore, raw: IngestedRaw | None, **others: Any) -> None:
        commit(store, raw, **others)
        if raw is not None:
            raise RuntimeError("the process is gone")

    meanwhile(monkeypatch, lambda: know_as_simulated(platform, DAY, base))
    monkeypatch.setattr(manifest_store, "commit_raw", commit_and_die)
    assert not prepare_only(platform, "raw_abalone").success
    monkeypatch.setattr(manifest_store, "commit_raw", commit)
    assert platform.lake.manifest().raw is None, "it is to be ingested once more"
    assert prepare_only(platform, "raw_abalone").success
    raw = platform.lake.manifest().raw
    assert raw is not None
    assert raw.origin == "synthetic"


def test_so_is_a_base_survey_that_is_told_of_amid_its_commit(
    platform: Platform, base: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the commit's look at the ledger; who tells of it sees no base survey to revoke."""
    look, left = synthetic_files.is_mistaken, [True]

    def look_and_be_told(store: ObjectStore, raw: IngestedRaw) -> bool:
        found = look(store, raw)
        if left:
            left.clear()
            know_as_simulated(platform, DAY, base)
        return found

    monkeypatch.setattr(synthetic_files, "is_mistaken", look_and_be_told)
    assert prepare_only(platform, "raw_abalone").success
    assert not left
    assert platform.lake.manifest().raw is None, "it is to be ingested once more"
