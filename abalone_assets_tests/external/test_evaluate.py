import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from abalone_assets.errors import ModelArchiveError
from abalone_assets.external.entry import ArgumentError
from abalone_assets.external.evaluate import main
from abalone_assets.modeling.dataset import COLUMN_NAMES, DatasetError
from abalone_assets.modeling.fitted import FittedModel
from abalone_assets.modeling.hyperparameters import BoosterHyperparameters
from abalone_assets.modeling.metrics import rmse
from abalone_assets.modeling.train import fit
from abalone_assets_tests.modeling.support import (
    packed,
    quick_model,
    quick_network,
    split_frames,
    splits,
)

RESULTS = [
    "evaluation.json",
    "feature_importance.png",
    "predicted_against_actual.png",
    "predictions.parquet",
    "residuals.png",
]


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Folders with a model and the test split, and none for a champion."""
    packed(quick_model(), tmp_path / "model")
    (tmp_path / "test").mkdir()
    split_frames()["test"].to_parquet(tmp_path / "test/part-0.parquet")
    names = ("model", "test", "champion", "output")
    return [text for name in names for text in (f"--{name}-dir", str(tmp_path / name))]


def results(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "output").iterdir())


def test_as_a_function_writes_scores_predictions_and_pictures(
    arguments: list[str], tmp_path: Path
) -> None:
    main(arguments)
    evaluation = json.loads((tmp_path / "output/evaluation.json").read_text())
    predictions = pd.read_parquet(tmp_path / "output/predictions.parquet")
    assert results(tmp_path) == RESULTS
    assert evaluation["champion"] is None
    assert evaluation["model_sha256"] == quick_model().sha256
    assert list(predictions) == [*COLUMN_NAMES, "predicted"]
    assert rmse(predictions["predicted"], predictions["rings"]) == evaluation["rmse"]
    assert (tmp_path / "output/residuals.png").read_bytes().startswith(b"\x89PNG")


def test_scores_the_champion_of_the_given_version(arguments: list[str], tmp_path: Path) -> None:
    parts = splits()
    weak = fit(parts["train"], parts["validation"], BoosterHyperparameters(num_boost_round=2))
    packed(weak, tmp_path / "champion")
    main([*arguments, "--champion-version", "12"])
    evaluation = json.loads((tmp_path / "output/evaluation.json").read_text())
    assert evaluation["champion"]["version"] == "12"
    assert evaluation["champion"]["model_sha256"] == weak.sha256
    assert evaluation["champion"]["rmse"] > evaluation["rmse"]


@pytest.mark.parametrize(
    ("challenger", "champion"), [(quick_model, quick_network), (quick_network, quick_model)]
)
def test_a_champion_may_be_of_another_framework(
    arguments: list[str],
    tmp_path: Path,
    challenger: Callable[[], FittedModel],
    champion: Callable[[], FittedModel],
) -> None:
    packed(challenger(), tmp_path / "model")
    packed(champion(), tmp_path / "champion")
    main([*arguments, "--champion-version", "3"])
    evaluation = json.loads((tmp_path / "output/evaluation.json").read_text())
    assert results(tmp_path) == RESULTS
    assert evaluation["model_sha256"] == challenger().sha256
    assert evaluation["champion"]["model_sha256"] == champion().sha256
    assert abs(evaluation["rmse"] - evaluation["champion"]["rmse"]) < 0.5


def test_an_empty_champion_folder_is_no_champion(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "champion").mkdir()
    main(arguments)
    assert json.loads((tmp_path / "output/evaluation.json").read_text())["champion"] is None


def test_as_a_process_logs_the_score(arguments: list[str], tmp_path: Path) -> None:
    done = run(arguments, tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("test:rmse=")
    assert results(tmp_path) == RESULTS


def test_as_a_process_ends_with_one_clear_line_without_a_model(
    arguments: list[str], tmp_path: Path
) -> None:
    (tmp_path / "model/model.tar.gz").unlink()
    done = run(arguments, tmp_path)
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.startswith("ModelArchiveError: ")
    assert done.stdout.count("\n") == 1


def run(arguments: list[str], cache: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "abalone_assets.external.evaluate", *arguments],
        env={"PATH": os.environ["PATH"], "MPLCONFIGDIR": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_refuses_a_damaged_champion(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "champion").mkdir()
    (tmp_path / "champion/model.tar.gz").write_bytes(b"damaged")
    with pytest.raises(ModelArchiveError, match=r"champion/model\.tar\.gz cannot be read"):
        main(arguments)
    assert not (tmp_path / "output").exists()


def test_refuses_an_empty_test_split(arguments: list[str], tmp_path: Path) -> None:
    split_frames()["test"][:0].to_parquet(tmp_path / "test/part-0.parquet")
    with pytest.raises(DatasetError, match="have no rows"):
        main(arguments)


def test_refuses_an_unknown_argument() -> None:
    with pytest.raises(ArgumentError, match="--colour"):
        main(["--colour", "red"])
