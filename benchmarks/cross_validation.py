"""Ten folds that everybody has, and what candidates make of them."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from abalone_assets.ingest.base_survey import fetch_base_survey
from abalone_assets.modeling.dataset import take, target
from abalone_assets.modeling.features import HEIGHT_PER_DIAMETER, Columns
from abalone_assets.modeling.scores import rmse
from abalone_assets.settings.platform import load_settings
from abalone_assets.survey import FEATURES, TARGET, parse_survey

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

Predict = Callable[[Columns], NDArray[np.float64]]
Fit = Callable[[Columns], Predict]
"""Learns from training rows; what it returns predicts rings for rows."""

FOLDS: Final = 10
_HEIGHT: Final = FEATURES.index("height")
_DIAMETER: Final = FEATURES.index("diameter")


def survey_columns(path: Path | None = None, *, impute_heights: bool = False) -> Columns:
    """The valid rows of a survey, by column; by default of the platform's base survey.

    Args:
        path: A survey file.
        impute_heights: Give a height of 0, which the contract refuses, the one that the diameter
            suggests, so that these rows count.
    """
    if path is None:
        settings = load_settings()
        source = fetch_base_survey(
            settings.raw_uri, sha256=settings.raw_sha256, fallback=settings.raw_fallback
        )
        data, name = source.data, source.name
    else:
        data, name = path.read_bytes(), path.name
    survey = parse_survey(_with_heights(data) if impute_heights else data, name)
    print(f"{name}: {survey.row_count} rows, {len(survey.quarantined)} refused by the contract")
    return {column: np.asarray(survey.columns[column]) for column in (*FEATURES, TARGET)}


def _with_heights(data: bytes) -> bytes:
    lines = [line.split(",") for line in data.decode().splitlines()]
    for fields in lines:
        if float(fields[_HEIGHT]) == 0:
            fields[_HEIGHT] = f"{HEIGHT_PER_DIAMETER * float(fields[_DIAMETER]):.4f}"
    return "\n".join(",".join(fields) for fields in lines).encode() + b"\n"


def kfold(rows: int, folds: int = FOLDS, seed: int = 0) -> list[NDArray[np.int64]]:
    """The test rows of each fold, as scikit-learn's ``KFold(folds, shuffle=True)`` has them."""
    order = np.arange(rows)
    np.random.RandomState(seed).shuffle(order)
    return [np.sort(part) for part in np.array_split(order, folds)]


@dataclass(frozen=True)
class FoldScore:
    """A candidate on one fold: rows and RMSE in rings of its test rows, seconds of its fit."""

    candidate: str
    fold: int
    rows: int
    rmse: float
    seconds: float


def cross_validate(name: str, fit: Fit, columns: Columns) -> Iterator[FoldScore]:
    """Fit and score one fold after the other."""
    rows = len(target(columns))
    for number, tested in enumerate(kfold(rows), start=1):
        learnt = np.setdiff1d(np.arange(rows), tested)
        started = time.perf_counter()
        predict = fit(take(columns, learnt))
        seconds = time.perf_counter() - started
        held_out = take(columns, tested)
        score = rmse(predict(held_out), target(held_out))
        yield FoldScore(name, number, tested.size, score, seconds)


class ScoreLog:
    """Scores as JSON lines, so that a table can be made of several runs.

    Args:
        path: The file, or None to keep scores in memory only.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        lines = path.read_text().splitlines() if path and path.exists() else []
        self.scores = [FoldScore(**json.loads(line)) for line in lines]

    def complete(self, name: str, fit: Fit, columns: Columns) -> None:
        """Score a candidate on all folds, unless it has been."""
        if len(self.of(name)) == FOLDS:
            return
        self.forget(name)
        for score in cross_validate(name, fit, columns):
            self.add(score)

    def of(self, name: str) -> list[FoldScore]:
        """The scores of a candidate, by fold."""
        own = (score for score in self.scores if score.candidate == name)
        return sorted(own, key=lambda score: score.fold)

    def forget(self, name: str) -> None:
        """Drop the scores of a candidate."""
        self.scores = [score for score in self.scores if score.candidate != name]

    def add(self, score: FoldScore) -> None:
        """Keep a score and print it."""
        self.scores.append(score)
        print(_line(score), flush=True)
        if self._path:
            self._path.write_text("".join(f"{_line(each)}\n" for each in self.scores))


def _line(score: FoldScore) -> str:
    return json.dumps(asdict(score))


def table(scores: Sequence[FoldScore], labels: Mapping[str, str], reference: str) -> str:
    """The candidates in Markdown, each beside the reference on the same folds.

    The mean and standard deviation are over folds; the pooled RMSE is over all rows at once; the
    difference is the mean over folds, with its standard error.
    """
    by_name = {
        name: sorted((s for s in scores if s.candidate == name), key=lambda s: s.fold)
        for name in labels
    }
    base = np.asarray([score.rmse for score in by_name[reference]])
    lines = [
        f"| | RMSE, mean ± sd of folds | pooled | difference to {reference} ± se | fit s |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, label in labels.items():
        folds = by_name[name]
        if len(folds) != FOLDS:
            continue
        each = np.asarray([score.rmse for score in folds])
        weights = [score.rows for score in folds]
        pooled = np.sqrt(np.average(each**2, weights=weights))
        seconds = float(np.median([score.seconds for score in folds]))
        gap = "" if name == reference or len(base) != FOLDS else _gap(each - base)
        lines.append(
            f"| {label} | {each.mean():.4f} ± {each.std(ddof=1):.3f} | {pooled:.4f} | {gap} | "
            f"{_shown(seconds)} |"
        )
    return "\n".join(lines)


def _shown(seconds: float) -> str:
    if seconds < 0.01:
        return "< 0.01"
    return f"{seconds:.0f}" if seconds >= 10 else f"{seconds:.2g}"


def _gap(differences: NDArray[np.float64]) -> str:
    error = differences.std(ddof=1) / np.sqrt(differences.size)
    return f"{differences.mean():+.4f} ± {error:.4f}"
