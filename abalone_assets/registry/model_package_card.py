"""The model card that SageMaker shows with a model package.

The schema is that of the card within a package, a part of that of cards on their own:
https://docs.aws.amazon.com/sagemaker/latest/dg/model-registry-details.html#model-card-schema
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.registry.provenance import known_provenance

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sagemaker.core.shapes.model_card_shapes import MetricGroupsItem, ModelCardContent

    from abalone_assets.registry.notes import ReleaseNotes
    from abalone_assets.registry.versions import ModelVersion

CREATOR: Final = "abalone-assets, by Dagster"
PURPOSE: Final = (
    "Predicts the rings of an abalone, and so its age, from its sex, its size and its weights, "
    "which can be measured without cutting and staining its shell."
)
INTENDED_USES: Final = (
    "Estimates for animals whose measurements keep to the survey contract, in its units. Not for "
    "other species, and not the only ground of a decision about one animal."
)
FACTORS: Final = (
    "Old animals are rare in the surveys and grow little, so their rings are underestimated. A "
    "survey in another unit is held back before it is learnt from."
)
CAVEATS: Final = (
    "Each answer comes with a prediction interval of 90 %; of two animals in ten it is wrong by "
    "more than some three rings."
)
_GROUPS: Final = {"sex": "errors by sex", "age_band": "errors by age band"}
_HEADLINES: Final = ("rmse", "mae", "r2", "bias", "baseline_rmse", "rows")
_MAX_OBSERVATION: Final = 1024
_MAX_VALUE: Final = 255


def card_content(version: ModelVersion, notes: ReleaseNotes, archive_uri: str) -> str:
    """The card of a version, as JSON.

    Raises:
        ImportError: sagemaker-core is missing.
        ValueError: A text is longer than SageMaker takes.
    """
    from sagemaker.core.shapes import model_card_shapes as shapes

    provenance = known_provenance(version)
    details = {
        **(provenance.facts() if provenance else {}),
        **notes.details(),
        "release_digest": version.release_digest,
        "version": str(version.version),
        "rule": str(version.decision.get("rule", "")),
        "gate": str(version.decision.get("reason", "")),
        **_decision(version),
    }
    card: ModelCardContent = shapes.ModelCardContent(
        model_overview=shapes.ModelOverview(model_creator=CREATOR, model_artifact=[archive_uri]),
        intended_uses=shapes.IntendedUses(
            purpose_of_model=PURPOSE,
            intended_uses=INTENDED_USES,
            factors_affecting_model_efficiency=FACTORS,
            risk_rating=shapes.RiskRating.LOW,
        ),
        training_details=shapes.TrainingDetails(
            training_observations=_observation(notes, version)[:_MAX_OBSERVATION],
            training_job_details=shapes.TrainingJobDetails(
                training_datasets=[notes.data_uri],
                user_provided_hyper_parameters=[
                    shapes.TrainingHyperParameter(name=name, value=str(value)[:_MAX_VALUE])
                    for name, value in (provenance.hyperparameters if provenance else {}).items()
                ],
            ),
        ),
        evaluation_details=[
            shapes.EvaluationDetailsItem(
                name="surveyed rows of the test split",
                evaluation_observation=str(version.decision.get("reason", ""))[:_MAX_OBSERVATION],
                metric_groups=list(_metric_groups(version.evaluation)),
            )
        ],
        additional_information=shapes.AdditionalInformation(
            caveats_and_recommendations=CAVEATS, custom_details=details
        ),
    )
    return str(card.model_dump_json(exclude_none=True))


def card_with_decision(content: str, version: ModelVersion) -> str:
    """A card that says a later decision on its version.

    Raises:
        ValueError: It is not the JSON of a card of ours.
    """
    card = json.loads(content)
    try:
        card["additional_information"]["custom_details"] |= _decision(version)
    except (KeyError, TypeError) as error:
        raise ValueError("the model card is not this project's") from error
    return json.dumps(card, separators=(",", ":"), ensure_ascii=False)


def card_status(version: ModelVersion) -> str:
    """The card's status: reviewed by whoever had the last word, or waiting for a person."""
    return "Approved" if version.approved else "PendingReview"


def _decision(version: ModelVersion) -> dict[str, str]:
    return {"approval": version.status, "approval_reason": version.reason}


def _observation(notes: ReleaseNotes, version: ModelVersion) -> str:
    days = ""
    if notes.days is not None:
        days = f" {notes.rows} rows of the base survey and {notes.days} survey days"
        days += f", {notes.first_day} to {notes.last_day}." if notes.days else "."
    return f"Release {version.release_digest} of Dagster run {notes.run_id}.{days}"


def _metric_groups(evaluation: Mapping[str, Any]) -> Iterator[MetricGroupsItem]:
    from sagemaker.core.shapes import model_card_shapes as shapes

    headlines = {name: evaluation.get(name) for name in _HEADLINES}
    groups = {"all surveyed rows, in rings": headlines}
    for key, name in _GROUPS.items():
        slices = (evaluation.get("slices") or {}).get(key) or []
        groups[name] = {f"rmse of {each['value']}": each.get("rmse") for each in slices}
    for name, metrics in groups.items():
        data = [
            shapes.SimpleMetric(name=metric, type="number", value=float(value))
            for metric, value in metrics.items()
            if isinstance(value, int | float)
        ]
        if data:
            yield shapes.MetricGroupsItem(name=name, metric_data=data)
