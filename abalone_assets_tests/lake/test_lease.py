"""The lease on the lake: one holder at a time, and one that has lost it knows."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from abalone_assets.lake.lease import LEASE_KEY, HeldLease, Lease, LeaseError, read_lease
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOLDER = """
import sys, time
from abalone_assets.lake.lease import HeldLease
from abalone_assets.storage.object_store import ObjectStore
HeldLease(ObjectStore(sys.argv[1]), "killed").acquire(print)
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "s3":
        return ObjectStore(request.getfixturevalue("s3"))
    return ObjectStore(tmp_path / "lake")


@pytest.fixture
def held(store: ObjectStore) -> Iterator[HeldLease]:
    """The lease of the run ``first``, renewed every tenth of a second."""
    lease = HeldLease(store, "first", seconds=1, renew_seconds=0.1)
    lease.acquire(print)
    yield lease
    lease.free()


def other(store: ObjectStore, *, seconds: float = 1) -> HeldLease:
    return HeldLease(store, "second", seconds=seconds, renew_seconds=0.1)


def from_elsewhere(store: ObjectStore) -> None:
    """Let the lease look as if another machine had it, whose processes nobody here can see."""
    place = {"machine": "elsewhere", "process": "999999999/boot/1"}
    store.update_json(LEASE_KEY, lambda found: {**(found or {}), **place})


def test_a_run_that_finds_a_living_holder_says_so_and_ends(
    store: ObjectStore, held: HeldLease
) -> None:
    said: list[str] = []
    with pytest.raises(LeaseError, match=r"run first \(since .*\) is releasing.* wait for its end"):
        other(store, seconds=0.5).acquire(said.append, wait_seconds=1.5)
    held.check()
    (line,) = said
    assert "waiting for the release of run first" in line


def test_a_run_waits_for_one_that_ends(store: ObjectStore) -> None:
    first, second = HeldLease(store, "first"), other(store)
    first.acquire(print)
    ending = threading.Timer(0.5, first.free)
    ending.start()
    began = time.monotonic()
    second.acquire(print, wait_seconds=20)
    assert time.monotonic() - began >= 0.5
    ending.join()
    assert read_lease(store).holder == "second"
    second.free()
    assert read_lease(store).holder == ""


def test_of_many_at_once_one_holds_it(store: ObjectStore) -> None:
    inside, most = 0, 0

    def release(number: int) -> None:
        nonlocal inside, most
        lease = HeldLease(store, f"run {number}", renew_seconds=0.05)
        lease.acquire(lambda _: None, wait_seconds=60)
        inside += 1
        most = max(most, inside)
        lease.check()
        time.sleep(0.02)
        inside -= 1
        lease.free()

    with ThreadPoolExecutor(6) as executor:
        list(executor.map(release, range(12)))
    assert most == 1
    assert read_lease(store).token == 12


def test_what_a_killed_process_of_this_machine_held_is_free_at_once(store: ObjectStore) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, store.uri], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        assert read_lease(store).seems_held
        holder.kill()
    assert not read_lease(store).seems_held
    second = other(store)
    second.acquire(print, wait_seconds=0)
    second.free()


def test_one_of_another_machine_is_gone_when_its_lease_stands_still(store: ObjectStore) -> None:
    first = HeldLease(store, "first", renew_seconds=60)
    first.acquire(print)
    from_elsewhere(store)
    began = time.monotonic()
    second = other(store, seconds=0.5)
    second.acquire(print, wait_seconds=20)
    assert time.monotonic() - began >= 0.5
    with pytest.raises(LeaseError, match=r"run second .* took the lake over"):
        first.check()
    first.free()
    assert read_lease(store).holder == "second", "a lost lease is not given away"
    second.check()
    second.free()


def test_a_holder_that_was_out_of_touch_keeps_what_nobody_took(store: ObjectStore) -> None:
    first = HeldLease(store, "first", seconds=0.01, renew_seconds=60)
    first.acquire(print)
    time.sleep(0.05)
    first.check()
    first.free()


def test_a_clock_that_is_wrong_takes_nothing_from_a_living_holder(
    store: ObjectStore, held: HeldLease
) -> None:
    from_elsewhere(store)
    store.update_json(
        LEASE_KEY, lambda found: {**(found or {}), "renewed_at": "2001-01-01T00:00:00+00:00"}
    )
    with pytest.raises(LeaseError):
        other(store, seconds=0.5).acquire(print, wait_seconds=1)
    held.check()


def test_a_lease_that_was_renewed_since_the_last_look_is_not_taken(
    store: ObjectStore, held: HeldLease
) -> None:
    """However rarely who waits looks: here, less often than a lease may stand still."""
    from_elsewhere(store)
    second = HeldLease(store, "second", seconds=0.4, renew_seconds=10)
    with pytest.raises(LeaseError):
        second.acquire(print, wait_seconds=1)
    held.check()


def test_a_store_that_refuses_for_a_while_costs_no_lease(
    store: ObjectStore, held: HeldLease, monkeypatch: pytest.MonkeyPatch
) -> None:
    from abalone_assets.errors import StorageError

    calls = 0
    update = ObjectStore.update_json

    def refuse(self: ObjectStore, key: str, change: object) -> None:
        nonlocal calls
        calls += 1
        if calls < 3:
            raise StorageError("busy")
        update(self, key, change)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(ObjectStore, "update_json", refuse)
        before = read_lease(store).renewals
        while read_lease(store).renewals == before:
            time.sleep(0.05)
    held.check()


def test_whether_it_seems_held_is_told_without_waiting() -> None:
    lease = Lease("run", 1, 0, "elsewhere", "1", "", "2001-01-01T00:00:00+00:00")
    assert not lease.seems_held
    assert not Lease().seems_held
