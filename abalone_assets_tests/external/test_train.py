import json
import logging
import os
from pathlib import Path
from unittest.mock import create_autospec

import pytest

from abalone_assets.errors import AbaloneError
from abalone_assets.external.entry import ArgumentError
from abalone_assets.external.reporting import Reporter
from abalone_assets.external.train import main
from abalone_assets.external.training import TrainingEnvironmentError, parse
from abalone_assets.modeling.archive import ARCHIVE_NAME, pack, read_card
from abalone_assets.modeling.dataset import DatasetError
from abalone_assets.modeling.hyperparameters import (
    BlendHyperparameters,
    BoosterHyperparameters,
    CommonHyperparameters,
    HyperparameterError,
    NetworkHyperparameters,
)
from abalone_assets.modeling.loading import load_model
from abalone_assets.modeling.models.blend import BlendModel
from abalone_assets_tests.external.support import run_module, training_environment
from abalone_assets_tests.modeling.support import QUICK, quick_model

ARGUMENTS = [text for name, value in vars(QUICK).items() for text in (f"--{name}", str(value))]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    return training_environment(tmp_path)


def test_as_a_function_writes_the_model_and_its_metrics_and_reports_it(
    environ: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    made = quick_model()  # XGBoost imports scikit-learn where there is one, which sets variables
    before, listener = dict(os.environ), create_autospec(Reporter, instance=True)
    with caplog.at_level(logging.INFO):
        main(ARGUMENTS, environ, listener)
    load_model(tmp_path / "model")
    pack(tmp_path / "model", tmp_path / ARCHIVE_NAME)
    card = read_card(tmp_path / ARCHIVE_NAME)
    metrics = json.loads((tmp_path / "data/metrics.json").read_text())
    assert card.created_at == "2025-03-01T12:00:00+00:00"
    assert card.hyperparameters == vars(QUICK)
    assert card.model_sha256 == metrics["model_sha256"] == made.card.model_sha256
    assert metrics["validation"] == made.card.metrics["validation"] == card.metrics["validation"]
    assert metrics["history"] == made.history
    assert dict(os.environ) == before
    assert caplog.messages[-1].startswith("[final: 40] train:rmse=")
    reported = {
        "framework": "xgboost",
        "train_rmse": card.metrics["train"]["rmse"],
        "validation_rmse": card.metrics["validation"]["rmse"],
        "out_of_fold_rmse": (card.out_of_fold or {})["rmse"],
        "rounds": 40,
    }
    listener.report_metadata.assert_called_once_with(reported, data_version=made.card.model_sha256)


def test_logs_metrics_every_fifty_rounds_and_then_the_folds(
    environ: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        main(["--num_boost_round", "120", "--eta", "0.01", "--folds", "2"], environ)
    *rounds, first, second, final = caplog.messages
    assert [line.split()[0] for line in rounds] == ["[50]", "[100]"]
    assert all("train:rmse=" in line and "; validation:rmse=" in line for line in rounds)
    assert first.startswith("fold 1 of 2: out-of-fold rmse=2.")
    assert second.startswith("fold 2 of 2: ")
    assert final.startswith("[final: 120] train:rmse=")


@pytest.mark.service
def test_as_a_process_logs_metrics_to_stdout(environ: dict[str, str], tmp_path: Path) -> None:
    chosen = ["--landmarks", "50", "--folds", "0", "--num_boost_round", "50", "--eta", "0.2"]
    done = run_module("train", "--framework", "blend", *chosen, environ=environ)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("[50] train:rmse=")
    assert isinstance(load_model(tmp_path / "model"), BlendModel)


def test_as_a_process_ends_with_one_clear_line_on_a_mistake(environ: dict[str, str]) -> None:
    done = run_module("train", "--eta", "3", environ=environ)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == "HyperparameterError: eta must be 0.0001 to 1.0, not 3.0\n"


@pytest.mark.parametrize(
    ("framework", "arguments", "chosen"),
    [
        ("xgboost", [], BoosterHyperparameters()),
        ("xgboost", ["--max_depth", "6"], BoosterHyperparameters(max_depth=6)),
        ("blend", ["--noise", "0.3", "--eta", "0.1"], BlendHyperparameters(noise=0.3, eta=0.1)),
        ("tensorflow", ["--batch_size", "64"], NetworkHyperparameters(batch_size=64)),
    ],
)
def test_arguments_default_to_those_of_the_framework(
    framework: str, arguments: list[str], chosen: CommonHyperparameters
) -> None:
    assert parse([*arguments, "--framework", framework]) == (framework, chosen)


def test_trees_alone_are_what_trains_unless_said() -> None:
    assert parse([]) == ("xgboost", BoosterHyperparameters())


def test_help_describes_every_hyperparameter(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    text = capsys.readouterr().out
    assert all(f"--{name}" in text for name in vars(QUICK))
    assert "Learning rate" in text


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--epochs", "9"], ArgumentError),
        (["--framework", "catboost"], ArgumentError),
        (["--eta", "fast"], ArgumentError),
        (["--max_depth", "2.5"], ArgumentError),
        (["--sub", "0.5"], ArgumentError),
        (["--eta", "nan"], HyperparameterError),
    ],
)
def test_refuses_wrong_arguments(arguments: list[str], error: type[AbaloneError]) -> None:
    with pytest.raises(error):
        parse(arguments)


@pytest.mark.parametrize(
    "name", ["SM_CHANNEL_TRAIN", "SM_CHANNEL_VALIDATION", "SM_MODEL_DIR", "SM_OUTPUT_DATA_DIR"]
)
def test_names_a_missing_variable(environ: dict[str, str], name: str) -> None:
    del environ[name]
    with pytest.raises(TrainingEnvironmentError, match=f"{name} is not set"):
        main(ARGUMENTS, environ)


@pytest.mark.parametrize("epoch", ["yesterday", "1e9", "9" * 30])
def test_names_a_malformed_time(environ: dict[str, str], epoch: str) -> None:
    with pytest.raises(TrainingEnvironmentError, match="SOURCE_DATE_EPOCH must be whole seconds"):
        main(ARGUMENTS, environ | {"SOURCE_DATE_EPOCH": epoch})


def test_names_the_channel_without_files_and_writes_nothing(
    environ: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "validation/part-0.parquet").unlink()
    with pytest.raises(DatasetError, match=r"validation: no \.parquet file"):
        main(ARGUMENTS, environ)
    assert not (tmp_path / "model").exists()
