"""Ingestions, releases and removals at the same time, each store operation in an order by a seed.

Each actor is a thread, and only one of them runs at a time: before each operation of a store it is
drawn who goes on. Stores are in memory, with S3's conditional writes. What a release does between
its inputs and its version is a stand-in; inputs, versions and removals are the platform's own.
Everything is old enough to go at once, so that nothing is kept by its youth alone.

``python -m abalone_assets_tests.retention.turns 500`` plays so many seeds.
"""

from __future__ import annotations

import random
import sys
import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

import pytest
from obstore.store import MemoryStore

from abalone_assets.lake.kept_inputs import (
    SURVEYS,
    changed_since,
    objects_of,
    record_inputs,
    replace_rows,
    rows_of,
)
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest_store import commit_days, revoke_days
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.registry.provenance import PROVENANCE, provenance_of
from abalone_assets.retention.kept_inputs import kept_inputs
from abalone_assets.storage import object_store
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.lake.test_kept_inputs import entry
from abalone_assets_tests.registry.test_provenance import MADE

if TYPE_CHECKING:
    from collections.abc import Callable

    from abalone_assets.registry.versions import ModelVersion

DAY_NAMES: Final = ("2025-03-14", "2025-03-15", "2025-04-01")
CONTENTS: Final = (b"one", b"two", b"three", b"four")
"""Few, so that what was is again."""

STEPS: Final = {"ingest": 16, "release": 10, "collect": 12}
FAILING, KEPT, REMOVED = 0.2, 0.3, 0.8
"""How often a release fails, a version is kept, and the archive of another one removed."""

OPERATIONS: Final = frozenset({"get", "put", "delete", "head", "list"})


class Turns:
    """Lets one of several threads run at a time."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self._changed = threading.Condition()
        self._running: list[int] = []
        self._turn: int | None = None
        self.errors: list[BaseException] = []

    def play(self, actors: list[Callable[[], None]]) -> None:
        """Run them to their ends."""
        threads = [threading.Thread(target=self._act, args=(each,)) for each in actors]
        with self._changed:
            for thread in threads:
                thread.start()
            self._changed.wait_for(lambda: len(self._running) == len(threads))
            self._pass_on()
        for thread in threads:
            thread.join()
        if self.errors:
            raise self.errors[0]

    def step(self) -> None:
        """Before an operation: perhaps another one goes on. Threads of others go on as they are."""
        me = threading.get_ident()
        with self._changed:
            if me in self._running:
                self._pass_on()
                self._changed.wait_for(lambda: self._turn == me)

    def _act(self, work: Callable[[], None]) -> None:
        me = threading.get_ident()
        with self._changed:
            self._running.append(me)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._turn == me)
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - told where it is played
            self.errors.append(error)
        finally:
            with self._changed:
                self._running.remove(me)
                self._pass_on()

    def _pass_on(self) -> None:
        self._turn = self.random.choice(sorted(self._running)) if self._running else None
        self._changed.notify_all()


@dataclass(frozen=True)
class _Stepping:
    """An obstore that lets others go on before each of its operations."""

    inner: Any
    turns: Turns

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.inner, name)
        if name not in OPERATIONS:
            return call

        def stepping(*arguments: Any, **options: Any) -> Any:
            self.turns.step()
            return call(*arguments, **options)

        return stepping


@dataclass
class Played:
    """What came of it.

    Attributes:
        versions: How many there are with their archives.
        removed: How many things were removed.
        lost: What versions needed and is gone.
    """

    versions: int = 0
    removed: int = 0
    lost: list[str] = field(default_factory=list)


@dataclass
class World:
    """A lake and a registry, and what goes on there.

    Attributes:
        drawn: Draws what is done, and how it ends.
        lake: The lake.
        removed: How many things were removed.
    """

    drawn: random.Random
    lake: Lake
    removed: int = 0

    @property
    def registry(self) -> FolderRegistry:
        return FolderRegistry(self.lake.store)

    def ingest(self) -> None:
        """Write days, again and again."""
        for _ in range(STEPS["ingest"]):
            day, data = self.drawn.choice(DAY_NAMES), self.drawn.choice(CONTENTS)
            revoke_days(self.lake.store, [day])
            replace_rows(self.lake, SURVEYS, day, data)
            commit_days(self.lake.store, {day: entry(day, data)})

    def release(self) -> None:
        """Release, one after the other; some fail on their way."""
        for number in range(STEPS["release"]):
            manifest = self.lake.manifest()
            inputs = record_inputs(self.lake, manifest)
            for day in manifest.days_with_rows:  # as a preparation does
                self.lake.store.read(self.lake.key(SURVEYS, day))
            if changed_since(manifest, self.lake.manifest()):
                continue
            if self.drawn.random() < FAILING:
                continue
            told = {PROVENANCE: replace(MADE, inputs=inputs).to_document()}
            for asset in ("trained_model", "evaluation"):
                self.lake.store.write_json(self.lake.key(asset, suffix="json"), told)
            self.registry.register(
                f"{number}".encode(),
                evaluation={"model_sha256": f"{number}", **told},
                decision={"approved": True, "reason": "as drawn"},
                release_digest=manifest.digest,
            )

    def collect(self) -> None:
        """Remove what a drawn choice of versions does not need; archives go first, but for some."""
        now = datetime.now(UTC) + timedelta(days=9)
        for _ in range(STEPS["collect"]):
            known = [each.version for each in self.registry.newest_first()]
            keep = {*known[:1], *(each for each in known if self.drawn.random() < KEPT)}
            kind = kept_inputs(self.lake, self.registry, keep, now)
            for version in set(known) - keep:
                if self.drawn.random() < REMOVED:  # a person has approved the others meanwhile
                    self.registry.remove_archive(version)
            self.removed += len(kind.free())

    def lost(self) -> tuple[int, list[str]]:
        """How many versions have their archives, and what of their inputs is gone."""
        archived = self.registry.archives()
        there = [each for each in self.registry.versions() if each.version in archived]
        return len(there), [what for each in there for what in self._lost_of(each)]

    def _lost_of(self, version: ModelVersion) -> list[str]:
        provenance = provenance_of(version)
        assert provenance is not None
        assert provenance.inputs is not None
        store, documents = self.lake.store, provenance.inputs.months.values()
        lost = [each.document for each in documents if store.find(each.document) is None]
        if not lost:
            objects = objects_of(store, provenance.inputs)
            lost = [place for place, digest in objects if rows_of(self.lake, place, digest) is None]
        return [f"{each} of version {version.version}" for each in lost]


def play(seed: int, patch: pytest.MonkeyPatch) -> Played:
    """Play one sequence, then look whether every version has what it was made from."""
    turns = Turns(seed)
    store = _Stepping(MemoryStore(), turns)
    stores = cached_property(lambda _: store)
    stores.__set_name__(ObjectStore, "_store")
    patch.setattr(ObjectStore, "_store", stores)
    patch.setattr(object_store, "MAX_SWAP_ATTEMPTS", 10_000)
    world = World(random.Random(f"steps of {seed}"), Lake(f"s3://turns/{seed}-{id(turns)}"))
    turns.play([world.ingest, world.release, world.collect])
    versions, lost = world.lost()
    return Played(versions, world.removed, lost)


def main() -> None:
    """Play many seeds, and tell what was lost."""
    first, count = (int(each) for each in ("0", *sys.argv[1:])[-2:])
    lost, versions, removed = dict[int, list[str]](), 0, 0
    for seed in range(first, first + count):
        with pytest.MonkeyPatch.context() as patch:
            played = play(seed, patch)
        versions, removed = versions + played.versions, removed + played.removed
        if played.lost:
            lost[seed] = played.lost
    told = f"{count} sequences, {versions} versions, {removed} things removed, lost: {lost}"
    sys.stdout.write(f"{told}\n")


if __name__ == "__main__":
    main()
