import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from abalone_assets.modeling.archive import read_archived
from abalone_assets.modeling.dataset import DatasetError, concat, rows_sha256, take, target
from abalone_assets.modeling.evaluation.champion import Champion
from abalone_assets.modeling.evaluation.document import EvaluationDocument
from abalone_assets.modeling.evaluation.evaluate import Splits, evaluate_model
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.scores import EvaluationError, rmse
from abalone_assets.modeling.training.one_thread import _libraries
from abalone_assets_tests.modeling.support import (
    ShellModel,
    card,
    intervals,
    judged,
    out_of_fold,
    packed,
    quick_network,
    simulated,
    small_splits,
)

SPLITS = small_splits()


def document(splits: Splits = SPLITS, **changed: Any) -> Any:
    return evaluate_model(judged(**changed), splits).document


def test_is_a_json_document_of_the_fields_that_its_type_names() -> None:
    champion, reference = Champion("7", judged(1.0)), Champion("3", judged(0.5))
    candidate = judged(intervals=intervals())
    evaluation: Any = evaluate_model(
        candidate, SPLITS, champion=champion, reference=reference
    ).document
    assert json.loads(json.dumps(evaluation, allow_nan=False)) == json.loads(json.dumps(evaluation))
    assert evaluation.keys() == EvaluationDocument.__annotations__.keys()
    assert evaluation["rows"] == 200
    assert evaluation["champion"]["version"] == "7"
    assert evaluation["reference"]["version"] == "3"
    assert evaluation["reference"].keys() == evaluation["champion"].keys()
    assert evaluation["reference"]["paired"]["overall"]["rows"] == 200


def test_is_computed_by_one_thread_of_blas_so_that_its_bits_are_the_same_everywhere() -> None:
    seen: list[int] = []

    class Watched(ShellModel):
        def predict(self, matrix: Any) -> Any:
            seen.extend(library["num_threads"] for library in _libraries().info())
            return super().predict(matrix)

    before = {each: each.num_threads for each in _libraries().lib_controllers}
    try:
        for each in before:
            each.set_num_threads(2)
        evaluate_model(judged(model=Watched()), SPLITS, champion=Champion("1", judged(1.0)))
    finally:
        for each, threads in before.items():
            each.set_num_threads(threads)
    assert set(seen) == {1}


def test_scores_lie_within_their_intervals_and_beside_the_baselines() -> None:
    evaluation = document()
    low, high = evaluation["confidence"]["rmse"]
    assert low < evaluation["rmse"] < high
    assert evaluation["rmse"] < evaluation["baseline_rmse"] == evaluation["baselines"]["mean"]
    assert evaluation["baselines"]["linear"] < evaluation["baselines"]["mean"]
    for part in (*evaluation["slices"]["sex"], *evaluation["slices"]["age_band"]):
        assert part["rmse_low"] <= part["rmse"] <= part["rmse_high"]
        assert part["coverage"] is None
    assert sum(part["rows"] for part in evaluation["slices"]["age_band"]) == 200
    assert evaluation["prediction_interval"] is None
    assert evaluation["champion"] is None
    assert evaluation["reference"] is None


def test_prediction_intervals_are_scored_overall_and_by_slice() -> None:
    narrow, wide = (document(intervals=intervals(ratio)) for ratio in (0.2, 0.5))
    assert narrow["prediction_interval"]["coverage"] < wide["prediction_interval"]["coverage"] <= 1
    assert narrow["prediction_interval"]["mean_width"] < wide["prediction_interval"]["mean_width"]
    assert wide["prediction_interval"]["pinball"].keys() == {"0.05", "0.95"}
    by_sex = narrow["slices"]["sex"]
    held = sum((part["coverage"] or 0) * part["rows"] for part in by_sex)
    assert held / 200 == pytest.approx(narrow["prediction_interval"]["coverage"])
    coverage = narrow["confidence"]["coverage"]
    assert coverage[0] < narrow["prediction_interval"]["coverage"] < coverage[1]


def test_simulated_test_rows_judge_nobody() -> None:
    test = simulated(SPLITS.test, 60)
    test["rings"] = np.where(np.arange(200) < 60, 25, test["rings"])
    mixed = document(replace(SPLITS, test=test))
    real = document(replace(SPLITS, test=take(test, np.arange(60, 200))))
    assert mixed["rows"] == 140
    assert real["synthetic"] is None
    for same in ("rmse", "slices", "confidence", "test_rows_sha256"):
        assert mixed[same] == real[same]
    told = mixed["synthetic"]
    assert (told["train_rows"], told["test_rows"]) == (0, 60)
    assert told["rmse_trained_without"] is None
    assert mixed["rmse"] < told["rmse_all_rows"] < told["rmse_synthetic_rows"]


def test_example_rows_judge_as_surveyed_ones_do_and_are_counted() -> None:
    """Once a demo's report said that all of its simulated rows were real animals."""
    test = {**SPLITS.test, "origin": np.array(["example"] * 60 + ["surveyed"] * 140, dtype=object)}
    some, none = document(replace(SPLITS, test=test)), document(SPLITS)
    assert (some["rows"], some["rmse"]) == (none["rows"], none["rmse"])
    assert some["synthetic"] is None
    assert none["examples"] is None
    assert some["examples"] == {
        "train_rows": 0,
        "test_rows": 60,
        "all_train_rows": len(SPLITS.train["rings"]),
        "all_test_rows": 200,
    }


def test_training_rows_that_are_all_simulated_still_make_baselines() -> None:
    train = simulated(SPLITS.train, 300)
    evaluation = document(replace(SPLITS, train=train))
    assert evaluation["baselines"] == document()["baselines"]


def test_tells_whether_rows_are_where_their_hash_says() -> None:
    split = evaluate_model(judged(), SPLITS, missing_rows=4, foreign_rows=5).document["split"]
    assert split["misplaced"] > 100  # dealt by position
    assert split["missing"] == 4
    assert split["foreign"] == 5


def test_test_rows_that_the_model_was_cross_fitted_on_have_leaked() -> None:
    learnt = concat([SPLITS.train, SPLITS.validation])
    clean, leaked, no_twice = (
        document(out_of_fold=out_of_fold(known, target(known)))["split"]["leaked"]
        for known in (learnt, concat([learnt, SPLITS.test]), concat([SPLITS.train]))
    )
    assert leaked == clean + 200
    assert no_twice == clean == document()["split"]["leaked"]
    spilt = replace(SPLITS, train=concat([SPLITS.train, SPLITS.test]))
    table = out_of_fold(SPLITS.test, target(SPLITS.test))
    assert document(spilt)["split"] == document(spilt, out_of_fold=table)["split"]


def test_says_whether_the_model_learnt_the_training_split() -> None:
    assert not document()["trained_on_train_split"]
    papers = card(training_rows_sha256=rows_sha256(SPLITS.train))
    assert document(card=papers)["trained_on_train_split"]
    more = replace(SPLITS, train=concat([SPLITS.train, take(SPLITS.test, np.arange(1))]))
    assert not document(more, card=papers)["trained_on_train_split"]


def test_an_archived_network_is_evaluated(tmp_path: Path) -> None:
    archived = read_archived(packed(quick_network(), tmp_path))
    evaluation = evaluate_model(archived, SPLITS).document
    answered = predict_rings(archived.model, SPLITS.test)
    assert evaluation["model_sha256"] == quick_network().card.model_sha256
    assert evaluation["rmse"] == rmse(answered, SPLITS.test["rings"])
    assert evaluation["rmse"] < 0.9 * evaluation["baseline_rmse"]


def test_refuses_splits_that_hold_nothing_to_judge_by() -> None:
    nobody = take(SPLITS.train, np.arange(0))
    with pytest.raises(DatasetError, match="no rows"):
        document(replace(SPLITS, train=nobody))
    test = simulated(SPLITS.test, 200)
    with pytest.raises(EvaluationError, match="no surveyed row: simulated animals do not judge"):
        document(replace(SPLITS, test=test))
