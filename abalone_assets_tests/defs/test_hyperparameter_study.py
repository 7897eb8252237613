"""The search as an asset: what it keeps, how it goes on, and what it shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from abalone_assets.defs.training.hyperparameter_study import search_hyperparameters_job
from abalone_assets.errors import StorageError
from abalone_assets.ingest.frames import to_parquet
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.preparation import Preparation
from abalone_assets.resources.ml_platform import LocalMLPlatform
from abalone_assets.resources.storage import LakeResource
from abalone_assets.search import SearchError
from abalone_assets_tests.search.support import rows

pytestmark = pytest.mark.service


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    """A lake whose training split is there, and nothing else."""
    lake = Lake(str(tmp_path / "lake"))
    lake.store.write(lake.key("train_split"), to_parquet(pl.DataFrame(rows(60))))
    lake.record_preparation(Preparation("d1", 60, 60, 0))
    return lake


def search(
    lake: Lake, platform: LocalMLPlatform | None = None, **config: object
) -> dg.ExecuteInProcessResult:
    """Search in two folds, in a run of its own."""
    chosen = {"folds": 2, "framework": "xgboost", **config}
    platform = platform or LocalMLPlatform(max_synthetic_share=0.1)
    with dg.DagsterInstance.ephemeral() as instance:
        return search_hyperparameters_job.execute_in_process(
            resources={"lake": LakeResource(uri=lake.store.uri), "ml_platform": platform},
            run_config={"ops": {"hyperparameter_study": {"config": chosen}}},
            instance=instance,
        )


def shown(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    (event,) = result.asset_materializations_for_node("hyperparameter_study")
    return {name: value.value for name, value in event.metadata.items()}


def trials_in(lake: Lake) -> pl.DataFrame:
    return pl.read_parquet(lake.uri("hyperparameter_study"))


def test_begins_with_what_every_release_trains(lake: Lake) -> None:
    platform = LocalMLPlatform(framework="xgboost", hyperparameters={"num_boost_round": 9})
    metadata = shown(search(lake, platform, framework="default", trials=1))
    assert trials_in(lake)["num_boost_round"].to_list() == [9]
    assert "| `num_boost_round` | 9 | 9 |" in metadata["proposal"]
    assert metadata["rmse"] == metadata["current_rmse"]


def test_what_is_set_and_cannot_be_searched_is_one_clear_error(lake: Lake) -> None:
    with pytest.raises(SearchError, match="releases train tensorflow, which is not searched"):
        search(lake, LocalMLPlatform(framework="tensorflow"), framework="default")


def test_keeps_the_trials_and_the_proposal_in_the_lake(lake: Lake) -> None:
    metadata = shown(search(lake, trials=2, framework="blend"))
    trials = trials_in(lake)
    assert trials["part"].to_list() == ["booster", "kernel", "booster", "kernel"]
    assert trials["number"].to_list() == [0, 0, 1, 1]
    assert trials["eta"].null_count() == trials["length_scale"].null_count() == 2
    document = lake.store.read_json("hyperparameter_study/_study.json")
    assert document is not None
    assert document["release_digest"] == "d1"
    assert document["plan"]["framework"] == "blend"
    assert document["study"] == trials["study"][0]
    assert set(document["versions"]) == {"numpy", "optuna", "xgboost"}
    proposal = document["proposal"]
    assert metadata["rmse"] == pytest.approx(proposal["rmse"], abs=1e-4)
    assert metadata["recommended"] == proposal["recommended"]
    assert metadata["dagster/row_count"] == 4
    assert "framework: blend" in metadata["proposal"]
    assert metadata["plots"].count("data:image/png;base64,") == 4


def test_a_run_that_ended_early_is_continued_by_the_next(lake: Lake) -> None:
    search(lake, trials=2, timeout_minutes=1e-9)
    before = trials_in(lake)
    assert before["number"].to_list() == [0]
    search(lake, trials=2)
    after = trials_in(lake)
    assert after["number"].to_list() == [0, 1]
    assert_frame_equal(after.head(1), before)  # to its seconds: it was not tried a second time


def test_without_a_training_split_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="materialize merged_dataset first"):
        search(Lake(str(tmp_path / "empty")))
