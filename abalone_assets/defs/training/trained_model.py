"""Training: an archive in SageMaker's layout, and how it came about."""

from dataclasses import asdict
from typing import Any

import dagster as dg
from pydantic import Field

from abalone_assets.resources.ml_platform import MLPlatform, TrainingRequest
from abalone_assets.resources.storage import LakeResource


class TrainingConfig(dg.Config):
    """Hyperparameters of XGBoost; one that is not given has the training script's default."""

    eta: float | None = Field(None, description="Learning rate: the weight of each tree.")
    max_depth: int | None = Field(None, description="Splits between root and deepest leaf.")
    subsample: float | None = Field(None, description="Share of the rows drawn for each tree.")
    colsample_bytree: float | None = Field(None, description="Share of the features for each tree.")
    min_child_weight: float | None = Field(None, description="Least sum of Hessians in a leaf.")
    reg_lambda: float | None = Field(None, description="L2 penalty on the leaves' weights.")
    num_boost_round: int | None = Field(None, description="Most trees to grow.")
    early_stopping_rounds: int | None = Field(
        None, description="Rounds without a better validation RMSE after which to stop."
    )
    seed: int | None = Field(None, description="Seed of the row and feature draws.")

    def given(self) -> dict[str, Any]:
        """The hyperparameters that were given."""
        return {name: value for name, value in self.model_dump().items() if value is not None}


@dg.asset(
    deps=["merged_dataset", "train_split", "validation_split"],  # whose checks block training
    group_name="training",
    kinds={"xgboost"},
    code_version="1",
    io_manager_key="json",
    pool="training",
)
def trained_model(
    context: dg.AssetExecutionContext,
    config: TrainingConfig,
    ml_platform: MLPlatform,
    lake: LakeResource,
) -> dg.MaterializeResult[dict[str, Any]]:
    """`model.tar.gz` in SageMaker's layout: XGBoost, stopped early by the validation split."""
    opened = lake.open()
    digest = opened.preparation().digest
    report = ml_platform.train(
        TrainingRequest(
            job_name=f"train-{context.run.run_id}",
            channels={
                "train": opened.folder_uri("train_split"),
                "validation": opened.folder_uri("validation_split"),
            },
            output_uri=opened.folder_uri("trained_model"),
            hyperparameters=config.given(),
            inputs=digest,
        ),
        context,
    )
    card = asdict(report.card)
    return dg.MaterializeResult(
        value={"model_uri": report.model_uri, "release_digest": digest, "card": card},
        metadata={
            "model": dg.MetadataValue.path(report.model_uri),
            "validation_rmse": report.card.metrics["validation"]["rmse"],
            "train_rmse": report.card.metrics["train"]["rmse"],
            "boosting_rounds": report.card.best_iteration + 1,
            "model_card": dg.MetadataValue.json(card),
            **report.job.metadata(),
        },
        data_version=dg.DataVersion(report.card.model_sha256),
    )
