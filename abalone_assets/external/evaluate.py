"""Evaluate a model by SageMaker's processing contract: folders in, folders out, given as arguments.

As a process: ``python -m abalone_assets.external.evaluate``; the folders default to those where
SageMaker mounts them (https://docs.aws.amazon.com/sagemaker/latest/dg/build-your-own-processing-container.html).
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Final

from abalone_assets.external.entry import ArgumentParser, run_as_script
from abalone_assets.modeling.archive import ARCHIVE_NAME, read_archived
from abalone_assets.modeling.dataset import read_split
from abalone_assets.modeling.evaluation.champion import Champion
from abalone_assets.modeling.evaluation.evaluate import Splits, evaluate_model
from abalone_assets.modeling.models.model import predict_rings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abalone_assets.modeling.archive import ArchivedModel
    from abalone_assets.modeling.evaluation.evaluate import Evaluation
    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.models.model import Model

logger = logging.getLogger("abalone_assets.external.evaluate")  # also when run as __main__

EVALUATION_FILE: Final = "evaluation.json"
PREDICTIONS_FILE: Final = "predictions.parquet"
REPORT_FILE: Final = "report.html"
MESSAGE_FILE: Final = Path("/opt/ml/output/message")
_MOUNTS: Final = Path("/opt/ml/processing")


def main(argv: Sequence[str] | None = None) -> None:
    """Score the model, and the champion if there is one, on rows that neither had learnt.

    Beside the reference too, where that is another model than the champion. Each may be of any
    framework.

    Writes ``predictions.parquet`` (the test split and ``predicted``, in rings), ``report.html`` and
    three of its pictures (``predicted_against_actual.png``, ``residuals.png`` and
    ``feature_importance.png``), and last ``evaluation.json``: see `document`. With ``--report no``
    there is no report and no picture, and the document lacks what only they show.

    Args:
        argv: See ``--help``; the process's own when None.

    Raises:
        ArgumentError: An argument is unknown.
        ModelArchiveError: The model's archive is missing, or an archive is unusable.
        DatasetError: A split is missing, empty or lacks a column.
        EvaluationError: The test split has no surveyed row.
        FeatureError: A split's values cannot be turned into features.
    """
    arguments = _parser().parse_args(argv)
    candidate = read_archived(arguments.model_dir / ARCHIVE_NAME)
    champion = _champion(arguments.champion_dir / ARCHIVE_NAME, arguments.champion_version)
    reference = _champion(arguments.reference_dir / ARCHIVE_NAME, arguments.reference_version)
    splits = Splits(
        train=read_split(arguments.train_dir, "train"),
        validation=read_split(arguments.validation_dir, "validation"),
        test=read_split(arguments.test_dir, "test"),
    )
    evaluation = evaluate_model(
        candidate,
        splits,
        champion=champion,
        reference=reference,
        missing_rows=arguments.missing_rows,
        foreign_rows=arguments.foreign_rows,
        study=arguments.report == "yes",
    )
    arguments.output_dir.mkdir(parents=True, exist_ok=True)
    _write_predictions(arguments.output_dir, candidate.model, splits.test)
    if arguments.report == "yes":
        _write_report(arguments.output_dir, evaluation, candidate, arguments.champion_tolerance)
    document = json.dumps(evaluation.document, indent=1, allow_nan=False)
    (arguments.output_dir / EVALUATION_FILE).write_text(document, encoding="utf-8")
    scores = evaluation.document
    logger.info("test:rmse=%.5f; test:mae=%.5f", scores["rmse"], scores["mae"])


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="abalone_assets.external.evaluate",
        description="Score a model and its champion on the test split.",
        allow_abbrev=False,
    )
    for name, purpose in {
        "model": f"holds the model's {ARCHIVE_NAME}",
        "train": "holds the training split's Parquet files",
        "validation": "holds the validation split's Parquet files",
        "test": "holds the test split's Parquet files",
        "champion": f"holds the champion's {ARCHIVE_NAME}; missing or empty: no champion",
        "reference": f"holds the reference's {ARCHIVE_NAME}; missing or empty: no other model",
        "output": "gets the results",
    }.items():
        mount = _MOUNTS / ("evaluation" if name == "output" else name)
        parser.add_argument(
            f"--{name}-dir", type=Path, default=mount, help=f"{purpose} (default: %(default)s)"
        )
    for name in ("champion", "reference"):
        parser.add_argument(
            f"--{name}-version", default="unknown", help=f"the {name}'s version in the registry"
        )
    parser.add_argument(
        "--champion-tolerance",
        type=float,
        help="how much worse than the champion the gate allows, as a share; the report draws it",
    )
    parser.add_argument(
        "--report",
        choices=("yes", "no"),
        default="yes",
        help="no leaves out the report and what only it shows (default: %(default)s)",
    )
    for name, rows in {
        "missing": "rows of merged_dataset with a test hash that the test split lacks",
        "foreign": "rows of the test split that merged_dataset lacks or has fewer of",
    }.items():
        parser.add_argument(f"--{name}-rows", type=int, help=f"{rows}, where counted")
    return parser


def _champion(archive: Path, version: str) -> Champion | None:
    return Champion(version, read_archived(archive)) if archive.exists() else None


def _write_predictions(folder: Path, model: Model, test: Columns) -> None:
    import pandas as pd

    frame = pd.DataFrame({**test, "predicted": predict_rings(model, test)})
    frame.to_parquet(folder / PREDICTIONS_FILE, index=False)


def _write_report(
    folder: Path, evaluation: Evaluation, candidate: ArchivedModel, tolerance: float | None
) -> None:
    from abalone_assets.modeling.evaluation.report import render_report

    report = render_report(evaluation, candidate, champion_tolerance=tolerance)
    (folder / REPORT_FILE).write_text(report, encoding="utf-8")
    _write_pictures(folder, evaluation)


def _write_pictures(folder: Path, evaluation: Evaluation) -> None:
    """A few of the report's pictures, for the asset's page."""
    from abalone_assets.modeling.evaluation import plots

    document, predictions = evaluation.document, evaluation.predictions
    actual, predicted = predictions.actual, predictions.predicted
    sex = predictions.columns["sex"]
    pictures = {
        "predicted_against_actual.png": plots.predicted_against_actual(actual, predicted, sex),
        "residuals.png": plots.residuals(actual, predicted, sex),
        "feature_importance.png": plots.feature_importance(
            document["feature_importance"], document["importance_measure"]
        ),
    }
    for name, picture in pictures.items():
        (folder / name).write_bytes(picture)


def _reported() -> None:
    from abalone_assets.external.reporting import reporting

    with reporting():  # the caller reads the results; this tells of the end, or the exception
        main()


if __name__ == "__main__":
    run_as_script(_reported, MESSAGE_FILE)
