"""Whatever befalls the whole platform, with releases and people, it settles as it should.

Each history is a platform of its own: real sensors, runs, models, gate and registry. ``make soak``
goes through many more than the suite, by seed: ``SEED=17 SEEDS=8`` are 17 to 24.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.local import postgres_storage
from abalone_assets.registry.versions import desired_of
from abalone_assets.sample_data import base_survey
from abalone_assets_tests.automation.support import name_of
from abalone_assets_tests.services.production.home import NO_COMPUTE_LOGS
from abalone_assets_tests.services.production.postgres import HOST, PASSWORD, USER
from abalone_assets_tests.support.faults import Strike
from abalone_assets_tests.support.instance import make_dagster_home
from abalone_assets_tests.support.platform import BASE_ROWS, survey_rows
from abalone_assets_tests.support.random_histories import (
    Histories,
    History,
    integer,
    many,
    one_of,
    step,
    strikes,
)
from abalone_assets_tests.support.tiny_models import TINY
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals
from abalone_assets_tests.support.world.drivers import JOBS
from abalone_assets_tests.support.world.platform_world import PlatformWorld
from abalone_assets_tests.support.world.processes import Everywhere

if TYPE_CHECKING:
    from collections import Counter

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
STRIKES = strikes(MEANWHILE, writes=40, reads=160)
"""A release makes some thirty writes and a hundred and fifty reads."""

CONTENTS = one_of(
    [
        *(survey_rows(count, seed=seed) for count in range(1, 5) for seed in range(10)),
        *(survey_rows(2, seed=seed) + BAD_ROW for seed in range(10)),
        *(b"", b"no survey at all\n") * 3,
        *HELD * 5,
    ]
)
MANY_CONTENTS = many(CONTENTS, len(NAMES))
PICK = integer(0, 99)
FLAG = one_of([False, True])
CURSORS = one_of([None, "", "{", "[]", "null", '{"digest": 3}', '{"pending": ["x"]}'])
SETTINGS = one_of(
    [
        {"GATE_CHAMPION_TOLERANCE": "10", "GATE_MAX_RMSE": "4"},
        {"GATE_CHAMPION_TOLERANCE": "0.05", "GATE_MAX_RMSE": "4"},
        {"GATE_MAX_RMSE": "0.1"},
        {"HYPERPARAMETERS": json.dumps(TINY), "FRAMEWORK": "blend"},
        {"HYPERPARAMETERS": json.dumps({**TINY, "num_boost_round": 3}), "FRAMEWORK": "blend"},
        {"HYPERPARAMETERS": "{}", "FRAMEWORK": "xgboost"},
        {"FIRST_SURVEY_DAY": "2025-02-01"},
        {"FIRST_SURVEY_DAY": "2025-03-01"},
        {"FIRST_SURVEY_DAY": "2025-03-04"},
    ]
)
LAUNCHED = one_of(
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


def _has_files(history: PlatformHistory) -> object:
    return history.world.names


@dataclass
class PlatformHistory(History):
    """What may happen to the whole platform."""

    of = "platform"

    world: PlatformWorld

    def __post_init__(self) -> None:
        self.struck.clear()

    @step(weight=2)
    def release(self) -> None:
        """Without a fault, so that a history has versions."""
        driver = self.world.drivers[0]
        for sensor in ("survey_sensor", "release_sensor"):
            self.world.tick_and_run(driver, sensor)

    @property
    def struck(self) -> Counter[str]:
        return self.world.shared.faults.struck

    @property
    def runs(self) -> int:
        return self.world.runs

    def picked(self, number: int) -> Path:
        names = self.world.names
        return self.world.folder / "landing_zone" / names[number % len(names)]

    @step(name=one_of(NAMES), data=CONTENTS)
    def land(self, name: str, data: bytes) -> None:
        self.world.zone.land(name, data)

    @step(data=MANY_CONTENTS)
    def land_on_every_day(self, data: list[bytes]) -> None:
        for name, each in zip(NAMES, data, strict=True):
            self.world.zone.land(name, each)

    @step(when=_has_files, pick=PICK, data=CONTENTS)
    def write_again_in_place(self, pick: int, data: bytes) -> None:
        self.picked(pick).write_bytes(data)

    @step(when=_has_files, pick=PICK, rings=one_of([b",7\n", b",8\n", b",9\n"]))
    def correct_with_equal_size_and_time(self, pick: int, rings: bytes) -> None:
        path = self.picked(pick)
        data, known = path.read_bytes(), path.stat()
        if data[-3:-2] == b",":
            path.write_bytes(data[:-3] + rings)
            os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))

    @step(when=_has_files, pick=PICK)
    def delete(self, pick: int) -> None:
        self.picked(pick).unlink()

    @step(when=_has_files, pick=PICK, name=one_of(NAMES))
    def rename(self, pick: int, name: str) -> None:
        self.picked(pick).rename(self.world.folder / "landing_zone" / name)

    @step(
        name=one_of(NAMES),
        number=integer(10, 14),
        recorded_first=FLAG,
        strikes=STRIKES,
    )
    def land_a_simulation(
        self, name: str, number: int, *, recorded_first: bool, strikes: list[Strike]
    ) -> None:
        data, world = survey_rows(3, seed=number), self.world
        world.have_a_person(
            lambda: world.simulate(name, data, recorded_first=recorded_first), strikes
        )

    @step(strikes=STRIKES)
    def accept_what_is_held(self, strikes: list[Strike]) -> None:
        self.world.have_a_person(self.world.accept_all, strikes)

    @step(pick=integer(0, 3), approves=FLAG, strikes=STRIKES)
    def decide_on_a_version(self, pick: int, *, approves: bool, strikes: list[Strike]) -> None:
        world = self.world
        world.have_a_person(lambda: world.decide(pick, approves=approves), strikes)

    @step(strikes=STRIKES)
    def roll_back(self, strikes: list[Strike]) -> None:
        self.world.have_a_person(self.world.roll_back, strikes)

    @step(chosen=SETTINGS)
    def choose_settings(self, chosen: dict[str, str]) -> None:
        self.world.choose(chosen)

    @step(another=FLAG)
    def choose_base_survey(self, *, another: bool) -> None:
        self.world.choose({"RAW_URI": str(self.world.folder / f"base{int(another)}.csv")})

    @step(day=one_of(DAYS), asset=one_of(["new_surveys", "quarantined_rows"]))
    def wipe_a_partition(self, day: str, asset: str) -> None:
        self.world.lake.store.delete(self.world.lake.key(asset, day))

    @step()
    def lose_the_manifests_parts(self) -> None:
        self.world.lose_manifest_parts()

    @step(sensor=one_of(sorted(JOBS)), cursor=CURSORS)
    def damage_a_cursor(self, sensor: str, cursor: str | None) -> None:
        self.world.drivers[0].platform.cursors[sensor] = cursor

    @step(number=integer(0, 1))
    def lose_a_database(self, number: int) -> None:
        self.world.lose_database(self.world.drivers[number])

    @step(hours=one_of([-1.0, 0.01, 1.0, 30.0]))
    def move_the_clock(self, hours: float) -> None:
        self.world.shared.clock.advance(seconds=3600 * hours)

    @step(next_year=FLAG, strikes=STRIKES)
    def collect_garbage(self, *, next_year: bool, strikes: list[Strike]) -> None:
        world = self.world
        world.have_a_person(lambda: world.collect_garbage(next_year=next_year), strikes)

    @step(number=integer(0, 1), sensor=one_of(sorted(JOBS)), strikes=STRIKES)
    def tick_and_run(self, number: int, sensor: str, strikes: list[Strike]) -> None:
        driver = self.world.drivers[number]
        self.world.try_to(driver, lambda: self.world.tick_and_run(driver, sensor), strikes)

    @step(number=integer(0, 1), strikes=STRIKES)
    def ingest_and_release(self, number: int, strikes: list[Strike]) -> None:
        driver = self.world.drivers[number]
        self.world.try_to(driver, lambda: self.world.tick_and_run(driver, "survey_sensor"), ())
        self.world.try_to(
            driver, lambda: self.world.tick_and_run(driver, "release_sensor"), strikes
        )

    @step(first=one_of(DAYS), last=one_of(DAYS), strikes=STRIKES)
    def backfill(self, first: str, last: str, strikes: list[Strike]) -> None:
        days, driver = DayRange(*sorted((first, last))), self.world.drivers[0]
        if days.first >= self.world.settings.first_survey_day.isoformat():
            self.world.try_to(driver, lambda: self.world.backfill(driver, days), strikes)

    @step(assets=LAUNCHED, strikes=STRIKES)
    def launch(self, assets: tuple[str, ...], strikes: list[Strike]) -> None:
        driver = self.world.drivers[0]
        self.world.try_to(driver, lambda: self.world.launch(driver, *assets), strikes)

    def end(self) -> None:
        self.world.settle()
        _is_as_it_should_be(self.world)

    def close(self) -> None:
        self.world.close()


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


@dataclass
class PostgresHomes:
    """Makes Dagster homes whose instances are on PostgreSQL, each on a database of its own."""

    cluster: Cluster
    names: list[str] = field(default_factory=list)

    def make(self, folder: Path) -> None:
        """Make one whose tables are there already: Dagster takes a second for them."""
        database = self.cluster.create_database(like=self._with_tables)
        self.names.append(database.name)
        self._write(folder, database.name)

    def drop_all(self) -> None:
        """Remove the databases of a history that is over."""
        while self.names:
            self.cluster.drop_database(self.names.pop())

    @cached_property
    def _with_tables(self) -> str:
        name = self.cluster.create_database().name
        with TemporaryDirectory() as folder:
            self._write(Path(folder), name)
            with dg.DagsterInstance.from_config(folder) as instance:
                instance.get_runs(limit=1)
                instance.all_asset_keys()
                instance.all_instigator_state()
                runs = instance.run_storage
                assert isinstance(runs, postgres_storage.Runs)
                postgres_storage.engine_at(runs.postgres_url).dispose()
        return name

    def _write(self, folder: Path, name: str) -> None:
        url = {
            "scheme": "postgresql+psycopg2",
            "hostname": HOST,
            "port": self.cluster.port,
            "username": USER,
            "password": PASSWORD,
            "db_name": name,
        }
        document = {
            "telemetry": {"enabled": False},
            "compute_logs": NO_COMPUTE_LOGS,
            "storage": {
                "custom": {
                    "module": postgres_storage.__name__,
                    "class": postgres_storage.PostgresStorage.__name__,
                    "config": {"postgres_db": url},
                }
            },
        }
        folder.mkdir(parents=True, exist_ok=True)
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
    databases = PostgresHomes(service) if place == "cluster" else None
    make_home = databases.make if databases else make_dagster_home
    count = HISTORIES if place == "folder" else max(1, HISTORIES // 10)
    for variable in list(os.environ):
        if variable.startswith("ABALONE_") and not variable.startswith("ABALONE_TEST_"):
            monkeypatch.delenv(variable)
    shared, numbers = Everywhere.installed(monkeypatch), itertools.count()
    lines = base_survey().read_bytes().splitlines(keepends=True)

    def make_world() -> PlatformWorld:
        # One folder for all: what has the same settings has the same definitions.
        folder = tmp_path / "history"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        if databases:
            databases.drop_all()
        (folder / "base0.csv").write_bytes(b"".join(lines[:BASE_ROWS]))
        (folder / "base1.csv").write_bytes(b"".join(lines[:1100]))
        world = PlatformWorld(folder, shared, pytest.MonkeyPatch(), make_home)
        world.stores = f"{service}/{next(numbers)}" if place == "s3" else ""
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

    histories = Histories(lambda: PlatformHistory(make_world()), place, STEPS)
    histories.go_through(number, count)
