"""What the gate does to models that learnt a wrong survey, with evidence by file and without.

Real models on the real survey: a champion learns from most of its rows, and a challenger from these
and a new file. Its rows are wrong in one of five ways that no rule for a single row can see, or are
as they were measured. Splits, models and evidence are made as a release makes them.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from abalone_assets import survey
from abalone_assets.modeling.archive import ARCHIVE_NAME, pack, read_archived, write_archive
from abalone_assets.modeling.dataset import concat, take
from abalone_assets.modeling.evaluation.champion import Champion, champion_scores
from abalone_assets.modeling.evaluation.gate import GateLimits, decide
from abalone_assets.modeling.evaluation.split_integrity import row_buckets
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.scores import rmse
from abalone_assets.modeling.training.train import fit
from abalone_assets.survey.splits import SPLIT_PERCENT, buckets_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from abalone_assets.modeling.archive import ArchivedModel
    from abalone_assets.modeling.evaluation.gate import Decision
    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.hyperparameters import Framework

    Table = dict[str, NDArray[Any]]

SHARES: Final = (0.05, 0.2)
"""Of the new file's rows among all."""
BASE_SHARE: Final = 1 - max(SHARES)
"""Of the survey's rows, what the champion learns from."""
UNTOUCHED: Final = {
    **dict.fromkeys(("misplaced", "leaked", "missing", "foreign", "near_twins"), 0),
    "surveyed": 4177,
}
_WEIGHTS: Final = [name for name in survey.MEASUREMENTS if name.endswith("weight")]


def _scaled(columns: Table, names: list[str], factor: float) -> Table:
    places = survey.MEASUREMENT_DECIMALS
    return {**columns, **{name: np.round(columns[name] * factor, places) for name in names}}


def _swapped(columns: Table) -> Table:
    shucked, shell = columns["shucked_weight"], columns["shell_weight"]
    return {**columns, "shucked_weight": shell, "shell_weight": shucked}


def _shuffled(columns: Table) -> Table:
    return {**columns, "rings": np.random.default_rng(0).permutation(columns["rings"])}


POISONS: Final[Mapping[str, Callable[[Table], Table]]] = {
    "as they were measured": lambda columns: columns,
    "weights * 0.2": lambda columns: _scaled(columns, _WEIGHTS, 0.2),
    "all measurements * 0.2": lambda columns: _scaled(columns, list(survey.MEASUREMENTS), 0.2),
    "shucked and shell weight swapped": _swapped,
    "ages for rings": lambda columns: {**columns, "rings": columns["rings"] + 2},
    "rings shuffled": _shuffled,
}


@dataclass(frozen=True)
class Trial:
    """One challenger: differences to the champion in rings, and what the gate decides.

    ``before`` is its decision without the comparison on the rows that the champion knew.
    """

    overall: float
    known: float
    before: Decision
    after: Decision


def print_poisoned(columns: Columns, repeats: int, framework: Framework) -> None:
    """Print, by kind of wrong rows and their share, how often the gate approves, and as what."""
    trials: dict[tuple[str, float], list[Trial]] = {}
    for repeat in range(repeats):
        for key, trial in _trials(columns, repeat, framework).items():
            trials.setdefault(key, []).append(trial)
    print(
        f"\nReal models, `{framework}`; n = {repeats} for each row; median differences in rings.\n"
    )
    whens = ("before", "after")
    heads = ["rows of the new file", "share", "difference", "on known files"]
    heads += [f"{what} {when}" for what in ("approved", "as better") for when in whens]
    print(f"| {' | '.join(heads)} |\n{'| --- ' * len(heads)}|")
    for (poison, share), each in trials.items():
        medians = [np.median([getattr(one, of) for one in each]) for of in ("overall", "known")]
        decisions = [[getattr(one, when) for one in each] for when in whens]
        approved = [sum(one.approved for one in made) for made in decisions]
        better = [sum(one.rule == "better_than_champion" for one in made) for made in decisions]
        numbers = [*(f"{median:+.3f}" for median in medians), *map(str, approved + better)]
        print(f"| {poison} | {share:.0%} | {' | '.join(numbers)} |")


def _trials(columns: Columns, repeat: int, framework: Framework) -> dict[tuple[str, float], Trial]:
    order = np.random.default_rng(repeat).permutation(len(columns["sex"]))
    shuffled = {name: np.asarray(values)[order] for name, values in columns.items()}
    base = int(BASE_SHARE * order.size)
    known = _named(take(shuffled, np.arange(base)), "abalone.data")
    champion = _trained(known, framework)
    found = {}
    for share in SHARES:
        rows = np.arange(base, base + round(base * share / (1 - share)))
        for poison, spoilt in POISONS.items():
            new = _named(spoilt(take(shuffled, rows[rows < order.size])), "abalone.20250814093000")
            everything = concat([known, new])
            found[poison, share] = _judged(_trained(everything, framework), champion, everything)
    return found


def _named(columns: Table, file: str) -> Table:
    return {**columns, "source_file": np.full(columns["sex"].size, file, dtype=object)}


def _splits(columns: Columns) -> list[Table]:
    """Training, validation and test split, as the rows' hashes make them."""
    buckets = row_buckets(columns)
    return [take(columns, np.isin(buckets, buckets_of(split))) for split in SPLIT_PERCENT]


def _trained(columns: Columns, framework: Framework) -> ArchivedModel:
    train, validation, _ = _splits(columns)
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / ARCHIVE_NAME
        write_archive(fit(framework, train, validation), Path(folder) / "model")
        pack(Path(folder) / "model", archive)
        return read_archived(archive)


def _judged(model: ArchivedModel, champion: ArchivedModel, columns: Columns) -> Trial:
    train, validation, test = _splits(columns)
    predicted = predict_rings(model.model, test)
    learnt = concat([train, validation])
    beside = champion_scores(model, Champion("1", champion), test, predicted, learnt)
    evaluation = {
        "rmse": rmse(predicted, test["rings"]),
        "rows": predicted.size,
        "split": UNTOUCHED,
        "trained_on_train_split": True,
        "reference": None,
    }
    untold = {name: value for name, value in beside.items() if name != "known_files"}
    paired = beside["known_files"]["paired"]
    before, after = (
        decide({**evaluation, "champion": other}, GateLimits()) for other in (untold, beside)
    )
    return Trial(
        beside["paired"]["overall"]["difference"],
        paired["overall"]["difference"] if paired else np.nan,
        before,
        after,
    )
