"""Evaluation: what the model makes of rows that it has never seen."""

from typing import Any

import dagster as dg

from abalone_assets.metadata import plots_page, records_table
from abalone_assets.resources.ml_platform import EvaluationReport, EvaluationRequest, MLPlatform
from abalone_assets.resources.models import EndpointHost, ModelRegistryResource
from abalone_assets.resources.storage import LakeResource

_SLICE_COLUMNS = ["value", "rows", "rmse", "mae", "bias"]


@dg.asset(
    deps=["test_split"],
    group_name="evaluation",
    kinds={"xgboost", "matplotlib"},
    code_version="1",
    io_manager_key="json",
)
def evaluation(
    context: dg.AssetExecutionContext,
    trained_model: dict[str, Any],
    ml_platform: MLPlatform,
    endpoint_host: EndpointHost,
    model_registry: ModelRegistryResource,
    lake: LakeResource,
) -> dg.MaterializeResult[dict[str, Any]]:
    """Errors in rings on the test split, by sex and age, and the champion's on the same rows."""
    champion = endpoint_host.live_version()
    report = ml_platform.evaluate(
        EvaluationRequest(
            model_uri=trained_model["model_uri"],
            model_sha256=trained_model["card"]["model_sha256"],
            test_uri=lake.open().uri("test_split"),
            champion_uri=model_registry.model_uri(champion) if champion else None,
            champion_version=champion,
            inputs=trained_model["release_digest"],
        ),
        context,
    )
    return dg.MaterializeResult(
        value={
            "model_uri": trained_model["model_uri"],
            "release_digest": trained_model["release_digest"],
            "metrics": report.evaluation,
            "probes": report.probes,
        },
        metadata=_metadata(report),
    )


def _metadata(report: EvaluationReport) -> dict[str, Any]:
    metrics = report.evaluation
    champion = metrics["champion"] or {}
    shown: dict[str, Any] = {
        name: metrics[name] for name in ("rmse", "mae", "r2", "bias", "baseline_rmse", "rows")
    }
    if champion:
        shown["champion"] = f"version {champion['version']}"
        shown["champion_rmse"] = champion["rmse"]
    shown["plots"] = plots_page(report.plots)
    for name, by in {"by_sex": "sex", "by_age": "age_band"}.items():
        shown[name] = records_table(metrics["slices"][by], _SLICE_COLUMNS)
    rounded = {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in shown.items()
        if value is not None
    }
    return {**rounded, **report.job.metadata()}
