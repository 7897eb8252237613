"""The lease on the lake: one release at a time, whoever starts it.

Pools of Dagster's queue hold for runs that go through the queue of one instance. This holds for all
that write to the same lake: other instances, ``dg launch``, other machines.

``release_lease.json`` names the holder, which renews it while it lives. Whoever waits believes its
own eyes, not the clocks of others: a lease that stands unchanged for `LEASE_SECONDS` is of a holder
that is gone, as in `Amazon's lock client for DynamoDB
<https://aws.amazon.com/blogs/database/building-distributed-locks-with-the-dynamodb-lock-client/>`_;
a holder of this machine whose process has ended is gone at once. Each holder has a larger token
than those before it. One that finds another's has lost the lease, and may change nothing more.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import AbaloneError, StorageError
from abalone_assets.lake.holder import machine, process_identity, process_lives
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from abalone_assets.storage.object_store import ObjectStore

LEASE_KEY: Final = "release_lease.json"
LEASE_SECONDS: Final = 60.0
RENEW_SECONDS: Final = 10.0
WAIT_SECONDS: Final = LEASE_SECONDS + 2 * RENEW_SECONDS
"""Longer than a dead holder's lease lasts: whoever still has it then lives."""

POLL_SECONDS: Final = 0.5


class LeaseError(AbaloneError):
    """Another release holds the lake, or has taken it over."""


@dataclass(frozen=True)
class Lease:
    """Who may write what a release writes.

    Attributes:
        holder: The Dagster run; empty when it is free.
        token: Larger than that of every holder before.
        renewals: Counts up while the holder lives.
        machine: Where the holder's process is.
        process: Its identity there.
        since: When the holder took it, ISO time, UTC.
        renewed_at: When it last did so, by its own clock.
    """

    holder: str = ""
    token: int = 0
    renewals: int = 0
    machine: str = ""
    process: str = ""
    since: str = ""
    renewed_at: str = ""

    @property
    def is_abandoned(self) -> bool:
        """Whether nobody has it, as far as that is known without waiting."""
        here = self.machine == machine() and bool(self.process)
        return not self.holder or (here and not process_lives(self.process))

    @property
    def seems_held(self) -> bool:
        """Whether a holder was at work lately, by its own clock: good enough for who only asks."""
        if self.is_abandoned:
            return False
        age = datetime.now(UTC) - datetime.fromisoformat(self.renewed_at)
        return abs(age.total_seconds()) < LEASE_SECONDS

    def __str__(self) -> str:
        return f"run {self.holder} (since {self.since})"


def read_lease(store: ObjectStore) -> Lease:
    """Who has it now.

    Raises:
        StorageError: It is no lease, or the store refuses.
    """
    return _lease_of(store, store.read_json(LEASE_KEY))


class HeldLease:
    """The lease of one run, from `acquire` until `free`; renewed meanwhile.

    Args:
        store: The lake's.
        holder: The Dagster run's id.
        seconds: After how long an unchanged lease is of a holder that is gone.
        renew_seconds: How often it is renewed.
    """

    def __init__(
        self,
        store: ObjectStore,
        holder: str,
        *,
        seconds: float = LEASE_SECONDS,
        renew_seconds: float = RENEW_SECONDS,
    ) -> None:
        self._store, self._holder = store, holder
        self._seconds, self._renew_seconds = seconds, renew_seconds
        self._token = 0
        self._ended = threading.Event()
        self._renewing: threading.Thread | None = None

    def acquire(self, say: Callable[[str], object], *, wait_seconds: float = WAIT_SECONDS) -> None:
        """Wait for the lease and take it.

        Args:
            say: Told once whom it waits for.
            wait_seconds: How long to wait for a holder that lives.

        Raises:
            LeaseError: The holder still lives after that time.
            StorageError: The store refuses.
        """
        began = unchanged_since = time.monotonic()
        seen: Lease | None = None
        while (other := self._try(seen, time.monotonic() - unchanged_since)) is not None:
            now = time.monotonic()
            if now - began > wait_seconds:
                raise LeaseError(
                    f"{self._store.uri}: {other} is releasing, and two releases would mix their"
                    " splits and models: wait for its end, then launch this again; `release_sensor`"
                    " does so by itself"
                )
            if seen is None or other.holder != seen.holder:
                say(f"waiting for the release of {other}, which holds the lake")
            if other != seen:
                seen, unchanged_since = other, now
            time.sleep(min(POLL_SECONDS, self._renew_seconds))
        self._renewing = threading.Thread(target=self._renew, name="release lease", daemon=True)
        self._renewing.start()

    def check(self) -> None:
        """Make sure that this run still has it, by renewing it.

        Raises:
            LeaseError: Another one has it: nothing more may be written.
            StorageError: The store refuses.
        """

        def renewed(document: object) -> dict[str, object]:
            lease = _lease_of(self._store, document)
            if lease.token != self._token or lease.holder not in (self._holder, ""):
                raise LeaseError(
                    f"{self._store.uri}: this run was out of touch for so long that {lease} took"
                    " the lake over: it ends here, and deploys nothing"
                )
            return asdict(
                replace(lease, holder=self._holder, renewals=lease.renewals + 1, renewed_at=_now())
            )

        self._store.update_json(LEASE_KEY, renewed)

    def free(self) -> None:
        """Let others have it; one that was lost stays with who has it."""
        self._ended.set()
        if self._renewing is not None:
            self._renewing.join()

        def freed(document: object) -> dict[str, object]:
            lease = _lease_of(self._store, document)
            mine = (lease.holder, lease.token) == (self._holder, self._token)
            return asdict(replace(lease, holder="", process="") if mine else lease)

        self._store.update_json(LEASE_KEY, freed)

    def _try(self, seen: Lease | None, seconds: float) -> Lease | None:
        """Take it if it is free, or as it was seen for long enough; else who has it."""

        def taken(document: object) -> dict[str, object]:
            lease = _lease_of(self._store, document)
            own = lease.holder == self._holder
            expired = lease == seen and seconds >= self._seconds
            if not (own or lease.is_abandoned or expired):
                raise _HeldError(lease)
            self._token = lease.token + (not own)
            process = process_identity(os.getpid())
            now = _now()
            return asdict(Lease(self._holder, self._token, 0, machine(), process, now, now))

        try:
            self._store.update_json(LEASE_KEY, taken)
        except _HeldError as held:
            return held.lease
        return None

    def _renew(self) -> None:
        while not self._ended.wait(self._renew_seconds):
            try:
                self.check()
            except LeaseError:
                return  # the next step of the run sees it too, and says so
            except StorageError:
                continue  # the store may be back before the lease has run out


class _HeldError(Exception):
    def __init__(self, lease: Lease) -> None:
        self.lease = lease
        super().__init__(lease.holder)


def _lease_of(store: ObjectStore, document: object) -> Lease:
    if document is None:
        return Lease()
    place = store.uri_of(LEASE_KEY)
    return record_of(Lease, document, place, remedy="delete it while no release runs")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
