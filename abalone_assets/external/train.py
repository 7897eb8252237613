"""Train a model by SageMaker's training contract: folders by environment, settings by argument.

As a process: ``python -m abalone_assets.external.train --eta 0.05``. The contract is described in
the `SageMaker training toolkit
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
from abalone_assets.modeling.archive import card_of, write_archive
from abalone_assets.modeling.dataset import read_split
from abalone_assets.modeling.train import Hyperparameters, fit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from abalone_assets.modeling.train import FittedModel

logger = logging.getLogger("abalone_assets.external.train")  # also when run as __main__

METRICS_FILE: Final = "metrics.json"
PROGRESS_INTERVAL: Final = 50
FAILURE_FILE: Final = Path("/opt/ml/output/failure")


class TrainingEnvironmentError(AbaloneError):
    """A variable of SageMaker's training contract is missing or malformed."""


def main(argv: Sequence[str] | None = None, environ: Mapping[str, str] = os.environ) -> None:
    """Read the channels, train, and write the archive's members and the metrics.

    Args:
        argv: Hyperparameters such as ``["--eta", "0.05"]``; the process's own when None.
        environ: Must hold ``SM_CHANNEL_TRAIN`` and ``SM_CHANNEL_VALIDATION`` (folders of Parquet
            files), ``SM_MODEL_DIR`` (gets the archive's members) and ``SM_OUTPUT_DATA_DIR`` (gets
            ``metrics.json``). ``SOURCE_DATE_EPOCH``, in seconds, fixes the model's time of birth.

    Raises:
        TrainingEnvironmentError: A variable is missing or malformed.
        ArgumentError: An argument is unknown or no number.
        HyperparameterError: A hyperparameter is out of range.
        DatasetError: A channel has no usable rows.
        FeatureError: A channel's values cannot be turned into features.
    """
    hyperparameters = parse_hyperparameters(argv)
    model_folder = Path(_required(environ, "SM_MODEL_DIR"))
    output_folder = Path(_required(environ, "SM_OUTPUT_DATA_DIR"))
    created_at = _created_at(environ)
    train = read_split(_required(environ, "SM_CHANNEL_TRAIN"), "train")
    validation = read_split(_required(environ, "SM_CHANNEL_VALIDATION"), "validation")

    model = fit(train, validation, hyperparameters, _log_progress)
    best = {split: values["rmse"] for split, values in model.metrics.items()}
    logger.info("[best: %d] %s", model.best_iteration + 1, _metric_line(best))
    write_archive(model, model_folder, card_of(model, created_at))
    output_folder.mkdir(parents=True, exist_ok=True)
    (output_folder / METRICS_FILE).write_text(_metrics(model), encoding="utf-8")


def parse_hyperparameters(argv: Sequence[str] | None) -> Hyperparameters:
    """Hyperparameters from arguments, each defaulting to that of `Hyperparameters`.

    Raises:
        ArgumentError: An argument is unknown or no number.
        HyperparameterError: A hyperparameter is out of range.
    """
    parser = ArgumentParser(
        prog="abalone_assets.external.train",
        description="Train a model on SM_CHANNEL_TRAIN, stopping by SM_CHANNEL_VALIDATION.",
        allow_abbrev=False,
    )
    for field in fields(Hyperparameters):
        parser.add_argument(
            f"--{field.name}",
            type=type(field.default),
            default=field.default,
            help=f"{field.metadata['description']} (default: %(default)s)",
        )
    return Hyperparameters(**vars(parser.parse_args(argv)))


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


def _log_progress(round_number: int, rmse: Mapping[str, float]) -> None:
    if round_number % PROGRESS_INTERVAL == 0:
        logger.info("[%d] %s", round_number, _metric_line(rmse))


def _metric_line(rmse: Mapping[str, float]) -> str:
    return "; ".join(f"{split}:rmse={value:.5f}" for split, value in rmse.items())


def _metrics(model: FittedModel) -> str:
    document = {
        **model.metrics,
        "best_iteration": model.best_iteration,
        "rows": model.rows,
        "model_sha256": model.sha256,
        "history": model.history,
    }
    return json.dumps(document, indent=1, allow_nan=False)


if __name__ == "__main__":
    run_as_script(main, FAILURE_FILE)
