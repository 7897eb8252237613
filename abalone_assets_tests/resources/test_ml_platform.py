from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from abalone_assets.errors import AbaloneError, StorageError
from abalone_assets.modeling import archive, inference
from abalone_assets.resources.ml_platform import (
    EvaluationReport,
    EvaluationRequest,
    LocalMLPlatform,
    TrainingReport,
    TrainingRequest,
)
from abalone_assets.storage.object_store import ObjectStore
from abalone_assets_tests.resources.splits import evaluation_request, lake_with_splits, split_frames

pytestmark = pytest.mark.service

PLATFORM = LocalMLPlatform()
SIZES = (800, 200, 200)
"""Rows of the splits: for training, validation and tests."""
CONTEXT = dg.build_asset_context()
QUICK = {"num_boost_round": 12, "eta": 0.3, "max_depth": 3, "landmarks": 40, "folds": 2}
WEAK = QUICK | {"num_boost_round": 1}


@dataclass(frozen=True)
class Released:
    """A model that was trained and evaluated on a lake."""

    store: ObjectStore
    request: TrainingRequest
    training: TrainingReport
    evaluation: EvaluationReport


def training_request(store: ObjectStore, **hyperparameters: Any) -> TrainingRequest:
    return TrainingRequest(
        channels={
            name: store.uri_of(f"{name}_split/data.parquet") for name in ("train", "validation")
        },
        output_uri=store.uri_of("trained_model"),
        hyperparameters=hyperparameters,
    )


def release(uri: str) -> Released:
    store = lake_with_splits(uri, *SIZES)
    request = training_request(store, **QUICK)
    training = PLATFORM.train(request, CONTEXT)
    evaluation = reported(evaluation_request(store, training))
    return Released(store, request, training, evaluation)


def reported(request: EvaluationRequest) -> EvaluationReport:
    return PLATFORM.report(request, PLATFORM.evaluate(request, CONTEXT).evaluation, CONTEXT)


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Released:
    return release(str(tmp_path_factory.mktemp("lake")))


def test_the_archive_lies_where_sagemaker_would_put_it(released: Released) -> None:
    expected = released.store.uri_of("trained_model/train-EPHEMERAL/output/model.tar.gz")
    assert released.training.model_uri == expected
    assert archive.read_card(Path(expected)) == released.training.card
    assert released.training.job.seconds > 0


def test_hyperparameters_reach_the_training(released: Released) -> None:
    card = released.training.card
    assert {name: card.hyperparameters[name] for name in QUICK} == QUICK
    assert card.best_iteration + 1 == 12
    assert card.framework == "blend"


def test_the_evaluation_is_of_this_model_on_the_test_split(released: Released) -> None:
    evaluation = released.evaluation.evaluation
    assert evaluation["rows"] == 200
    assert evaluation["model_sha256"] == released.training.card.model_sha256
    assert evaluation["champion"] is None
    assert 1 < evaluation["rmse"] < evaluation["baseline_rmse"]
    assert set(released.evaluation.plots) == {
        "predicted_against_actual",
        "residuals",
        "feature_importance",
    }
    assert all(plot.startswith(b"<svg ") for plot in released.evaluation.plots.values())
    assert released.evaluation.report.startswith(b"<!doctype html>")


def test_a_report_judges_nothing_anew_and_needs_no_champion(released: Released) -> None:
    request = evaluation_request(released.store, released.training)
    gone = {**request.folders, "champion": released.store.uri_of("gone.tar.gz")}
    told = {**released.evaluation.evaluation, "champion": None, "mae": 1.75}
    report = PLATFORM.report(replace(request, folders=gone), told, CONTEXT)
    assert report.evaluation["mae"] == 1.75
    assert b"1.75" in report.report


def test_a_lake_on_s3_gives_identical_metrics(released: Released, s3: str) -> None:
    there = release(s3)
    assert there.training.model_uri.startswith(s3)
    assert there.training.card.model_sha256 == released.training.card.model_sha256
    assert there.training.card.metrics == released.training.card.metrics
    assert there.evaluation.evaluation == released.evaluation.evaluation
    assert there.evaluation.probes == released.evaluation.probes


def test_probes_are_requests_with_the_rings_that_the_model_answers(
    released: Released, tmp_path: Path
) -> None:
    lines, rings = zip(*released.evaluation.probes, strict=True)
    archive.extract(Path(released.training.model_uri), tmp_path / "model")
    rows = inference.input_fn("\n".join(lines), "text/csv")
    answered = inference.predict_fn(rows, inference.model_fn(tmp_path / "model"))
    body, _ = inference.output_fn(answered, "text/csv")
    assert len(lines) == 5
    assert [float(line) for line in body.split()] == pytest.approx(rings, abs=1e-4)
    test = split_frames(*SIZES)["test"].drop("rings").head(5)
    assert list(lines) == test.write_csv(include_header=False).splitlines()


def test_the_champion_is_scored_on_the_same_rows(released: Released) -> None:
    elsewhere = released.store.uri_of("weak_model")
    weak = replace(released.request, output_uri=elsewhere, hyperparameters=WEAK)
    champion = PLATFORM.train(weak, CONTEXT)
    request = evaluation_request(released.store, released.training)
    told = replace(
        request,
        folders={
            **request.folders,
            "champion": champion.model_uri,
            "reference": released.training.model_uri,
        },
        options={
            "champion-version": 7,
            "reference-version": 5,
            "champion-tolerance": 0.5,
            "missing-rows": 3,
            "foreign-rows": 2,
        },
    )
    report = reported(told)
    compared, alone = report.evaluation, released.evaluation.evaluation
    assert compared["champion"]["version"] == "7"
    assert compared["champion"]["model_sha256"] == champion.card.model_sha256
    assert compared["champion"]["rmse"] > compared["rmse"] == alone["rmse"]
    assert compared["champion"]["paired"]["overall"]["rows"] == 1200
    assert compared["reference"]["version"] == "5"
    assert compared["reference"]["model_sha256"] == released.training.card.model_sha256
    assert compared["split"]["missing"] == 3
    assert compared["split"]["foreign"] == 2
    assert b"The gate allows the upper end" in report.report


def test_training_writes_nothing_beside_the_archive(released: Released) -> None:
    keys = {found.key for found in released.store.list() if not found.key.startswith("weak_model/")}
    assert keys == {
        "train_split/data.parquet",
        "validation_split/data.parquet",
        "test_split/data.parquet",
        "trained_model/train-EPHEMERAL/output/model.tar.gz",
    }


@pytest.mark.parametrize("backing", ["folder", "s3"])
def test_a_missing_channel_is_one_clear_error_and_makes_no_archive(
    request: pytest.FixtureRequest, tmp_path: Path, backing: str
) -> None:
    uri = request.getfixturevalue("s3") if backing == "s3" else str(tmp_path)
    store = lake_with_splits(uri, *SIZES)
    store.delete("validation_split/data.parquet")
    with pytest.raises(AbaloneError, match=r"validation_split/data\.parquet: no such object"):
        PLATFORM.train(training_request(store, **QUICK), CONTEXT)
    assert not list(store.list("trained_model"))


def test_a_hyperparameter_out_of_range_is_one_clear_error(released: Released) -> None:
    request = replace(
        released.request,
        hyperparameters={"eta": 7},
        output_uri=released.store.uri_of("wrong_model"),
    )
    with pytest.raises(AbaloneError, match=r"eta must be"):
        PLATFORM.train(request, CONTEXT)
    with pytest.raises(AbaloneError, match="--colour"):
        PLATFORM.train(replace(request, hyperparameters={"colour": "red"}), CONTEXT)
    assert not list(released.store.list("wrong_model"))


def test_a_missing_model_champion_or_reference_is_named(released: Released) -> None:
    request = evaluation_request(released.store, released.training)
    gone = released.store.uri_of("trained_model/gone/output/model.tar.gz")
    for missing in ("model", "champion", "reference"):
        with pytest.raises(StorageError, match=f"{gone}: no such object"):
            PLATFORM.evaluate(replace(request, folders={**request.folders, missing: gone}), CONTEXT)


def test_an_evaluation_of_another_model_is_refused(released: Released) -> None:
    request = evaluation_request(released.store, released.training)
    with pytest.raises(StorageError, match="holds the model 0123, but the evaluation is of"):
        PLATFORM.evaluate(replace(request, model_sha256="0123"), CONTEXT)


def test_what_lies_beside_a_split_is_not_read(released: Released) -> None:
    released.store.write("test_split/more.parquet", b"no Parquet at all")
    try:
        request = evaluation_request(released.store, released.training)
        assert PLATFORM.evaluate(request, CONTEXT).evaluation["rows"] == 200
    finally:
        released.store.delete("test_split/more.parquet")
