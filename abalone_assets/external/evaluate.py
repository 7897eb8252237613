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
from abalone_assets.modeling.evaluation.study import study_model
from abalone_assets.modeling.models.model import predict_rings

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from abalone_assets.modeling.archive import ArchivedModel
    from abalone_assets.modeling.evaluation.document import EvaluationDocument
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
    three of its pictures (``predicted_against_actual.svg``, ``residuals.svg`` and
    ``feature_importance.svg``), and last ``evaluation.json``: see `document`. With ``--report no``
    there is no report and no picture, and the document lacks what only they show. Another call may
    add them to what such a call has said, without judging anew.

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
    splits = Splits(
        train=read_split(arguments.train_dir, "train"),
        validation=read_split(arguments.validation_dir, "validation"),
        test=read_split(arguments.test_dir, "test"),
    )
    document = _evaluated(arguments.evaluated_dir / EVALUATION_FILE)
    if document is None:
        document = _judged(arguments, candidate, splits)
    studied = study_model(candidate, splits, document) if arguments.report == "yes" else None
    arguments.output_dir.mkdir(parents=True, exist_ok=True)
    _write_predictions(arguments.output_dir, candidate.model, splits.test)
    if studied is not None:
        document = studied.document
        _write_report(arguments.output_dir, studied, candidate, arguments.champion_tolerance)
    text = json.dumps(document, indent=1, allow_nan=False)
    (arguments.output_dir / EVALUATION_FILE).write_text(text, encoding="utf-8")
    logger.info("test:rmse=%.5f; test:mae=%.5f", document["rmse"], document["mae"])


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
        "evaluated": f"holds the {EVALUATION_FILE} of a call without report, to complete; missing "
        "or empty: all is evaluated",
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


def _evaluated(file: Path) -> EvaluationDocument | None:
    if not file.exists():
        return None
    document: EvaluationDocument = json.loads(file.read_text(encoding="utf-8"))
    return document


def _judged(arguments: Namespace, candidate: ArchivedModel, splits: Splits) -> EvaluationDocument:
    champion = _champion(arguments.champion_dir / ARCHIVE_NAME, arguments.champion_version)
    reference = _champion(arguments.reference_dir / ARCHIVE_NAME, arguments.reference_version)
    return evaluate_model(
        candidate,
        splits,
        champion=champion,
        reference=reference,
        missing_rows=arguments.missing_rows,
        foreign_rows=arguments.foreign_rows,
    ).document


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
    (folder / REPORT_FILE).write_text(report.page, encoding="utf-8")
    for name, picture in report.pictures.items():
        (folder / f"{name}.svg").write_text(picture, encoding="utf-8")


def _reported() -> None:
    from abalone_assets.external.reporting import reporting

    with reporting():  # the caller reads the results; this tells of the end, or the exception
        main()


if __name__ == "__main__":
    run_as_script(_reported, MESSAGE_FILE)
