"""The report's numbers, as its template ``report.html.jinja`` asks for them."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from abalone_assets.modeling.evaluation.report import charts, words
from abalone_assets.modeling.evaluation.report.canvas import stand_alone
from abalone_assets.modeling.features import design_matrix

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy.typing import NDArray

    from abalone_assets.modeling.archive import ArchivedModel
    from abalone_assets.modeling.evaluation.champion import ChampionScores
    from abalone_assets.modeling.evaluation.document import EvaluationDocument
    from abalone_assets.modeling.evaluation.evaluate import Evaluation, Predictions
    from abalone_assets.modeling.evaluation.paired import Comparison
    from abalone_assets.modeling.models.model import Model

    _Effects = dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]

TEMPLATE: Final = "report.html.jinja"
SHAP_MEASURE: Final = "mean change of the prediction, %"
TOP_FEATURES: Final = 8
MOST_EXPLAINED: Final = 1000
"""Rows whose predictions are explained; they come in the order of their hash, so any will do."""


class Report(NamedTuple):
    """A report, drawn.

    Attributes:
        page: One HTML file without references to anything else.
        pictures: Those of its charts that say most, by name: each an SVG file of its own.
    """

    page: str
    pictures: dict[str, str]


def render_report(
    evaluation: Evaluation, candidate: ArchivedModel, *, champion_tolerance: float | None = None
) -> Report:
    """The report on an evaluation.

    Args:
        evaluation: What to report.
        candidate: The model that was evaluated.
        champion_tolerance: How much worse than the champion the gate allows, as a share of the
            champion's RMSE; drawn when it is known.
    """
    from jinja2 import Environment, StrictUndefined

    pages = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    pages.filters |= {"number": words.number, "cells": _cells}
    document, predictions, card = evaluation.document, evaluation.predictions, candidate.card
    explained = _contributions(candidate.model, predictions)
    # A template in a zip application is no file of its own, but a resource it is.
    template = pages.from_string(files(__package__).joinpath(TEMPLATE).read_text("utf-8"))
    importance = _importance(document, explained)
    measure = document["importance_measure"] if explained is None else SHAP_MEASURE
    drawn = {
        "predicted_against_actual": charts.predicted_and_counted(predictions),
        "residuals": charts.residuals(predictions),
        "feature_importance": charts.bars(importance, measure, "importance"),
    }
    page = template.render(
        charts=charts,
        drawn=drawn,
        words=words,
        document=document,
        predictions=predictions,
        card=card,
        tiles=_tiles(document),
        compared=_compared(document),
        new_files=_new_files(document),
        margin=_margin(document, champion_tolerance),
        baselines=_baselines(document),
        slices=[*document["slices"]["sex"], *document["slices"]["age_band"]],
        widths=_widths(document),
        explained=explained,
        about={
            "framework": card.framework,
            "objective": card.objective,
            "trained at": card.created_at,
            **{f"rows of {name}": rows for name, rows in card.rows.items()},
            "SHA-256 of the model": document["model_sha256"],
            "SHA-256 of the training rows": card.training_rows_sha256,
        },
        hyperparameters={
            name: f"{value:g}" if isinstance(value, float) else value
            for name, value in card.hyperparameters.items()
        },
    )
    return Report(page, {name: stand_alone(chart) for name, chart in drawn.items()})


def _cells(records: Iterable[Mapping[str, Any]], *names: str) -> list[list[Any]]:
    """The rows of a table, the first cell as people call it."""
    return [[charts.named(each[names[0]]), *(each[name] for name in names[1:])] for each in records]


class _Tile(NamedTuple):
    """One number that one sees first, and what to hold it against.

    ``mood`` is ``good``, ``bad`` or nothing.
    """

    what: str
    value: str
    note: str
    mood: str = ""


def _tiles(document: EvaluationDocument) -> list[_Tile]:
    level = document["confidence"]

    def between(ends: tuple[float, float] | None, scale: float = 1.0) -> str:
        if ends is None:
            return "no interval"
        low, high = (scale * end for end in ends)
        return f"{low:.0f} to {high:.0f}" if scale > 1 else f"{low:.2f} to {high:.2f}"

    shown = [
        _Tile("RMSE", f"{document['rmse']:.3f}", f"rings, {between(level['rmse'])}"),
        _Tile("MAE", f"{document['mae']:.2f}", f"rings on average, {between(level['mae'])}"),
    ]
    if document["r2"] is not None:
        note = f"of the variance, {between(level['r2'], 100)} %"
        shown.append(_Tile("Explained", f"{100 * document['r2']:.0f} %", note))
    interval = document["prediction_interval"]
    if interval is not None:
        near = _holds(level["coverage"], interval["wanted"])
        note = f"wanted {100 * interval['wanted']:.0f} %, {between(level['coverage'], 100)} %"
        value = f"{100 * interval['coverage']:.0f} %"
        shown.append(_Tile("In their interval", value, note, "good" if near else "bad"))
    out_of_fold = document["out_of_fold"]
    if out_of_fold is not None:
        note = f"RMSE on {out_of_fold['rows']:,} rows, {out_of_fold['folds']} folds"
        shown.append(_Tile("Out of fold", f"{out_of_fold['rmse']:.3f}", note))
    if document["champion"] is not None:
        compared = document["champion"]["paired"]["overall"]
        mood = "good" if compared["high"] < 0 else "bad" if compared["low"] > 0 else ""
        value = words.with_minus(f"{compared['difference']:+.3f}")
        shown.append(_Tile(f"Against version {document['champion']['version']}", value,
                          "rings of RMSE; below 0 is better", mood))  # fmt: skip
    return shown


def _holds(ends: tuple[float, float] | None, wanted: float) -> bool:
    return ends is not None and ends[0] <= wanted <= ends[1]


def _compared(document: EvaluationDocument) -> list[Comparison]:
    """Beside the champion and the reference on all rows and on known ones; then on parts."""
    champion, reference = document["champion"], document["reference"]
    if champion is None:
        return []
    paired = champion["paired"]
    compared: list[Comparison] = [{**paired["overall"], "value": "all rows"}]
    compared += _on_known_files(champion, "known files")
    if reference is not None:
        version = f"version {reference['version']}"
        compared.append({**reference["paired"]["overall"], "value": version})
        compared += _on_known_files(reference, "known to it")
    compared.append({**paired["test"], "value": "test rows alone"})
    return [*compared, *paired["slices"]["sex"], *paired["slices"]["age_band"]]


def _on_known_files(other: ChampionScores, value: str) -> list[Comparison]:
    """On the rows of files that the other model knew, where these are not all."""
    files = other["known_files"]
    if files["new"] is None or files["paired"] is None:
        return []
    return [{**files["paired"]["overall"], "value": value}]


def _new_files(document: EvaluationDocument) -> list[Comparison]:
    """Beside the champion, on the rows of files that it did not know."""
    champion = document["champion"]
    new = champion and champion["known_files"]["new"]
    if champion is None or not new:
        return []
    return [{**new, "value": "all new files"}, *champion["known_files"]["new_files"]]


def _margin(document: EvaluationDocument, tolerance: float | None) -> float | None:
    champion = document["champion"]
    if champion is None or tolerance is None:
        return None
    return tolerance * champion["paired"]["overall"]["champion_rmse"]


def _baselines(document: EvaluationDocument) -> dict[str, float]:
    """RMSE of what the model is drawn beside, and its own."""
    bars, champion = document["baselines"], document["champion"]
    scores = {"mean": bars["mean"], "straight line": bars["linear"]}
    if champion is not None:
        scores[f"champion, version {champion['version']}"] = champion["rmse"]
    return {**scores, "this model": document["rmse"]}


def _widths(document: EvaluationDocument) -> dict[str, float]:
    interval = document["prediction_interval"]
    if interval is None:
        return {}
    losses = {f"pinball loss at {level}": loss for level, loss in interval["pinball"].items()}
    return {"mean width, rings": interval["mean_width"], **losses}


def _importance(document: EvaluationDocument, explained: _Effects | None) -> dict[str, float]:
    """The features that matter most: how far they move a prediction in %, or by the document."""
    if explained is None:
        return dict(list(document["feature_importance"].items())[:TOP_FEATURES])
    return {
        name: 100 * float(np.expm1(np.abs(effect).mean()))
        for name, (effect, _) in explained.items()
    }


def _contributions(model: Model, predictions: Predictions) -> _Effects | None:
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
