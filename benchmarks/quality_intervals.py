"""How sure the shipped model is: its intervals over ten folds, and the numbers of a release."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from abalone_assets import survey
from abalone_assets.modeling.archive import pack, read_archived, write_archive
from abalone_assets.modeling.dataset import row_keys, take, target
from abalone_assets.modeling.evaluation.evaluate import Splits, evaluate_model
from abalone_assets.modeling.evaluation.split_integrity import row_buckets
from abalone_assets.modeling.models.intervals import COVERAGE, Intervals
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.training.learners import learner_of
from abalone_assets.modeling.training.train import fit
from abalone_assets.survey.splits import SPLIT_PERCENT, buckets_of
from benchmarks.cross_validation import kfold

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abalone_assets.modeling.evaluation.document import EvaluationDocument
    from abalone_assets.modeling.features import Columns

CALIBRATION: Final = SPLIT_PERCENT["validation_split"]
LEARNT: Final = SPLIT_PERCENT["train_split"]


def coverage(columns: Columns) -> None:
    """Share of the animals of each fold whose rings lie in their intervals.

    In every fold 15/95 of the training part, chosen by the rows' keys, calibrate what the other
    80/95 have taught: the proportions of a release.
    """
    held = np.zeros(len(target(columns)), dtype=bool)
    width = np.zeros(held.size)
    by_fold = []
    for tested in kfold(held.size):
        rest = take(columns, np.setdiff1d(np.arange(held.size), tested))
        rows = take(columns, tested)
        low, high = _intervals(rest, rows)
        held[tested] = (low <= target(rows)) & (target(rows) <= high)
        width[tested] = high - low
        by_fold.append(held[tested].mean())
    sex = np.asarray(columns["sex"], dtype=str)
    groups = {"all": np.ones(held.size, dtype=bool)} | {each: sex == each for each in survey.SEXES}
    print(f"intervals that shall hold {COVERAGE:.0%}")
    print("| | rows | coverage | mean width, rings |\n| --- | --- | --- | --- |")
    for name, group in groups.items():
        print(f"| {name} | {group.sum()} | {held[group].mean():.1%} | {width[group].mean():.2f} |")
    print(f"\nfolds: {min(by_fold):.1%} to {max(by_fold):.1%}")


def _intervals(rest: Columns, rows: Columns) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    calibrating = row_keys(rest) % np.uint64(LEARNT + CALIBRATION) < CALIBRATION
    learnt, kept = take(rest, ~calibrating), take(rest, calibrating)
    model = learner_of("blend", {})(learnt, np.ones(len(target(learnt))))
    intervals = Intervals.calibrate(predict_rings(model, kept), kept)
    if intervals is None:
        raise SystemExit("too few rows to calibrate intervals: give a larger survey")
    return intervals.around(predict_rings(model, rows), rows["sex"])


def platform_split(columns: Columns) -> None:
    """The default as a release trains and evaluates it, on the platform's own splits."""
    buckets = row_buckets(columns)
    train, validation, test = (
        take(columns, np.isin(buckets, buckets_of(split))) for split in SPLIT_PERCENT
    )
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        model = fit("blend", train, validation)
        write_archive(model, folder / "model")
        pack(folder / "model", folder / "model.tar.gz")
        archived = read_archived(folder / "model.tar.gz")
    _print(evaluate_model(archived, Splits(train, validation, test)).document)


def _print(document: EvaluationDocument) -> None:
    sure, intervals = document["confidence"], document["prediction_interval"]
    shown = [
        ("RMSE", document["rmse"], sure["rmse"]),
        ("MAE", document["mae"], sure["mae"]),
        ("R²", document["r2"], sure["r2"]),
        ("coverage of the intervals", intervals and intervals["coverage"], sure["coverage"]),
    ]
    for each in document["slices"]["sex"]:
        interval = (each["rmse_low"], each["rmse_high"])
        shown.append((f"RMSE of {each['value']}, {each['rows']} rows", each["rmse"], interval))
    print(f"| {document['rows']} rows of the test split | | 95 % interval |\n| --- | --- | --- |")
    for name, value, ends in shown:
        if value is not None and ends is not None:
            print(f"| {name} | {value:.3f} | {ends[0]:.3f} to {ends[1]:.3f} |")
    bars = document["baselines"]
    print(f"| RMSE of the mean, of a straight line | {bars['mean']:.3f}, {bars['linear']:.3f} | |")
    if rest := document["out_of_fold"]:
        print(f"\nout of fold, {rest['rows']} other rows: RMSE {rest['rmse']:.3f}")
