"""What people look at of an evaluation: pictures, learning curve, the study of simulated rows."""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg

from abalone_assets.defs.evaluation.evaluation import folders_in
from abalone_assets.defs.metadata import plots_page, records_table
from abalone_assets.errors import StorageError
from abalone_assets.lake.release_documents import EvaluatedModel
from abalone_assets.resources.ml_platform import EvaluationRequest, MLPlatform
from abalone_assets.resources.release_lease import ReleaseLease
from abalone_assets.resources.reports import ReportPages
from abalone_assets.resources.storage import LakeResource

if TYPE_CHECKING:
    from abalone_assets.lake.lake import Lake

_OF = ("model_sha256", "test_rows_sha256")
"""What a report is of: the same model on the same rows needs no other."""


@dg.asset(
    deps=["train_split", "validation_split", "test_split"],
    output_required=False,
    group_name="evaluation",
    kinds={"matplotlib"},
    code_version="1",
    io_manager_key="json",
    pool="training",  # whose other steps rewrite what this one reads
    op_tags={"dagster/priority": "-1"},  # of a release's steps the last: nobody waits for it
    check_specs=[
        dg.AssetCheckSpec(
            "report_made",
            asset="evaluation_report",
            description="The report on the evaluation was made, or is that of the same model.",
        )
    ],
)
def evaluation_report(
    context: dg.AssetExecutionContext,
    evaluation: EvaluatedModel,
    ml_platform: MLPlatform,
    lake: LakeResource,
    report_pages: ReportPages,
    release_lease: ReleaseLease,
) -> Iterator[dg.MaterializeResult[dict[str, Any]] | dg.AssetCheckResult]:
    """The report as one page, with its pictures and studies.

    Nothing depends on it: when it fails, its check says why and the release has ended well. It is
    not materialized again for a model that was reported on by the same rows.
    """
    opened = lake.open()
    of = {name: evaluation.metrics[name] for name in _OF}
    if _is_kept(opened, of):
        context.log.info("the report is of this model and these rows already")
        yield dg.AssetCheckResult(passed=True, metadata={"made": "before"})
        return
    try:
        release_lease.hold(context)
        result = _report(context, evaluation, ml_platform, opened, report_pages)
    except Exception as error:
        context.log.warning("no report", exc_info=error)
        yield dg.AssetCheckResult(
            passed=False, severity=dg.AssetCheckSeverity.WARN, metadata={"error": str(error)}
        )
        return
    yield dg.AssetCheckResult(passed=True, metadata={"made": "now"})
    yield result


def _is_kept(lake: "Lake", of: dict[str, str]) -> bool:
    from abalone_assets.lake.reports import report_key

    last = lake.document("evaluation_report", dict[str, Any]) or {}
    is_last = all(last.get(name) == value for name, value in of.items())
    return is_last and lake.store.find(report_key(of["model_sha256"])) is not None


def _report(
    context: dg.AssetExecutionContext,
    evaluation: EvaluatedModel,
    ml_platform: MLPlatform,
    lake: "Lake",
    report_pages: ReportPages,
) -> dg.MaterializeResult[dict[str, Any]]:
    if evaluation.request is None or not lake.is_prepared_from(evaluation.release_digest):
        raise StorageError(
            "the splits are not those that were evaluated: materialize trained_model and evaluation"
            " again: launch the job `release`"
        )
    evaluated = EvaluationRequest(**evaluation.request)
    here = folders_in(lake, evaluation.model_uri)
    request = replace(evaluated, folders={**evaluated.folders, **here})
    report = ml_platform.report(request, evaluation.metrics, context)
    metrics, synthetic = report.evaluation, report.evaluation["synthetic"] or {}
    digest, without = metrics["model_sha256"], synthetic.get("rmse_trained_without")
    curve = records_table(metrics["learning_curve"], ["label", "train_rows", "rmse"])
    return dg.MaterializeResult(
        value=metrics,
        metadata={
            "report_page": dg.MetadataValue.url(report_pages.url(digest)),
            "report": dg.MetadataValue.path(report_pages.open().keep(digest, report.report)),
            "plots": plots_page(report.plots),
            "learning_curve": curve,
            **({} if without is None else {"rmse_trained_without_synthetic": round(without, 4)}),
            **report.job.metadata(),
        },
    )
