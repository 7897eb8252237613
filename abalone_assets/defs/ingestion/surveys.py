"""The survey days: what crews landed, good rows and quarantined rows, and how a run judges them."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

from abalone_assets.defs.metadata import (
    add_partitions_metadata,
    files_table,
    preview,
    table_metadata,
)
from abalone_assets.defs.partitions import survey_days
from abalone_assets.defs.subsets import Told, is_selected, partitions_told, told_of_all
from abalone_assets.resources.catalog import Catalog
from abalone_assets.resources.frames import DataFrame
from abalone_assets.resources.storage import LakeResource, LandingZoneResource, write_frames
from abalone_assets.settings.platform import load_settings

if TYPE_CHECKING:
    from abalone_assets.ingest.days import ParsedDays
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import IngestedFile, Manifest

ACCEPT_COMMAND = '`abalone accept FILE --because "…"`'
MAX_IMPLAUSIBLE_SHARE = 0.05
"""Of the rows, for each soft rule; parts outweigh the whole in 1.5 % of the UCI survey."""

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
    check_specs=[
        dg.AssetCheckSpec(
            "rows_are_conserved",
            asset="new_surveys",
            blocking=True,
            description="Records in the day's files = rows in new_surveys + quarantined_rows, as "
            "counted in what was written, + rows of held files.",
        ),
        dg.AssetCheckSpec(
            "files_are_surveys",
            asset="new_surveys",
            description="Every file of every day could be read as a survey.",
        ),
        dg.AssetCheckSpec(
            "files_are_plausible",
            asset="new_surveys",
            description="No file of any day is held because it is off as a whole, such as in "
            "another unit. A held file's rows are in no table; `abalone accept` lets them in.",
        ),
        dg.AssetCheckSpec(
            "rows_are_plausible",
            asset="new_surveys",
            description="At most 5 % of the rows break a soft rule of the survey contract, are "
            "below a plausible minimum, or have measurements that do not go together.",
        ),
    ],
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
    from abalone_assets.ingest.accepted_files import ingest_accepted_again
    from abalone_assets.ingest.days import parse_days
    from abalone_assets.ingest.earlier import Earlier
    from abalone_assets.ingest.judging import Judge, judge_name
    from abalone_assets.ingest.synthetic_files import synthetic_files
    from abalone_assets.lake.manifest_store import commit_days, revoke_days

    opened = lake.open()
    judge = Judge.of(opened)
    parsed = parse_days(
        landing_zone.open(),
        context.partition_keys,
        context.log.info,
        synthetic=lambda: synthetic_files(opened.store).keys(),
        judge=judge,
        earlier=Earlier.of(opened, load_settings()),
    )
    revoke_days(opened.store, parsed.days)
    yield from _tables(context, opened, parsed)
    yield from told_of_all(context, _ingestion_checks(opened, parsed))
    commit_days(
        opened.store, parsed.entries, valid=lambda manifest: judge_name(manifest.raw) == judge.name
    )
    ingest_accepted_again(opened.store)
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
            synthetic = {"synthetic_rows": survey.entry.synthetic_rows, "held_rows": 0}
            good[day] = {"dagster/row_count": len(survey.rows), **synthetic, **counts}
            quarantined[day] = {"dagster/row_count": 0, **counts}
            continue
        entry = survey.entry
        held = [f"{name}: {reason}" for name, reason in entry.held_files.items()]
        for file in held:
            context.log.warning("held: %s; mend and land it again, or %s", file, ACCEPT_COMMAND)
        shared = {
            "digest": entry.digest,
            "files": files_table(entry.files),
            **({"held": "; ".join(held)} if held else {}),
        }
        counts = {"synthetic_rows": entry.synthetic_rows, "held_rows": entry.held_rows}
        good[day] = {**_table(survey.rows), **counts, **shared}
        quarantined[day] = {**_table(survey.quarantined), **shared}
    return {"new_surveys": good, "quarantined_rows": quarantined}


def _table(frame: DataFrame) -> dict[str, Any]:
    return {"dagster/row_count": len(frame), "preview": preview(frame)}


def _ingestion_checks(lake: "Lake", parsed: "ParsedDays") -> Iterator[dg.AssetCheckResult]:
    """The checks of an ingestion run; it stops at the first failed blocking one.

    Raises:
        Failure: The lake does not hold every record of the files.
    """
    conserved = _rows_are_conserved(lake, parsed)
    yield conserved
    if not conserved.passed:
        raise dg.Failure("the lake does not hold every record of the files; the days stay due")
    manifest = lake.manifest()
    others = [each for day, each in manifest.summaries.items() if day not in parsed.days]
    files = sum(day.files for day in others) + parsed.files
    remarked = _files_with_remarks(manifest, parsed)
    yield _files_are_surveys(files, remarked)
    yield _files_are_plausible(files, remarked)
    yield _rows_are_plausible(parsed)


def _rows_are_conserved(lake: "Lake", parsed: "ParsedDays") -> dg.AssetCheckResult:
    from abalone_assets.ingest.frames import rows_written

    written = {
        asset: rows_written(*(lake.uri(asset, day) for day in parsed.days))
        for asset in ("new_surveys", "quarantined_rows")
    }
    held = {"held_rows": parsed.held_rows} if parsed.held_rows else {}
    return dg.AssetCheckResult(
        asset_key="new_surveys",
        check_name="rows_are_conserved",
        passed=parsed.records == sum(written.values()) + parsed.held_rows,
        metadata={"records": parsed.records, **written, **held},
    )


def _files_with_remarks(manifest: "Manifest", parsed: "ParsedDays") -> "list[IngestedFile]":
    """Those of all days, so that a good day does not hide what is wrong with another."""
    remarked = {day: each for day, each in manifest.summaries.items() if each.remarks}
    days = {day: manifest.days[day] for day in remarked.keys() - parsed.entries.keys()}
    return [
        file for _, day in sorted({**days, **parsed.entries}.items()) for file in day.remarked_files
    ]


def _files_are_surveys(files: int, remarked: "list[IngestedFile]") -> dg.AssetCheckResult:
    refused = [file for file in remarked if file.problem]
    noted = [file for file in remarked if file.notes]
    return dg.AssetCheckResult(
        asset_key="new_surveys",
        check_name="files_are_surveys",
        passed=not refused,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "files": files,
            "refused": files_table(refused),
            "noted": files_table(noted),
        },
    )


def _files_are_plausible(files: int, remarked: "list[IngestedFile]") -> dg.AssetCheckResult:
    held = [file for file in remarked if file.held]
    return dg.AssetCheckResult(
        asset_key="new_surveys",
        check_name="files_are_plausible",
        passed=not held,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"Mend and land them again, or accept them: {ACCEPT_COMMAND}" if held else None,
        metadata={"files": files, "held": files_table(held)},
    )


def _rows_are_plausible(parsed: "ParsedDays") -> dg.AssetCheckResult:
    import polars as pl

    from abalone_assets.ingest.frames import count_violations

    rows = pl.concat(list(parsed.rows.values()))
    files = [file for day in parsed.entries.values() for file in day.files if not file.held]
    violations = {
        **count_violations(rows),
        "odd_animals": sum(file.odd_animals for file in files),
    }
    tolerated = MAX_IMPLAUSIBLE_SHARE * len(rows)
    return dg.AssetCheckResult(
        asset_key="new_surveys",
        check_name="rows_are_plausible",
        passed=all(count <= tolerated for count in violations.values()),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"rows": len(rows), **violations},
    )
