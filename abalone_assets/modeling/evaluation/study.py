"""What an evaluation tells beside what decides: studies, each of which fits or asks models anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

from abalone_assets.modeling.dataset import is_surveyed, rows_sha256, take
from abalone_assets.modeling.evaluation.evaluate import Evaluation, predictions_on
from abalone_assets.modeling.evaluation.importance import importance
from abalone_assets.modeling.evaluation.learning_curve import learning_curve
from abalone_assets.modeling.framework import framework_named
from abalone_assets.modeling.hyperparameters import chosen_hyperparameters
from abalone_assets.modeling.models.model import predict_rings
from abalone_assets.modeling.scores import EvaluationError, rmse
from abalone_assets.modeling.training.learners import learner_of
from abalone_assets.modeling.training.weights import sample_weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from abalone_assets.modeling.archive import ArchivedModel
    from abalone_assets.modeling.evaluation.document import EvaluationDocument, Synthetic
    from abalone_assets.modeling.evaluation.evaluate import Predictions, Splits
    from abalone_assets.modeling.features import Columns
    from abalone_assets.modeling.models.model import Model

    _Refit = Callable[[Columns], Model]


def study_model(candidate: ArchivedModel, splits: Splits, judged: EvaluationDocument) -> Evaluation:
    """Add the learning curve, the account of the features, and the model without simulated rows.

    Args:
        candidate: The model.
        splits: What it was evaluated on.
        judged: What `evaluate_model` says of them.

    Raises:
        EvaluationError: That is of another model or of other rows.
    """
    predictions = predictions_on(candidate, splits.test)
    test = predictions.columns
    for name, found in (
        ("model_sha256", candidate.card.model_sha256),
        ("test_rows_sha256", rows_sha256(test)),
    ):
        if judged.get(name) != found:
            raise EvaluationError(
                f"the evaluation to complete has the {name} {judged.get(name)}, but here it is "
                f"{found}: launch the job `release`, which evaluates anew"
            )
    refit = _refit(candidate)
    threads = None if framework_named(candidate.card.framework).fits_side_by_side else 1
    document: EvaluationDocument = {
        **judged,
        "synthetic": _synthetic(judged["synthetic"], splits, refit, predictions),
        "learning_curve": (
            learning_curve(refit, splits.train, test, judged["rmse"], threads=threads)
            if refit
            else []
        ),
        **importance(candidate.model, test),
    }
    return Evaluation(document, predictions)


def _refit(candidate: ArchivedModel) -> _Refit | None:
    """The model's own recipe for other rows; None where that would take minutes."""
    card = candidate.card
    if not framework_named(card.framework).refits:
        return None
    chosen = chosen_hyperparameters(card.framework, card.hyperparameters)
    learner = learner_of(card.framework, chosen)
    return lambda columns: learner(columns, sample_weights(columns, chosen.max_synthetic_share))


def _synthetic(
    told: Synthetic | None, splits: Splits, refit: _Refit | None, predictions: Predictions
) -> Synthetic | None:
    surveyed = is_surveyed(splits.train)
    if told is None or refit is None or surveyed.all() or not surveyed.any():
        return told
    model = refit(take(splits.train, surveyed))
    without = rmse(predict_rings(model, predictions.columns), predictions.actual)
    return {**told, "rmse_trained_without": without}
