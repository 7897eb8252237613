"""What tests of the end of a release share: made-up models, without the steps before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
import duckdb

from abalone_assets.defs.deployment.endpoint import endpoint
from abalone_assets.defs.evaluation.approved_model import approved_model
from abalone_assets.defs.resources import profile_resources
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.preparation import Preparation
from abalone_assets.lake.releases import Release
from abalone_assets.registry.folder import FolderRegistry
from abalone_assets.serving.live_version import live_version
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.serving.support import new_registry

if TYPE_CHECKING:
    from pathlib import Path

INTACT = {"misplaced": 0, "leaked": 0, "missing": 0, "foreign": 0}
INTACT |= {"near_twins": 0, "surveyed": 1000}
PROBE = ["M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15", 9.5]


@dg.asset(name="evaluation", io_manager_key="json")
def made_up_evaluation() -> None:
    """Stands for the assets before; `Releases.evaluate` writes what they would leave."""


@dataclass(frozen=True)
class Releases:
    """The end of a release, on an instance in memory: that is where most of the time would go."""

    home: Path
    instance: dg.DagsterInstance

    @property
    def lake(self) -> Lake:
        return Lake(str(self.home / "lake"))

    @property
    def registry(self) -> FolderRegistry:
        return new_registry(self.home)

    @property
    def live(self) -> int | None:
        return live_version(load_settings())

    @property
    def last(self) -> Release:
        found = self.lake.release()
        assert found is not None
        return found

    def sql(self, query: str) -> list[tuple[Any, ...]]:
        """What the catalog answers."""
        file = str(self.home / "catalog.duckdb")
        with duckdb.connect(file, read_only=True) as connection:
            return list(connection.execute(query).fetchall())

    def evaluate(
        self, model: str, rmse: float, *, release: str = "r1", champion: Any = None, **known: Any
    ) -> None:
        """Leave the evaluation of a model in the lake, as the assets before do."""
        store = self.lake.store
        store.write(f"trained_model/{model}/output/model.tar.gz", model.encode())
        metrics = {"rmse": rmse, "rows": 209, "split": INTACT, "trained_on_train_split": True}
        metrics |= {"champion": champion, "reference": None}
        document = {
            "model_uri": store.uri_of(f"trained_model/{model}/output/model.tar.gz"),
            "release_digest": release,
            "metrics": {**metrics, "model_sha256": model},
            "probes": [PROBE],
            **known,
        }
        store.write_json(self.lake.key("evaluation", suffix="json"), document)
        self.lake.record_preparation(Preparation(release, 0, 0, 0))

    def compare(self, model: str, champion: int, *, release: str) -> None:
        """Leave the evaluation of a model as good as a live and desired version, made now."""
        self.evaluate(
            model,
            2.0,
            release=release,
            champion={"version": str(champion), "model_sha256": model},
            compared_at=datetime.now(UTC).isoformat(),
            desired_version=champion,
        )

    def run(self, *assets: str) -> dg.ExecuteInProcessResult:
        """The end of a release, or a part of it."""
        return dg.materialize(
            [made_up_evaluation, approved_model, endpoint],
            selection=dg.AssetSelection.assets(*(assets or ("approved_model", "endpoint"))),
            resources=dict(profile_resources(load_settings())),
            instance=self.instance,
            raise_on_error=False,
        )

    def release(self, model: str, rmse: float, digest: str) -> Release:
        """Evaluate a model and come to the end of its release."""
        self.evaluate(model, rmse, release=digest)
        assert self.run().success
        return self.last


def metadata(run: dg.ExecuteInProcessResult, of: str) -> dict[str, Any]:
    """What an asset's materialization shows."""
    (event,) = run.asset_materializations_for_node(of)
    return {name: value.value for name, value in event.metadata.items()}
