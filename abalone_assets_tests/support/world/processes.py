"""Which process is at work, which ones live, and what a killed one leaves behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from abalone_assets.errors import StorageError
from abalone_assets.etl import lake_inputs
from abalone_assets.lake import kept_inputs, lease, released_files, writers
from abalone_assets.lake.manifest_store import read_manifest_anew
from abalone_assets.resources.ml_platform import LocalMLPlatform
from abalone_assets_tests.automation.support import Clock
from abalone_assets_tests.support.faults import install_faults

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from abalone_assets.storage.object_store import ObjectStore
    from abalone_assets_tests.support.faults import Faults


def forget_what_was_read(store: ObjectStore) -> None:
    """Know as little as a process that has just begun."""
    read_manifest_anew(store)
    kept_inputs._month_at.cache_clear()
    released_files._remembered.clear()


@dataclass
class Everywhere:
    """What all histories of a test share: where faults strike, the clock, who lives."""

    faults: Faults
    clock: Clock
    alive: set[str] = field(default_factory=set)
    identity: str = ""
    leases: list[lease.HeldLease] = field(default_factory=list)

    @classmethod
    def installed(cls, patch: pytest.MonkeyPatch) -> Everywhere:
        """Put the seams in."""
        shared = cls(install_faults(patch), Clock.installed(patch))
        for module in (lease, writers):
            patch.setattr(module, "process_identity", lambda _: shared.identity)
            patch.setattr(module, "process_lives", lambda identity: identity in shared.alive)
        acquire = lease.HeldLease.acquire

        def remembered(held: lease.HeldLease, say: Callable[[str], object]) -> None:
            acquire(held, say, wait_seconds=0.0)  # or a second driver would wait for the first
            shared.leases.append(held)

        def undrawn(*_: object) -> None:
            raise StorageError("not drawn in this test")

        patch.setattr(lease.HeldLease, "acquire", remembered)
        patch.setattr(LocalMLPlatform, "report", undrawn)
        patch.setattr(lake_inputs, "KEPT_FROM_ROWS", 1)  # so that rows are kept, as of a million
        return shared

    def becomes(self, identity: str) -> None:
        """Another process is at work from now on."""
        self.identity = identity
        self.alive.add(identity)

    def dies(self) -> None:
        """The process at work is killed."""
        self.alive.discard(self.identity)
        for held in self.leases:
            held._ended.set()
        self.leases.clear()
