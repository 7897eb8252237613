"""The survey days: what crews landed, good rows and quarantined rows."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from abalone_assets.defs.metadata import table_metadata
from abalone_assets.defs.partitions import survey_days
from abalone_assets.lake.manifest import commit_days, revoke_days
from abalone_assets.resources.catalog import Catalog
from abalone_assets.resources.storage import LakeResource, LandingZoneResource

landing_zone_spec = dg.AssetSpec(
    "landing_zone",
    deps=["synthetic_survey"],
    group_name="ingestion",
    kinds={"csv"},
    description="The files that survey crews drop, `abalone.YYYYMMDDHHMMSS`. The survey sensor "
    "observes it: files that can be no survey are listed in its events.",
)


@dg.multi_asset(
    name="parse_survey_days",
    partitions_def=survey_days,
    backfill_policy=dg.BackfillPolicy.single_run(),
    outs={
        "new_surveys": dg.AssetOut(
            group_name="ingestion",
            kinds={"polars", "parquet"},
            code_version="2",
            io_manager_key="parquet",
            description="The animals of one survey day: the rows of all its files that obey the "
            "survey contract, with file, line and origin.",
            metadata=table_metadata("new_surveys"),
        ),
        "quarantined_rows": dg.AssetOut(
            group_name="ingestion",
            kinds={"polars", "parquet"},
            code_version="1",
            io_manager_key="parquet",
            description="The rows of one survey day that broke the survey contract: file, line, "
            "column, rule and the raw text. Empty is fine.",
            metadata=table_metadata("quarantined_rows"),
        ),
    },
    deps=[landing_zone_spec],
    internal_asset_deps={
        "new_surveys": {dg.AssetKey("landing_zone")},
        "quarantined_rows": {dg.AssetKey("new_surveys")},
    },
    check_specs=[
        dg.AssetCheckSpec(
            "rows_are_conserved",
            asset="new_surveys",
            blocking=True,
            description="Records in the day's files = rows in new_surveys + quarantined_rows, as "
            "counted in what was written.",
        ),
        dg.AssetCheckSpec(
            "files_are_surveys",
            asset="new_surveys",
            description="Every file of every day could be read as a survey.",
        ),
        dg.AssetCheckSpec(
            "rows_are_plausible",
            asset="new_surveys",
            description="At most 5 % of the rows break a soft rule of the survey contract.",
        ),
    ],
)
def parse_survey_days(
    context: dg.AssetExecutionContext,
    landing_zone: LandingZoneResource,
    lake: LakeResource,
    catalog: Catalog,
) -> Iterator[dg.Output[dict[str, pl.DataFrame]] | dg.AssetCheckResult]:
    """Parse the files of the run's survey days, however many, in one go."""
    from abalone_assets.defs.ingestion.survey_reports import ingestion_checks, report_days
    from abalone_assets.ingest.days import parse_days
    from abalone_assets.ingest.synthetic_files import synthetic_files

    opened = lake.open()
    parsed = parse_days(
        landing_zone.open(),
        context.partition_keys,
        context.log.info,
        synthetic=lambda: synthetic_files(opened.store).keys(),
    )
    report_days(context, parsed)
    revoke_days(opened.store, parsed.days)
    yield dg.Output(parsed.rows, output_name="new_surveys")
    yield dg.Output(parsed.quarantined, output_name="quarantined_rows")
    yield from ingestion_checks(opened, parsed)
    commit_days(opened.store, parsed.entries)
    catalog.refresh_or_warn(context)
