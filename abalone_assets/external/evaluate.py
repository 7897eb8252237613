"""Evaluate a model by SageMaker's processing contract: folders in, folders out, given as arguments.

As a process: ``python -m abalone_assets.external.evaluate``; the folders default to those where
SageMaker mounts them (https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html).
"""

from __future__ import annotations

import json
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from abalone_assets import survey
from abalone_assets.external.entry import ArgumentParser, run_as_script
from abalone_assets.modeling import plots
from abalone_assets.modeling.archive import ARCHIVE_NAME, extract, read_card
from abalone_assets.modeling.dataset import read_split
from abalone_assets.modeling.evaluation import Champion, evaluate_model
from abalone_assets.modeling.model import load_model, predict_rings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from abalone_assets.modeling.archive import ModelCard
    from abalone_assets.modeling.model import Model

logger = logging.getLogger("abalone_assets.external.evaluate")  # also when run as __main__

EVALUATION_FILE: Final = "evaluation.json"
PREDICTIONS_FILE: Final = "predictions.parquet"
MESSAGE_FILE: Final = Path("/opt/ml/output/message")
_MOUNTS: Final = Path("/opt/ml/processing")


@dataclass(frozen=True)
class _Loaded:
    model: Model
    card: ModelCard


def main(argv: Sequence[str] | None = None) -> None:
    """Score the model, and the champion if there is one, on the test split.

    Either may be of any framework.

    Writes ``predictions.parquet`` (the survey's columns and ``predicted``, in rings), the pictures
    ``predicted_against_actual.png``, ``residuals.png`` and ``feature_importance.png``, and last
    ``evaluation.json``, as `evaluate_model` returns it.

    Args:
        argv: See ``--help``; the process's own when None.

    Raises:
        ArgumentError: An argument is unknown.
        ModelArchiveError: The model's or the champion's archive is missing or unusable.
        DatasetError: The test split is missing, empty or lacks a column.
        FeatureError: The test split's values cannot be turned into features.
    """
    arguments = _parser().parse_args(argv)
    candidate = _load(arguments.model_dir / ARCHIVE_NAME)
    test = read_split(arguments.test_dir, "test")
    evaluation = evaluate_model(
        candidate.model,
        test,
        model_sha256=candidate.card.model_sha256,
        training_mean_rings=candidate.card.training_mean_rings,
        champion=_champion(arguments.champion_dir / ARCHIVE_NAME, arguments.champion_version),
    )
    predicted = predict_rings(candidate.model, test)
    _write(arguments.output_dir, evaluation, test, predicted)
    logger.info("test:rmse=%.5f; test:mae=%.5f", evaluation["rmse"], evaluation["mae"])


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="abalone_assets.external.evaluate",
        description="Score a model and its champion on the test split.",
        allow_abbrev=False,
    )
    for name, purpose in {
        "model": f"holds the model's {ARCHIVE_NAME}",
        "test": "holds the test split's Parquet files",
        "champion": f"holds the champion's {ARCHIVE_NAME}; missing or empty: no champion",
        "output": "gets the results",
    }.items():
        mount = _MOUNTS / ("evaluation" if name == "output" else name)
        parser.add_argument(
            f"--{name}-dir", type=Path, default=mount, help=f"{purpose} (default: %(default)s)"
        )
    parser.add_argument(
        "--champion-version", default="unknown", help="the champion's version in the registry"
    )
    return parser


def _load(archive: Path) -> _Loaded:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        extract(archive, folder)
        return _Loaded(load_model(folder), read_card(archive))


def _champion(archive: Path, version: str) -> Champion | None:
    if not archive.exists():
        return None
    loaded = _load(archive)
    return Champion(version, loaded.model, loaded.card.model_sha256)


def _write(
    folder: Path,
    evaluation: Mapping[str, Any],
    test: Mapping[str, NDArray[Any]],
    predicted: NDArray[Any],
) -> None:
    import pandas as pd

    folder.mkdir(parents=True, exist_ok=True)
    frame = pd.DataFrame({**test, "predicted": predicted})
    frame.to_parquet(folder / PREDICTIONS_FILE, index=False)
    actual, sex = test[survey.TARGET], test["sex"]
    pictures = {
        "predicted_against_actual.png": plots.predicted_against_actual(actual, predicted, sex),
        "residuals.png": plots.residuals(actual, predicted, sex),
        "feature_importance.png": plots.feature_importance(
            evaluation["feature_importance"], evaluation["importance_measure"]
        ),
    }
    for name, picture in pictures.items():
        (folder / name).write_bytes(picture)
    document = json.dumps(evaluation, indent=1, allow_nan=False)
    (folder / EVALUATION_FILE).write_text(document, encoding="utf-8")


def _reported() -> None:
    from abalone_assets.external.reporting import reporting

    with reporting():  # the caller reads the results; this tells of the end, or the exception
        main()


if __name__ == "__main__":
    run_as_script(_reported, MESSAGE_FILE)
