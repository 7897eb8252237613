"""What the numbers of an evaluation mean, in sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from abalone_assets.modeling.evaluation.gate import rows_out_of_place
from abalone_assets.survey.splits import SPLIT_PERCENT

if TYPE_CHECKING:
    from abalone_assets.modeling.evaluation.champion import ChampionScores, KnownFiles
    from abalone_assets.modeling.evaluation.document import EvaluationDocument, Examples, Synthetic
    from abalone_assets.modeling.evaluation.evaluate import Predictions
    from abalone_assets.modeling.evaluation.paired import Comparison
    from abalone_assets.modeling.evaluation.split_integrity import SplitIntegrity


FAR_OFF: Final = 1.5
"""Times the RMSE of all: worse is worth a warning."""


def headline(document: EvaluationDocument) -> str:
    """The answer in one line."""
    return f"Typically {document['mae']:.1f} years off"


def lead(document: EvaluationDocument, predictions: Predictions) -> str:
    """What the errors mean for whoever asks for an abalone's age."""
    low, high = document["confidence"]["rmse"]
    within = float(np.mean(np.abs(predictions.predicted - predictions.actual) <= document["rmse"]))
    return (
        f"On {document['rows']:,} animals that it had never seen, the age it tells is off by "
        f"{document['mae']:.1f} years on average. A ring is a year; its root mean squared error, "
        f"which big misses dominate, is {document['rmse']:.3f} rings ({low:.2f} to {high:.2f} with "
        f"95 % confidence): {100 * within:.0f} % of the animals are within ± {document['rmse']:.1f}"
        f" years. {_against_baselines(document)}"
    )


def _against_baselines(document: EvaluationDocument) -> str:
    mean, linear = document["baselines"]["mean"], document["baselines"]["linear"]
    saved = 100 * (1 - document["rmse"] / linear)
    verdict = f"{saved:.0f} % less" if saved > 0 else f"{-saved:.0f} % more"
    return (
        f"That is {verdict} than a straight line through the raw measurements ({linear:.3f}); "
        f"always naming the mean age would miss by {mean:.3f}."
    )


def of_champion(compared: Comparison, version: str, margin: float | None) -> str:
    """How a model stands against the champion."""
    low, high = compared["low"], compared["high"]
    if high < 0:
        verdict = f"It beats version {version}"
    elif low > 0:
        verdict = f"It is worse than version {version}"
    else:
        verdict = f"It cannot be told from version {version}"
    allowed = "" if margin is None else f" The gate allows the upper end {margin:+.3f}."
    return (
        f"{verdict}: on {compared['rows']:,} rows that neither had learnt, its RMSE is "
        f"{compared['rmse']:.3f} against {compared['champion_rmse']:.3f}, a difference of "
        f"{_apart(compared)}.{allowed}"
    )


def of_known_files(files: KnownFiles, version: str) -> str:
    """How a model stands on the rows that the other one knew, and on those that it did not."""
    if files["told_by"] is None:
        return (
            f" Nothing tells which survey files version {version} knew, so that no gain counts as "
            "one over it."
        )
    told = " (as its out-of-fold predictions tell)" if files["told_by"] == "out_of_fold" else ""
    new, paired = files["new"], files["paired"]
    if new is None:
        return f" Version {version} knew the survey files of all these rows{told}."
    names = ", ".join(each["value"] for each in files["new_files"])
    if paired is None:
        return f" Version {version} knew none of their survey files{told}: {names}."
    known = paired["overall"]
    return (
        f" On the {known['rows']:,} rows of survey files that version {version} knew{told}, the "
        f"difference is {_apart(known)}, and on the {new['rows']:,} others, of {names}, "
        f"{_apart(new)}: what is better there alone is no gain over it, and may mean that these "
        "files are wrong."
    )


def _apart(compared: Comparison) -> str:
    return with_minus(
        f"{compared['difference']:+.3f} rings (90 % interval {compared['low']:+.3f} to "
        f"{compared['high']:+.3f})"
    )


def of_reference(reference: ChampionScores | None) -> str:
    """How a model stands against the reference; nothing when that is the champion."""
    if reference is None:
        return ""
    compared = reference["paired"]["overall"]
    return (
        " It must hold against the last version approved as more than just as good as its champion "
        f"too: from version {reference['version']} it differs by {_apart(compared)}."
        f"{of_known_files(reference['known_files'], reference['version'])}"
    )


def of_old_animals(document: EvaluationDocument) -> str:
    """Where the model fails whom it is asked about most."""
    oldest = next(
        (each for each in document["slices"]["age_band"] if each["value"].startswith("16")), None
    )
    reason = "An old abalone hardly grows any more, so its size no longer tells its age"
    if oldest is None:
        return f"{reason}; this test split holds no animal of 16 rings or more."
    advice = "Do not rely on it there." if oldest["rmse"] > FAR_OFF * document["rmse"] else ""
    return (
        f"{reason}: for the {oldest['rows']:,} animals of 16 rings and more the RMSE is "
        f"{oldest['rmse']:.1f} rings, and it tells them {abs(oldest['bias']):.1f} years too "
        f"{'young' if oldest['bias'] < 0 else 'old'}. {advice}"
    )


def of_integrity(split: SplitIntegrity) -> str:
    """Whether the test split can be believed."""
    if rows_out_of_place(split):
        return (
            "No: rows lie where their hash does not put them, so the numbers above are not of "
            "animals that the model had never seen. Materialize merged_dataset again."
        )
    percent = SPLIT_PERCENT["test_split"]
    if split["missing"] is None or split["foreign"] is None:
        return "As far as the splits alone tell: every row is where its hash puts it."
    return (
        f"Yes: a hash of the row's own values deals {percent} % of all rows to the test split, "
        "and every row is where its hash puts it. Nobody chose them."
    )


def of_synthetic(synthetic: Synthetic | None, examples: Examples | None = None) -> str:
    """What simulated rows do to the model, and how they are kept from its judgement.

    Example rows are simulated, too, but count as surveyed: that is said first.
    """
    if examples is not None:
        return f"{_of_examples(examples)} {_of_others(synthetic)}".rstrip()
    if synthetic is None:
        return "There are none in the training and test rows: everything here is of real animals."
    return _of_others(synthetic)


def _of_examples(examples: Examples) -> str:
    trained, tested = (
        f"{'all' if some == whole else f'{some:,} of the'} {whole:,} {name} rows"
        for some, whole, name in (
            (examples["train_rows"], examples["all_train_rows"], "training"),
            (examples["test_rows"], examples["all_test_rows"], "test"),
        )
    )
    text = (
        f"{trained} and {tested} are example data that ship with the platform: simulated, too, but "
        "in the part of surveyed animals. With them the numbers above show that everything works, "
        "not how well the model tells the age of real animals."
    )
    return text[0].upper() + text[1:]


def _of_others(synthetic: Synthetic | None) -> str:
    if synthetic is None:
        return ""
    share = 100 * synthetic["weight_share"]
    return (
        f"{synthetic['train_rows']:,} simulated rows took part in the training with {share:.1f} % "
        f"of the weight. The {synthetic['test_rows']:,} in the test split judge nobody: the "
        "numbers above are of the other rows alone."
    )


def of_curve(document: EvaluationDocument) -> str:
    """What the last step of the learning curve brought."""
    points = document["learning_curve"]
    if not points:
        return "It is not drawn for a network, whose training takes too long to be repeated."
    if len(points) == 1:
        return "There are too few training rows yet for more than one point."
    *_, before, last = points
    change = with_minus(f"{last['rmse'] - before['rmse']:+.3f}")
    return (
        f"The step from {before['train_rows']:,} to {last['train_rows']:,} rows "
        f"({last['label']}) changed the RMSE by {change} rings. On few test rows such a curve is a "
        "rough one."
    )


def number(value: object) -> str:
    """A value as people read it."""
    if value is None:
        return "\N{EN DASH}"
    if isinstance(value, float):
        return with_minus(f"{value:.3f}")
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def with_minus(text: str) -> str:
    """Numbers with a minus sign as wide as a plus sign, instead of a hyphen."""
    return text.replace("-", "\N{MINUS SIGN}")
