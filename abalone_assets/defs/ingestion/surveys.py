"""The survey days: what crews landed, good rows and quarantined rows, and how a run judges them."""

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import dagster as dg

from abalone_assets.automation.runs import has_ended
from abalone_assets.defs.ingestion.checks import ACCEPT_COMMAND, CHECKS, ingestion_checks
from abalone_assets.defs.metadata import (
    add_partitions_metadata,
    files_table,
    preview,
    table_metadata,
)
from abalone_assets.defs.partitions import days_of_run, survey_days
from abalone_assets.defs.subsets import Told, is_selected, partitions_told, told_of_all
from abalone_assets.resources.catalog import Catalog
from abalone_assets.resources.frames import DataFrame
from abalone_assets.resources.storage import LakeResource, LandingZoneResource, write_frames
from abalone_assets.settings.platform import load_settings

if TYPE_CHECKING:
    from abalone_assets.ingest.days import ParsedDays
    from abalone_assets.lake.lake import Lake

NO_SURVEY = "none: the landing zone has no file of this day"
SHOWN_DAYS = 31
"""Days of which a run shows rows and files each; of more only where a row or file is amiss."""

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
    can_subset=True,  # of what is told; a day's two tables are written together
    outs={
        "new_surveys": dg.AssetOut(
            is_required=False,
            group_name="ingestion",
            kinds={"polars", "parquet"},
            code_version="2",
            io_manager_key="parquet",
            description="The animals of one survey day: the rows of all its files that obey the "
            "survey contract, with file, line and origin.",
            metadata=table_metadata("new_surveys"),
        ),
        "quarantined_rows": dg.AssetOut(
            is_required=False,
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
    check_specs=CHECKS,
)
def parse_survey_days(
    context: dg.AssetExecutionContext,
    landing_zone: LandingZoneResource,
    lake: LakeResource,
    catalog: Catalog,
) -> Iterator[Told | dg.Output[dict[str, DataFrame]]]:
    """Parse the files of the run's survey days, however many, in one go.

    Whichever of the two tables is selected, both are written: the manifest has one entry a day.
    """
    from abalone_assets.ingest.commit import commit_parsed_days
    from abalone_assets.ingest.days import parse_days
    from abalone_assets.ingest.earlier import Earlier
    from abalone_assets.ingest.held_files import Judge
    from abalone_assets.ingest.synthetic_files import synthetic_files
    from abalone_assets.lake.manifest_store import writing_days
    from abalone_assets.lake.writers import Writer

    opened = lake.open()
    judge = Judge.of(opened)
    parsed = parse_days(
        landing_zone.open(),
        days_of_run(context),
        context.log.info,
        synthetic=lambda: synthetic_files(opened.store).keys(),
        judge=judge,
        earlier=Earlier.of(opened, load_settings()),
    )
    writer = Writer.this(context.run.run_id)
    ended = partial(has_ended, context.instance)
    with writing_days(opened.store, parsed.days.keys(), writer, ended):
        yield from _tables(context, opened, parsed)
        yield from told_of_all(context, ingestion_checks(opened, parsed))
        commit_parsed_days(opened, parsed.entries, judge, writer)
    catalog.refresh_or_warn(context)


def _tables(
    context: dg.AssetExecutionContext, lake: "Lake", parsed: "ParsedDays"
) -> Iterator[dg.Output[dict[str, DataFrame]] | dg.AssetMaterialization]:
    """Write both tables: the selected ones as outputs, and the other one here."""
    metadata = _metadata_of_days(context, parsed)
    tables = {"new_surveys": parsed.rows, "quarantined_rows": parsed.quarantined}
    for asset, frames in tables.items():
        if is_selected(context, asset):
            add_partitions_metadata(context, asset, metadata[asset])
            yield dg.Output(frames, output_name=asset)
        else:
            write_frames(lake, asset, frames.items())
            yield from partitions_told(asset, metadata[asset])


def _metadata_of_days(
    context: dg.AssetExecutionContext, parsed: "ParsedDays"
) -> dict[str, dict[str, dict[str, Any]]]:
    """Counts, files and the content's digest, for each partition of both assets.

    A long run leaves the tables out of days that nothing is to be said of: they would be most of
    its time, and Dagster's database would keep them for ever.
    """
    good: dict[str, dict[str, Any]] = {}
    quarantined: dict[str, dict[str, Any]] = {}
    for day, survey in parsed.days.items():
        if len(parsed.days) > SHOWN_DAYS and not survey.is_remarkable:
            counts = {"digest": survey.entry.digest, "file_count": len(survey.entry.files)}
            counts |= {} if survey.entry.files else {"survey": NO_SURVEY}
            synthetic = {"synthetic_rows": survey.entry.synthetic_rows, "held_rows": 0}
            good[day] = {"dagster/row_count": len(survey.rows), **synthetic, **counts}
            quarantined[day] = {"dagster/row_count": 0, **counts}
            continue
        entry = survey.entry
        held = [f"{name}: {reason}" for name, reason in entry.held_files.items()]
        for name, file in zip(entry.held_files, held, strict=True):
            context.log.warning(
                "held: %s; mend and land it again, or %s", file, ACCEPT_COMMAND,
                extra={"file": name},
            )  # fmt: skip
        shared = {
            "digest": entry.digest,
            "files": files_table(entry.files),
            **({"held": "; ".join(held)} if held else {}),
            **({} if entry.files else {"survey": NO_SURVEY}),
        }
        counts = {"synthetic_rows": entry.synthetic_rows, "held_rows": entry.held_rows}
        good[day] = {**_table(survey.rows), **counts, **shared}
        quarantined[day] = {**_table(survey.quarantined), **shared}
    return {"new_surveys": good, "quarantined_rows": quarantined}


def _table(frame: DataFrame) -> dict[str, Any]:
    return {"dagster/row_count": len(frame), "preview": preview(frame)}
