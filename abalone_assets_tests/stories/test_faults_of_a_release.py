"""A survey lands, its release fails at one of its writes, and the crew deletes the survey again.

The surveys are then those of the release before, but the lake and the registry may not be.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import polars as pl
import pytest

from abalone_assets.defs.resources import profile_resources
from abalone_assets.errors import StorageError
from abalone_assets.registry.versions import desired_of
from abalone_assets.resources.ml_platform import LocalMLPlatform
from abalone_assets.settings.platform import load_settings
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.automation.support import (
    RELEASE,
    RELEASE_SENSOR,
    Clock,
    ingest,
    name_of,
    platform_in,
    requests,
)
from abalone_assets_tests.support.platform import Platform, survey_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

When = Literal["before", "after"]
MOST_WRITES = 60
PARTS = 4
WRITES = ("write", "upload", "delete")
TINY = {"num_boost_round": 10, "eta": 0.3, "landmarks": 30, "folds": 2}
"""Hyperparameters of models that are released all the same: a hundred are trained here."""


@dataclass
class Fault:
    """Fails the n-th write of this process, before or after its effect.

    Attributes:
        number: Which one, from 0.
        when: Whether it has its effect.
        writes: The keys that were to be written so far.
    """

    number: int
    when: When
    writes: list[str] = field(default_factory=list)

    def inject(self, patch: pytest.MonkeyPatch) -> None:
        for name in WRITES:
            patch.setattr(ObjectStore, name, self._faulty(getattr(ObjectStore, name)))

    def _faulty(self, write: Callable[..., None]) -> Callable[..., None]:
        def written(store: ObjectStore, key: str, *arguments: Any, **options: Any) -> None:
            if key.startswith("release_lease"):  # its faults have tests of their own
                return write(store, key, *arguments, **options)
            self.writes.append(key)
            fails = len(self.writes) == self.number + 1
            if not fails or self.when == "after":
                write(store, key, *arguments, **options)
            if fails:
                raise StorageError(f"{key}: fault {self.number} {self.when} its effect")
            return None

        return written


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home in which a release of two days is live, as a folder to copy."""
    folder = tmp_path_factory.mktemp("released")
    with platform_in(folder, HYPERPARAMETERS=json.dumps(TINY)) as platform, _no_pictures():
        platform.land(name_of("2025-03-03"), survey_rows(3, seed=1))
        platform.land(name_of("2025-03-04"), survey_rows(3, seed=2))
        platform.settle()
        assert _live(platform) == (1, 1)
        shutil.copytree(platform.home, folder / "kept")
        yield folder / "kept"


@pytest.mark.timeout(900)
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("when", ["before", "after"])
def test_whichever_write_failed_the_lake_and_the_endpoint_go_back(
    released: Path, tmp_path: Path, when: When, part: int
) -> None:
    wrong: Counter[str] = Counter()
    chosen = {"GATE_CHAMPION_TOLERANCE": "10", "HYPERPARAMETERS": json.dumps(TINY)}
    for number in range(part, MOST_WRITES, PARTS):
        fault = Fault(number, when)
        with platform_in(tmp_path / str(number), **chosen) as platform, _no_pictures():
            for name in ("lake", "registry", "landing_zone"):
                shutil.copytree(released / name, platform.home / name, dirs_exist_ok=True)
            found = _release_and_take_back(platform, fault)
            if len(fault.writes) <= number:
                break
            if found:
                wrong[f"{fault.writes[number]}: {found}"] += 1
        shutil.rmtree(tmp_path / str(number))
    assert wrong == {}
    assert number > 2 * PARTS


def _release_and_take_back(platform: Platform, fault: Fault) -> str | None:
    """What is wrong in the end."""
    rows = _merged(platform)
    platform.land(name_of("2025-03-05"), survey_rows(2, seed=3))
    assert all(ingest(platform))
    (request,) = requests(platform, RELEASE_SENSOR)
    with pytest.MonkeyPatch.context() as patch:
        fault.inject(patch)
        platform.run(RELEASE, request, raise_on_error=False)
    (platform.home / "landing_zone" / name_of("2025-03-05")).unlink()
    with pytest.MonkeyPatch.context() as patch:
        Clock.installed(patch).advance(days=2)
        platform.settle()
    if not rows.equals(_merged(platform)):
        return "rows without a file"
    desired, live = _live(platform)
    if desired != live:
        return f"version {desired} should be live, and version {live} is"
    if platform.lake.release_due():
        return "a release is due for ever"
    return None


@contextmanager
def _no_pictures() -> Iterator[None]:
    """Spend no seconds on them; what comes after them changes nothing that counts here."""

    def report(*_: object) -> None:
        raise StorageError("not drawn in this test")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LocalMLPlatform, "report", report)
        yield


def _merged(platform: Platform) -> pl.DataFrame:
    return pl.read_parquet(platform.lake.uri("merged_dataset")).sort(pl.all())


def _live(platform: Platform) -> tuple[int | None, int | None]:
    """The version that the registry wants, and the one that is published."""
    resources = profile_resources(load_settings())
    desired = desired_of(resources["model_registry"].open().candidates())
    live = resources["endpoint_host"].open().live_version()
    return (None if desired is None else desired.version), live
