import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from abalone_assets.errors import ModelArchiveError
from abalone_assets.external.entry import ArgumentError
from abalone_assets.external.evaluate import main
from abalone_assets.modeling.dataset import COLUMN_NAMES, DatasetError
from abalone_assets.modeling.scores import rmse
from abalone_assets_tests.external.support import run_module
from abalone_assets_tests.modeling.support import (
    packed,
    quick_model,
    quick_network,
    split_frames,
)

pytestmark = pytest.mark.service

RESULTS = [
    *("evaluation.json", "feature_importance.svg", "predicted_against_actual.svg"),
    *("predictions.parquet", "report.html", "residuals.svg"),
]
PARTS = {"train": 300, "validation": 80, "test": 200}


def written(tmp_path: Path) -> dict[str, Any]:
    """The evaluation, beside all other results."""
    assert sorted(path.name for path in (tmp_path / "output").iterdir()) == RESULTS
    evaluation: dict[str, Any] = json.loads((tmp_path / "output/evaluation.json").read_text())
    return evaluation


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """Folders with a model and the first rows of the splits, and none for a champion."""
    packed(quick_model(), tmp_path / "model")
    for name, rows in PARTS.items():
        (tmp_path / name).mkdir()
        split_frames()[name][:rows].to_parquet(tmp_path / name / "part-0.parquet")
    names = ("model", *PARTS, "champion", "output")
    return [text for name in names for text in (f"--{name}-dir", str(tmp_path / name))]


def test_as_a_function_writes_scores_predictions_and_pictures(
    arguments: list[str], tmp_path: Path
) -> None:
    main(arguments)
    evaluation = written(tmp_path)
    predictions = pd.read_parquet(tmp_path / "output/predictions.parquet")
    assert evaluation["champion"] is None
    assert evaluation["reference"] is None
    assert evaluation["model_sha256"] == quick_model().card.model_sha256
    assert list(predictions) == [*COLUMN_NAMES, "source_file", "origin", "predicted"]
    assert rmse(predictions["predicted"], predictions["rings"]) == evaluation["rmse"]
    assert (tmp_path / "output/residuals.svg").read_text().startswith("<svg xmlns=")
    assert (tmp_path / "output/report.html").read_text().startswith("<!doctype html>")
    assert evaluation["split"]["missing"] is evaluation["split"]["foreign"] is None


def test_scores_the_champion_of_the_given_version_which_may_be_of_another_framework(
    arguments: list[str], tmp_path: Path
) -> None:
    packed(quick_network(), tmp_path / "champion")
    given = {"champion-version": "12", "champion-tolerance": "0.02", "missing-rows": "0"}
    given["foreign-rows"] = "1"
    main([*arguments, *(part for name, value in given.items() for part in (f"--{name}", value))])
    evaluation = written(tmp_path)
    champion = evaluation["champion"]
    assert champion["version"] == "12"
    assert champion["model_sha256"] == quick_network().card.model_sha256
    assert 0 < abs(evaluation["rmse"] - champion["rmse"]) < 0.5
    assert champion["paired"]["overall"]["rows"] == 200  # a network has no other folds
    assert evaluation["split"]["missing"] == 0
    assert evaluation["split"]["foreign"] == 1
    assert "The gate allows" in (tmp_path / "output/report.html").read_text()


def test_models_with_out_of_fold_predictions_are_compared_on_every_row(
    arguments: list[str], tmp_path: Path
) -> None:
    for other in ("champion", "reference"):
        packed(quick_model(), tmp_path / other)
    reference = ["--reference-dir", str(tmp_path / "reference"), "--reference-version", "4"]
    main([*arguments, *reference])
    evaluation = written(tmp_path)
    assert evaluation["reference"] == {**evaluation["champion"], "version": "4"}
    paired = evaluation["champion"]["paired"]
    assert paired["overall"]["rows"] == sum(PARTS.values())
    assert paired["overall"]["difference"] == 0


def test_completes_what_a_call_without_a_report_has_said(
    arguments: list[str], tmp_path: Path
) -> None:
    output, before = tmp_path / "output", tmp_path / "evaluated"
    main([*arguments, "--report", "no"])
    assert sorted(path.name for path in output.iterdir()) == ["evaluation.json", RESULTS[3]]
    output.rename(before)
    told = json.loads((before / "evaluation.json").read_text())
    (before / "evaluation.json").write_text(json.dumps({**told, "mae": 1.75}))
    main([*arguments, "--evaluated-dir", str(before)])
    evaluation = written(tmp_path)
    assert evaluation["mae"] == 1.75
    assert not told["learning_curve"]
    assert evaluation["learning_curve"]


def test_as_a_process_logs_the_score_and_takes_an_empty_folder_for_no_champion(
    arguments: list[str], tmp_path: Path
) -> None:
    (tmp_path / "champion").mkdir()
    done = run_module("evaluate", *arguments, environ={"MPLCONFIGDIR": str(tmp_path)})
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("test:rmse=")
    assert written(tmp_path)["champion"] is None


def test_refuses_a_damaged_champion(arguments: list[str], tmp_path: Path) -> None:
    (tmp_path / "champion").mkdir()
    (tmp_path / "champion/model.tar.gz").write_bytes(b"damaged")
    with pytest.raises(ModelArchiveError, match=r"champion/model\.tar\.gz cannot be read"):
        main(arguments)
    assert not (tmp_path / "output").exists()


@pytest.mark.parametrize("split", PARTS)
def test_needs_what_the_model_was_made_of(arguments: list[str], tmp_path: Path, split: str) -> None:
    (tmp_path / split / "part-0.parquet").unlink()
    with pytest.raises(DatasetError, match=f"{split}: no .parquet file below"):
        main(arguments)


def test_refuses_an_unknown_argument() -> None:
    with pytest.raises(ArgumentError, match="--colour"):
        main(["--colour", "red"])
