"""Whatever happens to files and lake, and wherever a process fails, it settles as it should.

``make soak`` goes through many more and longer histories than the suite.
"""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from abalone_assets.ingest.reconcile import DayRange
from abalone_assets_tests.automation.support import Clock, name_of
from abalone_assets_tests.support.histories import FIRST_DAY, Fault, World, install_faults
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

HISTORIES = int(os.environ.get("ABALONE_TEST_HISTORIES", "12"))
STEPS = int(os.environ.get("ABALONE_TEST_HISTORY_STEPS", "14"))
"""As many fit into some seconds."""

DAYS = [f"2025-03-{number:02}" for number in (3, 4, 6)]
NAMES = [name_of(day, at) for day in DAYS for at in ("060000", "180000")]
BAD_ROW = b"M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,many\n"
FAULTS = st.builds(
    Fault,
    number=st.integers(0, 11),
    when=st.sampled_from(["before", "after"]),
    kills=st.booleans(),
)
"""An ingestion of two days makes some ten writes."""

CONTENTS = st.one_of(
    st.builds(survey_rows, st.integers(1, 4), seed=st.integers(0, 9)),
    st.builds(lambda seed: survey_rows(2, seed=seed) + BAD_ROW, st.integers(0, 9)),
    st.sampled_from([b"", b"no survey at all\n"]),
)
PICK = st.integers(0, 99)


class Histories(RuleBasedStateMachine):
    """What may happen, in any order."""

    make_world: Callable[[], World]

    @initialize()
    def begin(self) -> None:
        self.world = self.make_world()

    def picked(self, number: int) -> Path:
        names = self.world.names
        return self.world.folder / names[number % len(names)]

    @rule(name=st.sampled_from(NAMES), data=CONTENTS)
    def land(self, name: str, data: bytes) -> None:
        self.world.zone.land(name, data)

    @precondition(lambda self: self.world.names)
    @rule(pick=PICK, data=CONTENTS)
    def write_again_in_place(self, pick: int, data: bytes) -> None:
        self.picked(pick).write_bytes(data)

    @precondition(lambda self: self.world.names)
    @rule(pick=PICK, rings=st.sampled_from([b",7\n", b",8\n", b",9\n"]))
    def correct_with_equal_size_and_time(self, pick: int, rings: bytes) -> None:
        path = self.picked(pick)
        data, known = path.read_bytes(), path.stat()
        if data[-3:-2] == b",":
            path.write_bytes(data[:-3] + rings)
            os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))

    @precondition(lambda self: self.world.names)
    @rule(pick=PICK)
    def delete(self, pick: int) -> None:
        self.picked(pick).unlink()

    @precondition(lambda self: self.world.names)
    @rule(pick=PICK, name=st.sampled_from(NAMES))
    def rename(self, pick: int, name: str) -> None:
        self.picked(pick).rename(self.world.folder / name)

    @rule(day=st.sampled_from(DAYS))
    def wipe_a_partition(self, day: str) -> None:
        self.world.wipe(day)

    @rule()
    def lose_the_manifests_parts(self) -> None:
        self.world.lose_part()

    @rule()
    def lose_the_cursor(self) -> None:
        self.world.cursor = None

    @rule(hours=st.sampled_from([-1.0, 0.01, 1.0, 30.0]))
    def move_the_clock(self, hours: float) -> None:
        self.world.clock.advance(seconds=3600 * hours)

    @rule(fault=st.one_of(st.just(Fault()), FAULTS))
    def tick_and_ingest(self, fault: Fault) -> None:
        self.world.try_to(self.world.tick_and_ingest, fault)

    @rule(first=st.sampled_from(DAYS), last=st.sampled_from(DAYS), fault=FAULTS)
    def backfill(self, first: str, last: str, fault: Fault) -> None:
        days = DayRange(*sorted((first, last)))
        self.world.try_to(lambda: self.world.ingest(days), fault)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        self.world.settle()
        assert self.world.tick() == []
        rebuilt = self.make_world()
        rebuilt.folder = self.world.folder
        rebuilt.ingest(DayRange(DAYS[0], DAYS[-1]))
        found, expected = self.world.held(), rebuilt.held()
        for asset in ("new_surveys", "quarantined_rows"):
            of = {day: rows for day, rows in found[asset].items() if rows}
            assert of == {day: rows for day, rows in expected[asset].items() if rows}
        assert found["files"] == expected["files"]
        assert found["digest"] == expected["digest"]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as instance:
        yield instance


@pytest.mark.timeout(0 if HISTORIES > 100 else 300)
@pytest.mark.parametrize("lake", ["folder", "memory like S3"])
def test_it_settles_as_what_a_new_lake_would_be(
    lake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, instance: dg.DagsterInstance
) -> None:
    monkeypatch.setenv("ABALONE_HOME", str(tmp_path))
    monkeypatch.setenv("ABALONE_SETTLE_SECONDS", "0")
    monkeypatch.setenv("ABALONE_FIRST_SURVEY_DAY", FIRST_DAY)
    fault, clock, numbers = (
        install_faults(monkeypatch),
        Clock.installed(monkeypatch),
        itertools.count(),
    )

    def make_world() -> World:
        clock.reset()
        number = next(numbers)
        folder = tmp_path / f"landing{number}"
        folder.mkdir()
        uri = str(tmp_path / f"lake{number}") if lake == "folder" else f"s3://memory/lake{number}"
        return World(folder, uri, fault, clock, instance)

    class Here(Histories):
        pass

    Here.make_world = staticmethod(make_world)
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=HISTORIES,
            stateful_step_count=STEPS,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
