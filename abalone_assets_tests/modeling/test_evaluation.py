import json
from collections.abc import Callable
from pathlib import Path

import pytest

from abalone_assets import survey
from abalone_assets.modeling.dataset import DatasetError
from abalone_assets.modeling.evaluation import Champion, evaluate_model
from abalone_assets.modeling.features import FEATURE_NAMES
from abalone_assets.modeling.fitted import FittedModel
from abalone_assets.modeling.hyperparameters import BoosterHyperparameters
from abalone_assets.modeling.metrics import rmse
from abalone_assets.modeling.model import predict_rings
from abalone_assets.modeling.train import fit
from abalone_assets_tests.modeling.support import loaded, quick_model, quick_network, splits

KEYS = {
    *("rows", "rmse", "mae", "bias", "r2", "baseline_rmse", "slices", "feature_importance"),
    *("importance_measure", "model_sha256", "test_rows_sha256", "champion"),
}


def test_is_a_json_document_that_beats_the_baseline(tmp_path: Path) -> None:
    evaluation = evaluate_model(
        loaded(quick_model(), tmp_path),
        splits()["test"],
        model_sha256=quick_model().sha256,
        training_mean_rings=quick_model().training_mean_rings,
    )
    assert json.loads(json.dumps(evaluation, allow_nan=False)) == evaluation
    assert set(evaluation) == KEYS
    assert evaluation["rows"] == len(splits()["test"]["rings"])
    assert evaluation["rmse"] < 0.8 * evaluation["baseline_rmse"]
    assert evaluation["champion"] is None
    importance = evaluation["feature_importance"]
    assert set(importance) == set(FEATURE_NAMES)
    assert list(importance.values()) == sorted(importance.values(), reverse=True)


def test_scores_the_champion_on_the_same_rows(tmp_path: Path) -> None:
    parts = splits()
    weak = fit(parts["train"], parts["validation"], BoosterHyperparameters(num_boost_round=2))
    champion = Champion("7", loaded(weak, tmp_path / "weak"), weak.sha256)
    options = {"model_sha256": "new", "training_mean_rings": 9.9}
    model = loaded(quick_model(), tmp_path / "quick")
    compared = evaluate_model(model, parts["test"], champion=champion, **options)  # type: ignore[arg-type] # a bag of two types
    alone = evaluate_model(champion.model, parts["test"], **options)  # type: ignore[arg-type] # a bag of two types
    assert compared["champion"] == {
        "version": "7",
        "model_sha256": weak.sha256,
        **{name: alone[name] for name in ("rmse", "mae", "bias")},
    }
    assert compared["rmse"] < compared["champion"]["rmse"]


def test_refuses_an_empty_test_split(tmp_path: Path) -> None:
    nobody = {name: column[:0] for name, column in splits()["test"].items()}
    with pytest.raises(DatasetError, match="no rows"):
        evaluate_model(
            loaded(quick_model(), tmp_path), nobody, model_sha256="", training_mean_rings=9.9
        )


@pytest.mark.parametrize(
    ("challenger", "champion"), [(quick_model, quick_network), (quick_network, quick_model)]
)
def test_compares_a_network_with_a_booster(
    tmp_path: Path, challenger: Callable[[], FittedModel], champion: Callable[[], FittedModel]
) -> None:
    test = splits()["test"]
    models = {made: loaded(made(), tmp_path / made.__name__) for made in (challenger, champion)}
    evaluation = evaluate_model(
        models[challenger],
        test,
        model_sha256=challenger().sha256,
        training_mean_rings=9.9,
        champion=Champion("3", models[champion], champion().sha256),
    )
    for made, scored in ((challenger, evaluation), (champion, evaluation["champion"])):
        assert scored["rmse"] == rmse(predict_rings(models[made], test), test["rings"])
        assert scored["rmse"] < 0.8 * evaluation["baseline_rmse"]


def test_shuffling_tells_what_a_network_looks_at(tmp_path: Path) -> None:
    evaluation = evaluate_model(
        loaded(quick_network(), tmp_path),
        splits()["test"],
        model_sha256="",
        training_mean_rings=9.9,
    )
    importance = evaluation["feature_importance"]
    assert set(importance) == set(survey.FEATURES)
    assert list(importance.values()) == sorted(importance.values(), reverse=True)
    assert importance["shell_weight"] > 0.1
    assert evaluation["importance_measure"].startswith("rise of the RMSE, in rings")
