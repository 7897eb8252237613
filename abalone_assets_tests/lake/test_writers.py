"""Who writes a survey day, and for how long that is believed."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from abalone_assets.lake.holder import process_identity
from abalone_assets.lake.manifest import IngestedDay, IngestedFile
from abalone_assets.lake.manifest_store import (
    commit_days,
    read_manifest_anew,
    revoke_days,
    writing_days,
)
from abalone_assets.lake.writers import LONGEST_WRITING, SharedDaysError, Writer
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from pathlib import Path

DAY, OTHER_DAY = "2025-03-03", "2025-03-04"
ENTRY = IngestedDay("digest", (IngestedFile("abalone.20250303120000", 1, "token", "sha", 1, 0),))
ONE, TWO = Writer.this("one"), Writer.this("two")


@pytest.fixture
def store(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path / "lake")


def writers(store: ObjectStore, day: str = DAY) -> dict[str, bool]:
    """Who writes a day, and whether it has ended."""
    found = read_manifest_anew(store).summaries[day].writers
    return {each.run: each.ended for each in found}


def is_valid(store: ObjectStore, day: str = DAY) -> bool:
    return not read_manifest_anew(store).summaries[day].being_written


def test_one_that_is_alone_is_believed_and_forgotten(store: ObjectStore) -> None:
    revoke_days(store, [DAY], writer=ONE)
    assert writers(store) == {"one": False}
    commit_days(store, {DAY: ENTRY}, writer=ONE)
    assert is_valid(store)
    assert writers(store) == {}
    assert b"writers" not in store.read("manifest.json"), "it would be most of a head"


@pytest.mark.parametrize("order", [(ONE, TWO), (TWO, ONE)])
def test_of_two_neither_is_believed_in_whichever_order_they_end(
    store: ObjectStore, order: tuple[Writer, Writer]
) -> None:
    revoke_days(store, [DAY, OTHER_DAY], writer=ONE)
    revoke_days(store, [DAY], writer=TWO)
    for writer in order:
        days = {DAY: ENTRY, OTHER_DAY: ENTRY} if writer is ONE else {DAY: ENTRY}
        with pytest.raises(SharedDaysError, match=f"another run was writing {DAY} as well"):
            commit_days(store, days, writer=writer)
    assert not is_valid(store)
    assert is_valid(store, OTHER_DAY), "which nobody else wrote"
    third = Writer.this("three")
    revoke_days(store, [DAY], writer=third)
    commit_days(store, {DAY: ENTRY}, writer=third)
    assert is_valid(store)


def test_one_that_wakes_when_another_has_committed_takes_that_back(store: ObjectStore) -> None:
    revoke_days(store, [DAY], writer=ONE)
    revoke_days(store, [DAY], writer=TWO, has_ended=lambda run: run == "one")
    commit_days(store, {DAY: ENTRY}, writer=TWO)
    assert is_valid(store)
    with pytest.raises(SharedDaysError):
        commit_days(store, {DAY: ENTRY}, writer=ONE)
    assert not is_valid(store)


def test_a_day_that_somebody_revokes_while_it_is_written_stays_revoked(store: ObjectStore) -> None:
    """What a person says of it is no failure of the run that is writing it."""
    revoke_days(store, [DAY], writer=ONE)
    revoke_days(store, [DAY])
    commit_days(store, {DAY: ENTRY}, writer=ONE)
    assert not is_valid(store)
    revoke_days(store, [DAY], writer=TWO)
    commit_days(store, {DAY: ENTRY}, writer=TWO)
    assert is_valid(store)


def test_a_day_that_somebody_revokes_and_two_runs_write_is_a_failure_of_both(
    store: ObjectStore,
) -> None:
    for writer in (ONE, None, TWO):
        revoke_days(store, [DAY], writer=writer)
    for writer in (ONE, TWO):
        with pytest.raises(SharedDaysError):
            commit_days(store, {DAY: ENTRY}, writer=writer)
    assert not is_valid(store)


def test_one_that_fails_says_so(store: ObjectStore) -> None:
    def fail() -> None:
        with writing_days(store, [DAY], ONE):
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert writers(store) == {"one": True}


def test_it_writes_no_more_when_dagster_or_the_system_says_so_or_after_an_hour() -> None:
    def nobody_knows(_: str) -> bool:
        return False

    ended = subprocess.Popen([sys.executable, "-c", ""])
    identity = process_identity(ended.pid)
    ended.wait()
    long_ago = datetime.now(UTC) - LONGEST_WRITING - timedelta(seconds=1)
    elsewhere = replace(ONE, machine="elsewhere", process="1/boot/2")
    assert not ONE.is_gone(nobody_knows)
    assert ONE.is_gone(lambda run: run == "one")
    assert replace(ONE, process=identity).is_gone(nobody_knows)
    assert not elsewhere.is_gone(nobody_knows)
    assert replace(elsewhere, since=long_ago.isoformat()).is_gone(nobody_knows)
    assert ONE.process == process_identity(os.getpid())
