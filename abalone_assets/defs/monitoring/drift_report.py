"""Whether requests look like what the model has learnt from."""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import dagster as dg

from abalone_assets.defs.metadata import plots_page, records_table
from abalone_assets.lake.last_drift import REPORT_KEY
from abalone_assets.lake.names import CAPTURED_REQUESTS as ASSET
from abalone_assets.resources.models import EndpointHost, ModelRegistryResource
from abalone_assets.resources.storage import LakeResource

_FEATURE_COLUMNS = ["feature", "reference", "requests", "psi", "test", "p_value", "drifted"]


@dg.asset(
    deps=[dg.AssetDep(ASSET, partition_mapping=dg.AllPartitionMapping()), "train_split"],
    output_required=False,
    group_name="monitoring",
    kinds={"scipy"},
    code_version="1",
    io_manager_key="json",
    check_specs=[
        dg.AssetCheckSpec(
            "requests_have_not_drifted",
            asset="drift_report",
            description="No feature, nor the prediction, of the last seven days' requests moved by "
            "much against the training split. At most one false alarm in twenty years.",
        )
    ],
)
def drift_report(
    context: dg.AssetExecutionContext,
    lake: LakeResource,
    model_registry: ModelRegistryResource,
    endpoint_host: EndpointHost,
) -> Iterator[dg.MaterializeResult[dict[str, Any]] | dg.AssetCheckResult]:
    """Requests of the last seven days against the training split, by feature and by prediction.

    Population stability index and a test each; each animal counts once. Not materialized while
    nothing was asked.
    """
    import polars as pl

    from abalone_assets.monitoring.reference import reference_of
    from abalone_assets.monitoring.report import TREND
    from abalone_assets.monitoring.report import drift_report as report_on
    from abalone_assets.monitoring.tables import captured_rows

    opened, version = lake.open(), endpoint_host.open().live_version()
    split = pl.read_parquet(opened.uri("train_split"), glob=False)
    report = report_on(
        captured_rows(opened, newest_days=TREND.days),
        reference_of(split, model_registry.open(), version),
    )
    if report is None:
        context.log.info("nothing was asked yet")
        yield dg.AssetCheckResult(passed=True, metadata={"animals": 0})
        return
    opened.store.write(REPORT_KEY, report.to_html().encode())
    numbers = {
        "animals": report.animals,
        "unreadable": report.unreadable,
        "outside_contract": report.outside_contract,
        "outside_contract_share": report.outside_contract_share,
    }
    context.log.info("%s", report.verdict)
    yield dg.AssetCheckResult(
        passed=not report.drifted,
        severity=dg.AssetCheckSeverity.WARN,
        description=report.verdict,
        metadata={**numbers, "drifted": ", ".join(report.drifted) or "nothing"},
    )
    features = [asdict(each) for each in report.features]
    yield dg.MaterializeResult(
        value=report.to_document(),
        metadata={
            "verdict": report.verdict,
            "report": dg.MetadataValue.path(opened.store.uri_of(REPORT_KEY)),
            "features": records_table(features, _FEATURE_COLUMNS),
            "plots": plots_page(report.pictures),
            **numbers,
            **_reasons(report.reasons),
            **({} if report.outside is None else {"outside_training_range": report.outside}),
            **{f"psi_{each.feature}": each.psi for each in report.features},
        },
    )


def _reasons(reasons: dict[str, int]) -> dict[str, dg.TableMetadataValue]:
    """Why requests were outside the contract; nothing where none was."""
    if not reasons:
        return {}
    rows = [{"reason": reason, "requests": count} for reason, count in reasons.items()]
    return {"outside_contract_reasons": records_table(rows, ["reason", "requests"])}
