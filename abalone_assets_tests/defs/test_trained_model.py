"""The framework is a choice of the run, and frameworks compete for one endpoint."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest

from abalone_assets.defs.training.trained_model import trained_model
from abalone_assets.modeling.archive import read_card
from abalone_assets.modeling.hyperparameters import HyperparameterError
from abalone_assets.resources.ml_platform import LocalMLPlatform
from abalone_assets.resources.models import LocalModelRegistry
from abalone_assets.resources.storage import JsonIOManager, LakeResource
from abalone_assets_tests.automation import RELEASE, platform_in

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from abalone_assets.modeling.archive import ModelCard
    from abalone_assets_tests.platform import Platform

NETWORK = {"hidden_units": 8, "learning_rate": 0.02, "epochs": 2}
BOOSTER = {"num_boost_round": 80, "eta": 0.15}


def config(framework: str, hyperparameters: Mapping[str, Any]) -> dict[str, Any]:
    chosen = {"framework": framework, "hyperparameters": dict(hyperparameters)}
    return {"ops": {"trained_model": {"config": chosen}}}


@dataclass(frozen=True)
class Duel:
    """A release of each framework on the same data, one after the other.

    Attributes:
        platform: Where they ran.
        metadata: What each asset showed, release by release.
    """

    platform: Platform
    metadata: list[dict[str, Mapping[str, dg.MetadataValue]]]

    def cards(self) -> list[ModelCard]:
        """Of the versions in the registry, oldest first."""
        registry = LocalModelRegistry(uri=str(self.platform.home / "registry"))
        versions = registry.versions()
        return [read_card(Path(registry.model_uri(each.version))) for each in versions]


def release(platform: Platform, run_config: Mapping[str, Any]) -> dict[str, Any]:
    job = platform.definitions.resolve_job_def(RELEASE)
    result = job.execute_in_process(instance=platform.instance, run_config=dict(run_config))
    return {
        event.asset_key.to_user_string(): event.step_materialization_data.materialization.metadata
        for event in result.get_asset_materialization_events()
        if event.asset_key
    }


@pytest.fixture(scope="module")
def duel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Duel]:
    with platform_in(tmp_path_factory.mktemp("duel")) as platform:
        chosen = (config("tensorflow", NETWORK), config("xgboost", BOOSTER))
        yield Duel(platform, [release(platform, each) for each in chosen])


@pytest.mark.xdist_group("keras")
class TestADuel:
    def test_registers_a_version_of_each_framework(self, duel: Duel) -> None:
        network, booster = duel.cards()
        assert (network.framework, booster.framework) == ("tensorflow", "xgboost")
        assert network.hyperparameters["hidden_units"] == NETWORK["hidden_units"]
        assert network.training_rows_sha256 == booster.training_rows_sha256

    def test_shows_the_same_of_both(self, duel: Duel) -> None:
        network, booster = (shown["trained_model"] for shown in duel.metadata)
        assert network.keys() == booster.keys()
        assert network["framework"].value == "tensorflow"
        assert network["rounds"].value in {1, 2}
        assert booster["framework"].value == "xgboost"

    def test_scores_the_network_as_the_boosters_champion(self, duel: Duel) -> None:
        alone, compared = (shown["evaluation"] for shown in duel.metadata)
        assert compared["champion"].value == "version 1"
        assert compared["champion_rmse"].value == alone["rmse"].value
        assert compared["rmse"] != alone["rmse"]

    def test_ends_with_the_better_one_behind_the_endpoint(self, duel: Duel) -> None:
        first, second = (shown["endpoint"]["version"].value for shown in duel.metadata)
        assert (first, second) == (1, 2)


def materialize(tmp_path: Path, run_config: Mapping[str, Any]) -> None:
    lake = LakeResource(uri=str(tmp_path / "lake"))
    resources = {"lake": lake, "json": JsonIOManager(lake=lake), "ml_platform": LocalMLPlatform()}
    with dg.instance_for_test() as instance:
        dg.materialize(
            [trained_model], resources=resources, run_config=dict(run_config), instance=instance
        )


def test_a_hyperparameter_of_another_framework_is_refused_before_anything_is_read(
    tmp_path: Path,
) -> None:
    with pytest.raises(HyperparameterError, match="tensorflow has no hyperparameter eta"):
        materialize(tmp_path, config("tensorflow", {"eta": 0.1}))


def test_an_unknown_framework_is_refused_before_the_run(tmp_path: Path) -> None:
    with pytest.raises(dg.DagsterInvalidConfigError, match="catboost"):
        materialize(tmp_path, config("catboost", {}))


def test_the_launchpad_describes_every_hyperparameter() -> None:
    schema = trained_model.op.config_schema.as_field().config_type
    assert isinstance(schema, dg.Shape)
    description = schema.fields["hyperparameters"].description
    assert description is not None
    assert "- xgboost `eta`: Learning rate" in description
    assert "- tensorflow `hidden_units`: Units" in description
