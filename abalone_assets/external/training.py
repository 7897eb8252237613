"""SageMaker's training contract, for whatever trains: folders by environment, settings by argument.

The contract is described in the `SageMaker training toolkit
<https://github.com/aws/sagemaker-training-toolkit/blob/master/ENVIRONMENT_VARIABLES.md>`_.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import AbaloneError
from abalone_assets.external.entry import ArgumentParser, run_as_script
from abalone_assets.modeling.archive import write_archive
from abalone_assets.modeling.dataset import read_split
from abalone_assets.modeling.framework import framework_named
from abalone_assets.modeling.hyperparameters import (
    HYPERPARAMETERS,
    CommonHyperparameters,
    Framework,
)
from abalone_assets.modeling.training.train import fit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abalone_assets.external.reporting import Reporter
    from abalone_assets.modeling.card import FittedModel

logger = logging.getLogger(__name__)

METRICS_FILE: Final = "metrics.json"
PROGRAM: Final = "abalone_assets.external.train"
_DEFAULT: Final[Framework] = "xgboost"
FAILURE_FILE: Final = Path("/opt/ml/output/failure")


class TrainingEnvironmentError(AbaloneError):
    """A variable of SageMaker's training contract is missing or malformed."""


def main(
    argv: Sequence[str] | None = None,
    environ: Mapping[str, str] = os.environ,
    reporter: Reporter | None = None,
) -> None:
    """Read the channels, train, and write the archive's members and the metrics.

    Progress is logged as ``[n] train:rmse=...; validation:rmse=...``, for SageMaker's metric
    definitions to find; the last such line is of the finished model.

    Args:
        argv: Framework and hyperparameters such as ``["--framework", "blend", "--seed", "7"]``; the
            process's own when None.
        environ: Must hold ``SM_CHANNEL_TRAIN`` and ``SM_CHANNEL_VALIDATION`` (folders of
            Parquet files), ``SM_MODEL_DIR`` (gets the archive's members) and
            ``SM_OUTPUT_DATA_DIR`` (gets ``metrics.json``). ``SOURCE_DATE_EPOCH``, in seconds,
            fixes the model's time of birth.
        reporter: Is told of the model, if given.

    Raises:
        TrainingEnvironmentError: A variable is missing or malformed.
        ArgumentError: An argument is unknown or no number.
        HyperparameterError: A hyperparameter is out of range.
        DatasetError: A channel has no usable rows.
        FeatureError: A channel's values cannot be turned into features.
        AbaloneError: The framework needs what is not installed.
    """
    framework, chosen = parse(argv)
    model_folder = Path(_required(environ, "SM_MODEL_DIR"))
    output_folder = Path(_required(environ, "SM_OUTPUT_DATA_DIR"))
    created_at = _created_at(environ)
    train = read_split(_required(environ, "SM_CHANNEL_TRAIN"), "train")
    validation = read_split(_required(environ, "SM_CHANNEL_VALIDATION"), "validation")
    log_every = framework_named(framework).log_every

    def log_progress(number: int, rmse: Mapping[str, float]) -> None:
        if number % log_every == 0:
            logger.info("[%d] %s", number, _metric_line(rmse))

    model = fit(framework, train, validation, chosen, log_progress, created_at=created_at)
    card = model.card
    final = {split: values["rmse"] for split, values in card.metrics.items()}
    logger.info("[final: %d] %s", card.best_iteration + 1, _metric_line(final))
    write_archive(model, model_folder)
    output_folder.mkdir(parents=True, exist_ok=True)
    (output_folder / METRICS_FILE).write_text(_metrics(model), encoding="utf-8")
    if reporter is not None:
        reporter.report_metadata(card.headlines(), data_version=card.model_sha256)


def run() -> None:
    """Run as a process that tells Dagster, if that started it, and leaves failures' reasons."""
    from abalone_assets.external.reporting import reporting

    def reported() -> None:
        with reporting() as reporter:
            main(reporter=reporter)

    run_as_script(reported, FAILURE_FILE)


def parse(argv: Sequence[str] | None) -> tuple[Framework, CommonHyperparameters]:
    """Framework and hyperparameters from arguments, each with its own default.

    Raises:
        ArgumentError: An argument is unknown or no number, or there is no such framework.
        HyperparameterError: A hyperparameter is out of range.
    """
    which = ArgumentParser(prog=PROGRAM, add_help=False, allow_abbrev=False)
    which.add_argument(
        "--framework",
        choices=HYPERPARAMETERS,
        default=_DEFAULT,
        help="What trains (default: %(default)s); each has options of its own",
    )
    framework: Framework = which.parse_known_args(argv)[0].framework
    parser = ArgumentParser(
        prog=PROGRAM,
        description="Train a model on SM_CHANNEL_TRAIN; SM_CHANNEL_VALIDATION tells how good.",
        parents=[which],
        allow_abbrev=False,
    )
    kind = HYPERPARAMETERS[framework]
    for field in fields(kind):
        parser.add_argument(
            f"--{field.name}",
            type=type(field.default),
            default=field.default,
            help=f"{field.metadata['description']} (default: %(default)s)",
        )
    given = vars(parser.parse_args(argv))
    del given["framework"]
    return framework, kind(**given)


def _required(environ: Mapping[str, str], name: str) -> str:
    value = environ.get(name)
    if not value:
        raise TrainingEnvironmentError(f"{name} is not set: SageMaker's training contract needs it")
    return value


def _created_at(environ: Mapping[str, str]) -> str:
    epoch = environ.get("SOURCE_DATE_EPOCH")
    try:
        time = datetime.now(UTC) if epoch is None else datetime.fromtimestamp(int(epoch), UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise TrainingEnvironmentError(
            f"SOURCE_DATE_EPOCH must be whole seconds since 1970, not {epoch!r}"
        ) from error
    return time.isoformat(timespec="seconds")


def _metric_line(rmse: Mapping[str, float]) -> str:
    return "; ".join(f"{split}:rmse={value:.5f}" for split, value in rmse.items())


def _metrics(model: FittedModel) -> str:
    card = model.card
    document = {
        **card.metrics,
        "best_iteration": card.best_iteration,
        "rows": card.rows,
        "model_sha256": card.model_sha256,
        "out_of_fold": card.out_of_fold,
        "history": model.history,
    }
    return json.dumps(document, indent=1, allow_nan=False)
