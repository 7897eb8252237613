"""Whatever befalls the whole platform, with releases and people, it settles as it should.

Each history is a platform of its own: real sensors, runs, models, gate and registry. ``make soak``
goes through many more than the suite, by seed: ``SEED=17 SEEDS=8`` are 17 to 24.
"""

from __future__ import annotations

import json
import os
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.registry.versions import desired_of
from abalone_assets.sample_data import base_survey
from abalone_assets_tests.automation.support import name_of
from abalone_assets_tests.services.production.home import NO_COMPUTE_LOGS
from abalone_assets_tests.services.production.postgres import HOST, PASSWORD, USER
from abalone_assets_tests.support.faults import KILLS, REFUSES, Strike
from abalone_assets_tests.support.instance import make_dagster_home
from abalone_assets_tests.support.platform import BASE_ROWS, survey_rows
from abalone_assets_tests.support.platform_world import JOBS, TINY, Everywhere, PlatformWorld
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from abalone_assets_tests.services.production.postgres import Cluster

HISTORIES = int(os.environ.get("ABALONE_TEST_HISTORIES", "3"))
STEPS = int(os.environ.get("ABALONE_TEST_HISTORY_STEPS", "10"))
FIRST_SEED = int(os.environ.get("ABALONE_TEST_SEED", "1"))
SEEDS = int(os.environ.get("ABALONE_TEST_SEEDS", "1"))

DAYS = ["2025-02-27", "2025-03-03", "2025-03-04", "2025-03-06"]
NAMES = [name_of(day, at) for day in DAYS for at in ("060000", "180000")]
BAD_ROW = b"M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,many\n"
HELD = [
    Animals.of(base_survey())[:60].with_error(ERRORS["weights * 0.2"]).file(),
    Animals.of(base_survey())[60:120].with_error(ERRORS["lengths * 5"]).file(),
]
MEANWHILE = [
    "tells of a simulation",
    "ingests",
    "ingests all",
    "releases",
    "rejects",
    "approves",
    "deletes",
    "corrects",
]
STRIKES = st.lists(
    st.builds(
        Strike,
        number=st.integers(0, 40),
        when=st.sampled_from(["before", "after"]),
        does=st.one_of(st.sampled_from([KILLS, REFUSES]), st.sampled_from(MEANWHILE)),
    ),
    max_size=2,
    unique_by=lambda strike: strike.number,
)
"""A release makes some thirty writes, an ingestion ten."""

CONTENTS = st.one_of(
    st.builds(survey_rows, st.integers(1, 4), seed=st.integers(0, 9)),
    st.builds(lambda seed: survey_rows(2, seed=seed) + BAD_ROW, st.integers(0, 9)),
    st.sampled_from([b"", b"no survey at all\n", *HELD]),
)
PICK = st.integers(0, 99)
CURSORS = st.sampled_from([None, "", "{", "[]", "null", '{"digest": 3}', '{"pending": ["x"]}'])
SETTINGS = st.sampled_from(
    [
        {"GATE_CHAMPION_TOLERANCE": "10", "GATE_MAX_RMSE": "4"},
        {"GATE_CHAMPION_TOLERANCE": "0.05", "GATE_MAX_RMSE": "4"},
        {"GATE_MAX_RMSE": "0.1"},
        {"HYPERPARAMETERS": json.dumps(TINY)},
        {"HYPERPARAMETERS": json.dumps({**TINY, "num_boost_round": 3})},
        {"HYPERPARAMETERS": "{}", "FRAMEWORK": "xgboost"},
        {"FIRST_SURVEY_DAY": "2025-02-01"},
        {"FIRST_SURVEY_DAY": "2025-03-01"},
        {"FIRST_SURVEY_DAY": "2025-03-04"},
    ]
)
LAUNCHED = st.sampled_from(
    [
        ("raw_abalone",),
        ("merged_dataset",),
        ("train_split",),
        ("trained_model",),
        ("evaluation",),
        ("approved_model",),
        ("endpoint",),
        ("trained_model", "evaluation", "approved_model"),
    ]
)


class PlatformHistories(RuleBasedStateMachine):
    """What may happen, in any order."""

    make_world: Callable[[], PlatformWorld]
    told: ClassVar[list[int]] = []

    @initialize(first=st.booleans())
    def begin(self, *, first: bool) -> None:
        self.world = self.make_world()
        if first:
            self.world.zone.land(NAMES[2], survey_rows(3, seed=10))
            self.world.settle()

    def picked(self, number: int) -> Path:
        names = self.world.names
        return self.world.folder / "landing_zone" / names[number % len(names)]

    @rule(name=st.sampled_from(NAMES), data=CONTENTS)
    def land(self, name: str, data: bytes) -> None:
        self.world.zone.land(name, data)

    @rule(data=st.lists(CONTENTS, min_size=8, max_size=8))
    def land_on_every_day(self, data: list[bytes]) -> None:
        for name, each in zip(NAMES, data, strict=True):
            self.world.zone.land(name, each)

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
        self.picked(pick).rename(self.world.folder / "landing_zone" / name)

    @rule(name=st.sampled_from(NAMES), number=st.integers(10, 14), recorded_first=st.booleans())
    def land_a_simulation(self, name: str, number: int, *, recorded_first: bool) -> None:
        data = survey_rows(3, seed=number)
        self.world.simulate(name, data, recorded_first=recorded_first)

    @rule()
    def accept_what_is_held(self) -> None:
        self.world.accept_all()

    @rule(pick=st.integers(0, 3), approves=st.booleans())
    def decide_on_a_version(self, pick: int, *, approves: bool) -> None:
        self.world.decide(pick, approves=approves)

    @rule()
    def roll_back(self) -> None:
        self.world.roll_back()

    @rule(chosen=SETTINGS)
    def choose_settings(self, chosen: dict[str, str]) -> None:
        self.world.choose(chosen)

    @rule(another=st.booleans())
    def choose_base_survey(self, *, another: bool) -> None:
        self.world.choose({"RAW_URI": str(self.world.folder / f"base{int(another)}.csv")})

    @rule(day=st.sampled_from(DAYS), asset=st.sampled_from(["new_surveys", "quarantined_rows"]))
    def wipe_a_partition(self, day: str, asset: str) -> None:
        self.world.lake.store.delete(self.world.lake.key(asset, day))

    @rule()
    def lose_the_manifests_parts(self) -> None:
        self.world.lose_manifest_parts()

    @rule(sensor=st.sampled_from(sorted(JOBS)), cursor=CURSORS)
    def damage_a_cursor(self, sensor: str, cursor: str | None) -> None:
        self.world.drivers[0].platform.cursors[sensor] = cursor

    @rule(number=st.integers(0, 1))
    def lose_a_database(self, number: int) -> None:
        self.world.lose_database(self.world.drivers[number])

    @rule(hours=st.sampled_from([-1.0, 0.01, 1.0, 30.0]))
    def move_the_clock(self, hours: float) -> None:
        self.world.shared.clock.advance(seconds=3600 * hours)

    @rule(next_year=st.booleans())
    def collect_garbage(self, *, next_year: bool) -> None:
        self.world.collect_garbage(next_year=next_year)

    @rule(number=st.integers(0, 1), sensor=st.sampled_from(sorted(JOBS)), strikes=STRIKES)
    def tick_and_run(self, number: int, sensor: str, strikes: list[Strike]) -> None:
        driver = self.world.drivers[number]
        self.world.try_to(driver, lambda: self.world.tick_and_run(driver, sensor), strikes)

    @rule(number=st.integers(0, 1), strikes=STRIKES)
    def ingest_and_release(self, number: int, strikes: list[Strike]) -> None:
        driver = self.world.drivers[number]
        self.world.try_to(driver, lambda: self.world.tick_and_run(driver, "survey_sensor"), ())
        self.world.try_to(
            driver, lambda: self.world.tick_and_run(driver, "release_sensor"), strikes
        )

    @rule(first=st.sampled_from(DAYS), last=st.sampled_from(DAYS), strikes=STRIKES)
    def backfill(self, first: str, last: str, strikes: list[Strike]) -> None:
        days, driver = DayRange(*sorted((first, last))), self.world.drivers[0]
        if days.first >= self.world.settings.first_survey_day.isoformat():
            self.world.try_to(driver, lambda: self.world.backfill(driver, days), strikes)

    @rule(assets=LAUNCHED, strikes=STRIKES)
    def launch(self, assets: tuple[str, ...], strikes: list[Strike]) -> None:
        driver = self.world.drivers[0]
        self.world.try_to(driver, lambda: self.world.launch(driver, *assets), strikes)

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        world = self.world
        try:
            world.settle()
            _is_as_it_should_be(world)
            self.told.append(world.runs)
        finally:
            world.close()


def _is_as_it_should_be(world: PlatformWorld) -> None:
    driver = world.drivers[0]
    assert [world.tick(driver, sensor) for sensor in JOBS] == [[], [], []]
    release = world.lake.release()
    found, expected = world.held(), world.rebuilt(world.folder / "rebuilt")
    for part, value in expected.items():
        assert found[part] == value, part
    assert release is not None
    assert release.digest == found["digest"]
    assert not world.lake.release_due()
    desired = desired_of(world.registry.candidates())
    if desired is not None:
        assert world.live == desired.version
        world.registry.read_model(desired.version)
    assert _left_over(world) == []


def _left_over(world: PlatformWorld) -> list[str]:
    """What killed writes left, which nobody needs."""
    return [path.name for path in world.folder.rglob("*.staged")]


def make_postgres_home(cluster: Cluster, folder: Path) -> None:
    """A Dagster home whose instance is on a new database of PostgreSQL."""
    database = cluster.create_database()
    folder.mkdir(parents=True, exist_ok=True)
    url = {
        "scheme": "postgresql+psycopg2",
        "hostname": HOST,
        "port": cluster.port,
        "username": USER,
        "password": PASSWORD,
        "db_name": database.name,
    }
    document = {
        "telemetry": {"enabled": False},
        "compute_logs": NO_COMPUTE_LOGS,
        "storage": {"postgres": {"postgres_db": url}},
    }
    (folder / "dagster.yaml").write_text(json.dumps(document))  # JSON is YAML too


@pytest.mark.timeout(0 if HISTORIES > 10 else 600)
@pytest.mark.parametrize("number", range(FIRST_SEED, FIRST_SEED + SEEDS))
@pytest.mark.parametrize("place", ["folder", "s3", "cluster"])
def test_it_settles_as_a_new_platform_would(
    place: str,
    number: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """On folders, with lake and registry on S3's stand-in, and with PostgreSQL's instances."""
    service: Any = None if place == "folder" else request.getfixturevalue(place)
    make_home = partial(make_postgres_home, service) if place == "cluster" else make_dagster_home
    histories = HISTORIES if place == "folder" else max(1, HISTORIES // 10)
    for variable in list(os.environ):
        if variable.startswith("ABALONE_") and not variable.startswith("ABALONE_TEST_"):
            monkeypatch.delenv(variable)
    shared, count = Everywhere.installed(monkeypatch), iter(range(10**6))
    lines = base_survey().read_bytes().splitlines(keepends=True)

    def make_world() -> PlatformWorld:
        folder = tmp_path / f"history{next(count)}"
        folder.mkdir()
        (folder / "base0.csv").write_bytes(b"".join(lines[:BASE_ROWS]))
        (folder / "base1.csv").write_bytes(b"".join(lines[:1100]))
        world = PlatformWorld(folder, shared, pytest.MonkeyPatch(), make_home)
        world.stores = f"{service}/{folder.name}" if place == "s3" else ""
        world.open(
            {
                "RAW_URI": str(folder / "base0.csv"),
                "SETTLE_SECONDS": "0",
                "FIRST_SURVEY_DAY": "2025-02-01",
                "GATE_MIN_ROWS": "20",
                "GATE_CHAMPION_TOLERANCE": "10",
                "GATE_SLICE_TOLERANCE": "10",
                "HYPERPARAMETERS": json.dumps(TINY),
            }
        )
        return world

    @seed(number)
    class Here(PlatformHistories):
        pass

    Here.make_world = staticmethod(make_world)
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=histories,
            stateful_step_count=STEPS,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
        _min_steps=STEPS // 2,
    )
