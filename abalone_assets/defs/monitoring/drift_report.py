"""Whether requests look like what the model has learnt from, and what errors were seen since."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from abalone_assets.defs.metadata import plots_page, records_table
from abalone_assets.errors import StorageError
from abalone_assets.lake.names import CAPTURED_REQUESTS as ASSET
from abalone_assets.resources.models import EndpointHost, ModelRegistryResource
from abalone_assets.resources.storage import LakeResource

if TYPE_CHECKING:
    import polars as pl

    from abalone_assets.lake.lake import Lake

_FEATURE_COLUMNS = ["feature", "reference", "requests", "psi", "test", "p_value", "drifted"]
_REQUESTS = dg.AssetDep(ASSET, partition_mapping=dg.AllPartitionMapping())


@dg.asset(
    deps=[_REQUESTS, "train_split"],
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
    from abalone_assets.monitoring.report import REPORT_KEY, TREND
    from abalone_assets.monitoring.report import drift_report as report_on

    opened, version = lake.open(), endpoint_host.open().live_version()
    split = pl.read_parquet(opened.uri("train_split"), glob=False)
    report = report_on(
        _requests(opened, newest_days=TREND.days),
        reference_of(split, model_registry.open(), version),
    )
    if report is None:
        context.log.info("nothing was asked yet")
        yield dg.AssetCheckResult(passed=True, metadata={"animals": 0})
        return
    opened.store.write(REPORT_KEY, report.to_html().encode())
    numbers = {"animals": report.animals, "unreadable": report.unreadable}
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
            **({} if report.outside is None else {"outside_training_range": report.outside}),
            **{f"psi_{each.feature}": each.psi for each in report.features},
        },
    )


@dg.asset(
    deps=[_REQUESTS, dg.AssetDep("new_surveys", partition_mapping=dg.AllPartitionMapping())],
    output_required=False,
    group_name="monitoring",
    kinds={"polars"},
    code_version="1",
    io_manager_key="json",
    check_specs=[
        dg.AssetCheckSpec(
            "errors_are_as_expected",
            asset="live_performance",
            description="On animals whose rings were counted after the endpoint had told them, the "
            "error is at most a tenth larger than out of fold, as far as can be told from them.",
        )
    ],
)
def live_performance(
    context: dg.AssetExecutionContext, lake: LakeResource, model_registry: ModelRegistryResource
) -> Iterator[dg.MaterializeResult[dict[str, Any]] | dg.AssetCheckResult]:
    """The errors on animals that were asked about first and surveyed later, in rings.

    An animal is known by its sex and measurements. Not materialized while there is no such animal.
    """
    from abalone_assets.monitoring.performance import counted_later, live_errors
    from abalone_assets.monitoring.reference import expected_errors

    opened = lake.open()
    animals = counted_later(*_asked_and_surveyed(opened))
    errors = live_errors(animals, expected_errors(model_registry.open().versions()))
    if errors is None:
        context.log.info("no animal that was asked about has been surveyed since")
        yield dg.AssetCheckResult(passed=True, metadata={"animals": 0})
        return
    numbers = {name: value for name, value in asdict(errors).items() if value is not None}
    yield dg.AssetCheckResult(
        passed=not errors.alarming, severity=dg.AssetCheckSeverity.WARN, metadata=numbers
    )
    yield dg.MaterializeResult(value=asdict(errors), metadata=numbers)


def _requests(lake: "Lake", newest_days: int | None = None) -> "pl.DataFrame":
    """The captured requests of the newest days that have any, or of all."""
    from abalone_assets.monitoring.days import read_days

    days = [day for day, files in sorted(read_days(lake).files.items()) if files]
    return _rows(lake, ASSET, days[-newest_days:] if newest_days else days)


def _asked_and_surveyed(lake: "Lake") -> tuple["pl.DataFrame", "pl.DataFrame"]:
    """All captured requests, and the survey days from the first of them on."""
    import polars as pl

    from abalone_assets.ingest.frames import schema_of

    asked = _requests(lake)
    told = asked["asked_at"].drop_nulls()
    if told.is_empty():
        return asked, pl.DataFrame(schema=schema_of("new_surveys"))
    first = told.dt.date().min()
    assert isinstance(first, date)  # noqa: S101 - of a column of dates
    days = [day for day in lake.manifest().days_with_rows if day >= first.isoformat()]
    return asked, _rows(lake, "new_surveys", days)


def _rows(lake: "Lake", asset: str, days: list[str]) -> "pl.DataFrame":
    import polars as pl

    from abalone_assets.ingest.frames import schema_of

    if not days:
        return pl.DataFrame(schema=schema_of(asset))
    uris = [lake.uri(asset, day) for day in days]
    try:
        scan = pl.scan_parquet(uris, glob=False, hive_partitioning=False)
        return scan.select(list(schema_of(asset))).collect()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StorageError(f"{lake.folder_uri(asset)}: cannot be read: {error}") from error
