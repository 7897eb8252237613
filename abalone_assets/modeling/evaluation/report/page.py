"""The report's parts, in the order in which one asks."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING, Final

import numpy as np

from abalone_assets.modeling.evaluation.report import charts, words
from abalone_assets.modeling.evaluation.report.markup import (
    Tile,
    facts,
    figure,
    grid,
    section,
    table,
    tiles,
    with_minus,
)
from abalone_assets.modeling.evaluation.report.template import PAGE, STYLE
from abalone_assets.modeling.features import design_matrix

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from abalone_assets.modeling.archived import ArchivedModel
    from abalone_assets.modeling.evaluation.document import EvaluationDocument
    from abalone_assets.modeling.evaluation.evaluate import Evaluation, Predictions
    from abalone_assets.modeling.evaluation.paired import Comparison
    from abalone_assets.modeling.models.model import Model

TOP_FEATURES: Final = 8
MOST_EXPLAINED: Final = 1000
"""Rows whose predictions are explained; they come in the order of their hash, so any will do."""

_METHOD: Final = (
    "Scores are of the surveyed rows of the test split. Intervals of scores are percentiles of "
    "2,000 bootstrap resamples of the rows (95 %); differences to the champion are resampled in "
    "pairs (90 %). Age in years is rings plus 1.5."
)


def render_report(
    evaluation: Evaluation, candidate: ArchivedModel, *, champion_tolerance: float | None = None
) -> str:
    """The report as one HTML file without references to anything else.

    Args:
        evaluation: What to report.
        candidate: The model that was evaluated.
        champion_tolerance: How much worse than the champion the gate allows, as a share of the
            champion's RMSE; drawn when it is known.
    """
    document = evaluation.document
    parts = [
        _tiles(document),
        _champion(document, champion_tolerance),
        _errors(document, evaluation.predictions),
        _certainty(document),
        _features(document, candidate.model, evaluation.predictions),
        _learning(document),
        _synthetic(document),
        _integrity(document),
        _card(document, candidate),
    ]
    card = candidate.card
    return PAGE.substitute(
        title=html.escape(f"Abalone rings: model {card.model_sha256[:12]}"),
        style=STYLE,
        over=html.escape(
            f"Abalone rings · {card.framework} model {card.model_sha256[:12]} · "
            f"{card.created_at[:16].replace('T', ' ')} UTC"
        ),
        headline=html.escape(words.headline(document)),
        lead=html.escape(words.lead(document, evaluation.predictions)),
        body="".join(parts),
        footer=html.escape(_METHOD),
    )


def _tiles(document: EvaluationDocument) -> str:
    level = document["confidence"]

    def between(ends: tuple[float, float] | None, scale: float = 1.0) -> str:
        if ends is None:
            return "no interval"
        low, high = (scale * end for end in ends)
        return f"{low:.0f} to {high:.0f}" if scale > 1 else f"{low:.2f} to {high:.2f}"

    shown = [
        Tile("RMSE", f"{document['rmse']:.2f}", f"rings, {between(level['rmse'])}"),
        Tile("MAE", f"{document['mae']:.2f}", f"rings on average, {between(level['mae'])}"),
    ]
    if document["r2"] is not None:
        note = f"of the variance, {between(level['r2'], 100)} %"
        shown.append(Tile("Explained", f"{100 * document['r2']:.0f} %", note))
    interval = document["prediction_interval"]
    if interval is not None:
        near = _holds(level["coverage"], interval["wanted"])
        note = f"wanted {100 * interval['wanted']:.0f} %, {between(level['coverage'], 100)} %"
        value = f"{100 * interval['coverage']:.0f} %"
        shown.append(Tile("In their interval", value, note, "good" if near else "bad"))
    out_of_fold = document["out_of_fold"]
    if out_of_fold is not None:
        note = f"RMSE on {out_of_fold['rows']:,} rows, {out_of_fold['folds']} folds"
        shown.append(Tile("Out of fold", f"{out_of_fold['rmse']:.2f}", note))
    if document["champion"] is not None:
        compared = document["champion"]["paired"]["overall"]
        mood = "good" if compared["high"] < 0 else "bad" if compared["low"] > 0 else ""
        value = with_minus(f"{compared['difference']:+.3f}")
        shown.append(Tile(f"Against version {document['champion']['version']}", value,
                          "rings of RMSE; below 0 is better", mood))  # fmt: skip
    return tiles(shown)


def _holds(ends: tuple[float, float] | None, wanted: float) -> bool:
    return ends is not None and ends[0] <= wanted <= ends[1]


def _champion(document: EvaluationDocument, tolerance: float | None) -> str:
    champion = document["champion"]
    if champion is None:
        return section(
            "Against the champion",
            "There is no champion yet: nothing is deployed.",
            grid(_beside_baselines(document)),
        )
    paired = champion["paired"]
    margin = None if tolerance is None else tolerance * paired["overall"]["champion_rmse"]
    everyone: Comparison = {**paired["overall"], "value": "all rows"}
    tested: Comparison = {**paired["test"], "value": "test rows alone"}
    slices = [*paired["slices"]["sex"], *paired["slices"]["age_band"]]
    compared = [everyone, *_beside_reference(document), tested, *slices]
    columns = ["rows of", "rows", "RMSE", "the other's", "difference", "low", "high"]
    rows = [
        [charts.named(each["value"]), each["rows"], each["rmse"], each["champion_rmse"],
         each["difference"], each["low"], each["high"]]
        for each in compared
    ]  # fmt: skip
    return section(
        "Against the champion",
        words.of_champion(paired["overall"], champion["version"], margin)
        + words.of_reference(document["reference"]),
        grid(
            figure(
                "Difference of the RMSE, paired by row",
                charts.forest(compared, margin),
                "Left of the line the model is better. Bars are 90 % intervals of a paired "
                "bootstrap; green is surely better, red surely worse. Rows it learnt count by "
                "predictions of models that had not seen them.",
            ),
            _beside_baselines(document),
        ),
        table(columns, rows),
    )


def _beside_reference(document: EvaluationDocument) -> list[Comparison]:
    reference = document["reference"]
    if reference is None:
        return []
    return [{**reference["paired"]["overall"], "value": f"against version {reference['version']}"}]


def _beside_baselines(document: EvaluationDocument) -> str:
    bars, champion = document["baselines"], document["champion"]
    scores = {"mean": bars["mean"], "straight line": bars["linear"]}
    if champion is not None:
        scores[f"champion, version {champion['version']}"] = champion["rmse"]
    scores["this model"] = document["rmse"]
    return figure(
        "Beside naive predictions",
        charts.against_baselines(scores, document["confidence"]["rmse"]),
        "On the test rows; shorter is better. The line on the last bar is its 95 % interval, as "
        "wide as few rows make it.",
    )


def _errors(document: EvaluationDocument, predictions: Predictions) -> str:
    slices = [*document["slices"]["sex"], *document["slices"]["age_band"]]
    columns = ["rows of", "rows", "RMSE", "low", "high", "MAE", "bias"]
    rows = [
        [charts.named(each["value"]), each["rows"], each["rmse"], each["rmse_low"],
         each["rmse_high"], each["mae"], each["bias"]]
        for each in slices
    ]  # fmt: skip
    return section(
        "Where it is right, and where not",
        words.of_old_animals(document),
        grid(
            figure(
                "Predicted and counted rings",
                charts.predicted_and_counted(predictions),
                "One point an animal; on the line the model is right.",
            ),
            figure(
                "Errors",
                charts.residuals(predictions),
                "Above the line it says too old, below it too young.",
            ),
            figure(
                "Does it mean what it says?",
                charts.calibration(predictions),
                "Animals in ten equal groups by prediction, with 95 % intervals of their mean: on "
                "the line, what it says is right on average.",
            ),
            figure(
                "By sex and by age",
                charts.error_by_slice(slices),
                "Error with its 95 % interval, and bias: left of the line, too young. Slicing by "
                "the counted age itself makes any model look too old for the young and too young "
                "for the old.",
            ),
        ),
        table(columns, rows),
    )


def _certainty(document: EvaluationDocument) -> str:
    title = "How sure it is"
    interval = document["prediction_interval"]
    if interval is None:
        return section(title, "This model answers without prediction intervals.")
    slices = [*document["slices"]["sex"], *document["slices"]["age_band"]]
    wanted = 100 * interval["wanted"]
    sentence = (
        f"Each answer comes with an interval that is to hold the counted rings of {wanted:.0f} % "
        f"of the animals: here it held {100 * interval['coverage']:.1f} %, at a mean width of "
        f"{interval['mean_width']:.1f} rings."
    )
    losses = {f"pinball loss at {level}": loss for level, loss in interval["pinball"].items()}
    return section(
        title,
        sentence,
        grid(
            figure(
                "Animals within their interval",
                charts.coverage(slices, interval["wanted"]),
                f"Dashed: the {wanted:.0f} % that were promised, over all and for each sex. "
                "Nothing is promised by age, which is what is asked for; red is off beyond chance.",
            ),
            facts({"mean width, rings": interval["mean_width"], **losses}),
        ),
    )


def _features(document: EvaluationDocument, model: Model, predictions: Predictions) -> str:
    title = "What it looks at"
    explained = _contributions(model, predictions)
    if explained is None:
        best = dict(list(document["feature_importance"].items())[:TOP_FEATURES])
        measure = document["importance_measure"]
        chart = charts.bars(best, measure, "importance")
        return section(
            title,
            "How much worse it gets when one column is shuffled among the animals.",
            grid(figure("Importance of each column", chart, f"By {measure}.")),
        )
    share = {
        name: 100 * float(np.expm1(np.abs(effect).mean()))
        for name, (effect, _) in explained.items()
    }
    return section(
        title,
        "SHAP values split each prediction into what each feature adds to it (Lundberg and Lee, "
        "2017); of a blend they explain its boosted trees.",
        grid(
            figure(
                "How far a feature moves a prediction",
                charts.bars(share, "mean change of the prediction, %", "shap"),
                "Mean over the test rows, up or down.",
            ),
            figure(
                "In which direction",
                charts.swarm(explained),
                "One point an animal: right of the line the feature makes it older. Blue has a "
                "small value of the feature, orange a large one.",
            ),
        ),
    )


def _contributions(
    model: Model, predictions: Predictions
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] | None:
    """Effect in ln(rings) and value of the features that matter most, for each animal."""
    matrix = design_matrix(predictions.columns, model.features)[:MOST_EXPLAINED]
    effects = model.contributions(matrix)
    if effects is None:
        return None
    ranked = np.argsort(-np.abs(effects[:, :-1]).mean(axis=0), kind="stable")[:TOP_FEATURES]
    return {
        model.features[each]: (
            np.asarray(effects[:, each], dtype=np.float64),
            np.asarray(matrix[:, each], dtype=np.float64),
        )
        for each in ranked
    }


def _learning(document: EvaluationDocument) -> str:
    points = document["learning_curve"]
    title, sentence = "What more surveys bring", words.of_curve(document)
    if not points:
        return section(title, sentence)
    steps = [[point["label"], point["train_rows"], point["rmse"]] for point in points]
    curve = figure(
        "Learning curve",
        charts.learning_curve(points, document["baselines"]["linear"]),
        "The same recipe on the base survey's quarters, then on every survey up to a certain one.",
    )
    return section(
        title, sentence, grid(curve, table(["learnt up to", "training rows", "RMSE"], steps))
    )


def _synthetic(document: EvaluationDocument) -> str:
    synthetic = document["synthetic"]
    shown = ""
    if synthetic is not None:
        rows: list[list[object]] = [
            ["real test rows, trained with simulated rows", document["rmse"]],
            ["real test rows, trained without", synthetic["rmse_trained_without"]],
            ["simulated test rows", synthetic["rmse_synthetic_rows"]],
            ["all test rows, as a careless report would have it", synthetic["rmse_all_rows"]],
        ]
        shown = table(["scored on", "RMSE"], rows)
    return section("Simulated rows", words.of_synthetic(synthetic), shown)


def _integrity(document: EvaluationDocument) -> str:
    split = document["split"]
    return section(
        "Can the test be believed?",
        words.of_integrity(split),
        facts(
            {
                "test rows that belong elsewhere": split["misplaced"],
                "test rows that leaked into training": split["leaked"],
                "test rows that are missing": _if_counted(split["missing"]),
                "test rows that merged_dataset does not have": _if_counted(split["foreign"]),
                "surveyed rows one instrument step from another": split["near_twins"],
                "the model learnt the training split": (
                    "yes" if document["trained_on_train_split"] else "no, other rows"
                ),
                "SHA-256 of the test rows": document["test_rows_sha256"],
            }
        ),
    )


def _if_counted(rows: int | None) -> int | str:
    return "not counted" if rows is None else rows


def _card(document: EvaluationDocument, candidate: ArchivedModel) -> str:
    card = candidate.card
    about = {
        "framework": card.framework,
        "objective": card.objective,
        "trained at": card.created_at,
        **{f"rows of {name}": rows for name, rows in card.rows.items()},
        "SHA-256 of the model": document["model_sha256"],
        "SHA-256 of the training rows": card.training_rows_sha256,
    }
    return section(
        "The model",
        "From its card, as it lies in the archive.",
        grid(
            facts(about),
            facts({name: _plain(value) for name, value in card.hyperparameters.items()}),
            facts(card.versions),
        ),
    )


def _plain(value: object) -> object:
    return f"{value:g}" if isinstance(value, float) else value
