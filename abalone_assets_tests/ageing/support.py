"""What tests of ageing share: animals without rings, and a home with a model that is live."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from abalone_assets.automation.day_ranges import DayRange
from abalone_assets.automation.runs import AGE_JOB, day_range_tags, days_of
from abalone_assets.lake.animals import Animals
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.serving.pointer import publish_pointer
from abalone_assets.settings.platform import load_settings
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.serving.support import register, tiny_archive
from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.support.platform import Platform

SENSOR = "animals_sensor"
MONDAY, TUESDAY, FRIDAY = "2025-03-03", "2025-03-04", "2025-03-07"


def animals_name(day: str, time_of_day: str = "120000") -> str:
    """The name of a file of animals without rings of that day and time."""
    return f"animals.{day.replace('-', '')}{time_of_day}"


def animals(count: int, *, seed: int = 0) -> bytes:
    """A file of animals without rings: as `survey_rows`, without the last column."""
    lines = survey_rows(count, seed=seed).decode().splitlines()
    return "".join(line.rpartition(",")[0] + "\n" for line in lines).encode()


@cache
def archive_of(seed: int) -> bytes:
    return tiny_archive(seed)


@dataclass
class Crew:
    """A home on which animals land and are aged."""

    platform: Platform

    @property
    def records(self) -> Animals:
        return Animals(self.platform.lake)

    @property
    def registry(self) -> FolderRegistry:
        return FolderRegistry(ObjectStore(self.platform.home / "registry"))

    @property
    def zone(self) -> Path:
        return self.platform.home / "landing_zone"

    def make_live(self, seed: int = 1) -> int:
        """Have a model answer; another seed is another one."""
        registry = self.registry
        version = register(registry, archive_of(seed), f"release-{seed}").version
        publish_pointer(registry.store, load_settings().endpoint_name, version)
        return version

    def land(self, day: str, data: bytes, time_of_day: str = "120000") -> str:
        name = animals_name(day, time_of_day)
        self.platform.land(name, data)
        return name

    def asked(self) -> list[dg.RunRequest]:
        """What one tick asks for."""
        return list(self.platform.tick(SENSOR).run_requests or [])

    def ranges(self) -> list[tuple[str, str]]:
        found = [days_of(dg.DagsterRun(job_name=AGE_JOB, tags=dict(r.tags))) for r in self.asked()]
        return [(days.first, days.last) for days in found if days]

    def settle(self) -> int:
        """Tick and run until the sensor asks for nothing; how many runs that took."""
        runs = 0
        while requests := self.asked():
            for request in requests:
                assert self.platform.run(AGE_JOB, request).success
                runs += 1
            assert runs < 20
        return runs

    @property
    def reason(self) -> str:
        return self.platform.reasons[SENSOR] or ""

    def backfill(self, first: str, last: str) -> dg.ExecuteInProcessResult:
        """Materialize `aged_animals` of some days, as a backfill does."""
        definitions = self.platform.definitions
        job = definitions.resolve_implicit_global_asset_job_def()
        return job.get_subset(asset_selection={dg.AssetKey("aged_animals")}).execute_in_process(
            instance=self.platform.instance,
            tags=day_range_tags(DayRange(first, last)),
            raise_on_error=False,
        )

    def table(self, asset: str, day: str) -> pl.DataFrame:
        return pl.read_parquet(self.platform.lake.uri(asset, day), hive_partitioning=False)

    def csv(self, name: str) -> pl.DataFrame:
        return pl.read_csv(self.zone / "aged" / f"{name}.csv")

    def metadata(self, asset: str, day: str) -> dict[str, Any]:
        """What the latest materialization of a partition shows."""
        records = self.platform.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), asset_partitions=[day]), limit=1
        ).records
        materialization = records[0].asset_materialization
        assert materialization is not None
        return {
            name: each if isinstance(each, dg.TableMetadataValue) else each.value
            for name, each in materialization.metadata.items()
        }
