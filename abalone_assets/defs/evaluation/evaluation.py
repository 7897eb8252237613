"""Evaluation: what the model makes of rows that it has never seen, as far as that decides."""

from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg

from abalone_assets.defs.metadata import records_table
from abalone_assets.lake.release_documents import EvaluatedModel, TrainedModel
from abalone_assets.resources.ml_platform import EvaluationRequest, MLPlatform
from abalone_assets.resources.models import EndpointHost, Gate, ModelRegistryResource
from abalone_assets.resources.release_lease import ReleaseLease
from abalone_assets.resources.reports import ReportPages
from abalone_assets.resources.storage import LakeResource

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake

_SLICE_COLUMNS = ["value", "rows", "rmse", "rmse_low", "rmse_high", "mae", "bias", "coverage"]
_COMPARED_COLUMNS = [
    *("version", "value", "rows", "rmse", "champion_rmse", "difference", "low", "high"),
]


@dg.asset(
    deps=["merged_dataset", "train_split", "validation_split", "test_split"],
    group_name="evaluation",
    kinds={"xgboost"},
    code_version="3",
    io_manager_key="json",
    pool="training",  # whose other steps rewrite what this one reads
)
def evaluation(
    context: dg.AssetExecutionContext,
    trained_model: TrainedModel,
    ml_platform: MLPlatform,
    endpoint_host: EndpointHost,
    model_registry: ModelRegistryResource,
    gate: Gate,
    lake: LakeResource,
    report_pages: ReportPages,
    release_lease: ReleaseLease,
) -> dg.MaterializeResult[EvaluatedModel]:
    """Errors in rings on surveyed test rows, beside the champion and baselines.

    What the gate decides by; pictures and studies are in `evaluation_report`, which follows the
    deployment, and on the `report_page`.
    Intervals are of 95 %; the difference to the champion is of all rows that neither had learnt,
    and again of those in files that it knew: what is better on new files alone is no gain.
    The reference is the last version that was approved as more than just as good as its champion.
    """
    from abalone_assets.etl.split_audit import audit_test_split
    from abalone_assets.registry.opponents import opponents_of_next
    from abalone_assets.registry.versions import desired_of

    release_lease.hold(context)
    compared_at = datetime.now(UTC).isoformat()
    registry = model_registry.open()
    candidates = registry.candidates()
    desired = desired_of(candidates)
    against = opponents_of_next(endpoint_host.open().live_version(), candidates, registry)
    if against.warning:
        context.log.warning(against.warning)
    opened = lake.open()
    with opened.steady_splits():
        audit = audit_test_split(opened.uri("merged_dataset"), opened.uri("test_split"))
        request = EvaluationRequest(
            model_sha256=trained_model.sha256,
            folders={
                **folders_in(opened, trained_model.model_uri),
                **{role: registry.model_uri(version) for role, version in against.by_role.items()},
            },
            options={
                **{f"{role}-version": version for role, version in against.by_role.items()},
                "champion-tolerance": gate.open().champion_tolerance,
                "missing-rows": audit.missing,
                "foreign-rows": audit.foreign,
            },
            inputs=trained_model.release_digest,
        )
        report = ml_platform.evaluate(request, context)
    return dg.MaterializeResult(
        value=EvaluatedModel(
            request.folders["model"],
            trained_model.release_digest,
            report.evaluation,
            report.probes,
            compared_at,
            None if desired is None else desired.version,
            asdict(request),
            trained_model.provenance,
        ),
        metadata={
            "report_page": dg.MetadataValue.url(report_pages.url(request.model_sha256)),
            "reference": f"version {against.reference}" if against.reference else "none",
            **({"lost_champion": against.warning} if against.warning else {}),
            **metrics_metadata(report.evaluation),
            **report.job.metadata(),
        },
    )


def folders_in(lake: "Lake", model_uri: str) -> dict[str, str]:
    """The folders of an evaluation that are the lake's, where it is now."""
    splits = {name: lake.uri(f"{name}_split") for name in ("train", "validation", "test")}
    return {"model": lake.model_uri(model_uri), **splits}


def metrics_metadata(metrics: dict[str, Any]) -> dict[str, Any]:
    """What the UI shows of an evaluation's document."""
    shown: dict[str, Any] = {
        **_headlines(metrics),
        **_of_champion(metrics),
        "by_sex": records_table(metrics["slices"]["sex"], _SLICE_COLUMNS),
        "by_age": records_table(metrics["slices"]["age_band"], _SLICE_COLUMNS),
    }
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in shown.items()
        if value is not None
    }


def _headlines(metrics: dict[str, Any]) -> dict[str, Any]:
    """What the UI plots over time."""
    from abalone_assets.modeling.evaluation.gate import rows_out_of_place

    confidence, interval = metrics["confidence"], metrics["prediction_interval"]
    out_of_fold, synthetic = metrics["out_of_fold"], metrics["synthetic"]
    low, high = confidence["rmse"]
    shown = {
        **{name: metrics[name] for name in ("rmse", "mae", "r2", "bias", "baseline_rmse", "rows")},
        "rmse_low": low,
        "rmse_high": high,
        "linear_rmse": metrics["baselines"]["linear"],
        "out_of_fold_rmse": out_of_fold and out_of_fold["rmse"],
        "rows_out_of_place": rows_out_of_place(metrics["split"]),
        "near_twins": metrics["split"]["near_twins"],
    }
    if interval:
        shown["interval_coverage"] = interval["coverage"]
        shown["interval_width"] = interval["mean_width"]
        shown["pinball"] = sum(interval["pinball"].values()) / len(interval["pinball"])
    if synthetic:
        shown["synthetic_rows"] = synthetic["train_rows"]
    return shown


def _of_champion(metrics: dict[str, Any]) -> dict[str, Any]:
    champion = metrics["champion"]
    if champion is None:
        return {}
    files = champion["known_files"]
    known = files["paired"] and _difference(files["paired"]["overall"], "champion_known_files")
    return {
        "champion": f"version {champion['version']}",
        "champion_rmse": champion["rmse"],
        **_difference(champion["paired"]["overall"], "champion"),
        "champion_known_files_told_by": files["told_by"] or "nothing",
        **(known or {}),
        "by_file": records_table(
            [*_by_file(champion), *_by_file(metrics["reference"])], _COMPARED_COLUMNS
        ),
    }


def _difference(compared: dict[str, Any], name: str) -> dict[str, Any]:
    return {
        f"{name}_difference": compared["difference"],
        f"{name}_difference_low": compared["low"],
        f"{name}_difference_high": compared["high"],
        f"{name}_rows": compared["rows"],
    }


def _by_file(other: dict[str, Any] | None) -> list[dict[str, Any]]:
    """The comparisons with another model: on all rows, on those that it knew, on its new files."""
    if other is None:
        return []
    files, version = other["known_files"], f"version {other['version']}"
    known = files["paired"] and {**files["paired"]["overall"], "value": "files that it knew"}
    shown = [{**other["paired"]["overall"], "value": "all rows"}, known, *files["new_files"]]
    return [{**each, "version": version} for each in shown if each]
