"""What people do: they decide, accept, simulate, and free space."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from abalone_assets.automation import retention
from abalone_assets.errors import AbaloneError, StorageError, SurveyError
from abalone_assets.ingest.accepted_files import accept_file, held_files
from abalone_assets.ingest.synthetic_files import SyntheticFile, record_synthetic_file
from abalone_assets.registry.versions import desired_of
from abalone_assets_tests.cli.support import see_as_next_year
from abalone_assets_tests.support.world.drivers import Drivers
from abalone_assets_tests.support.world.processes import forget_what_was_read

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from abalone_assets_tests.support.faults import Strike


@dataclass
class People(Drivers):
    """Those whose commands fail and are given again."""

    def have_a_person(self, work: Callable[[], object], strikes: Sequence[Strike]) -> None:
        """Work as the command of a person, who says it again when it fails or is killed."""
        shared, struck = self.shared, self.shared.faults.struck.total()
        try:
            self._works_as(f"1/person/{struck}", work, strikes)
        finally:
            shared.dies()
            shared.becomes(self.drivers[0].identity)
        if shared.faults.struck.total() > struck:
            forget_what_was_read(self.lake.store)
            work()

    def decide(self, pick: int, *, approves: bool) -> None:
        versions = self.registry.versions()
        if versions:
            version = versions[-1 - pick % len(versions)].version
            decide = self.registry.approve if approves else self.registry.reject
            with suppress(AbaloneError):  # its archive was removed
                decide(version, because="history", by="ana")

    def roll_back(self) -> None:
        desired = desired_of(self.registry.candidates())
        if desired is not None:
            self.registry.reject(desired.version, because="history", by="ana")

    def accept_all(self) -> None:
        with suppress(StorageError):  # a lost part of the manifest, until the next tick
            for file in held_files(self.lake.store):
                with suppress(SurveyError):  # its day waits for another file of it
                    accept_file(self.lake.store, file.name, because="weighed again", by="ana")

    def simulate(self, name: str, data: bytes, *, recorded_first: bool) -> None:
        """A simulated survey, which may land before anybody tells that it is one."""
        steps: list[Callable[[], object]] = [
            lambda: self._know(name, data),
            lambda: self.zone.land(name, data),
        ]
        for step in steps if recorded_first else steps[::-1]:
            with suppress(StorageError):  # a lost part of the manifest, until the next tick
                step()

    def know(self, path: Path) -> None:
        """A person tells that a landed file is a simulation."""
        self._know(path.name, path.read_bytes())

    def _know(self, name: str, data: bytes) -> None:
        made = SyntheticFile(name, data.count(b"\n"), "copula", seed=0, data_version="v1")
        record_synthetic_file(self.lake.store, hashlib.sha256(data).hexdigest(), made)

    def collect_garbage(self, *, next_year: bool) -> None:
        with pytest.MonkeyPatch.context() as patch:
            if next_year:
                see_as_next_year(patch)
            for kind in retention.all_kinds(self.settings, self.drivers[0].platform.instance):
                kind.free()
