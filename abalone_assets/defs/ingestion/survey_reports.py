"""What an ingestion run says of its survey days: metadata for each partition, and checks."""

from collections.abc import Iterator

import dagster as dg
import polars as pl

from abalone_assets.defs.metadata import files_table, preview
from abalone_assets.ingest.days import ParsedDays
from abalone_assets.ingest.frames import rows_written
from abalone_assets.lake.lake import Lake
from abalone_assets.survey import count_soft_violations

MAX_IMPLAUSIBLE_SHARE = 0.05
"""Of the rows, for each soft rule; parts outweigh the whole in 1.5 % of the UCI survey."""


def report_days(context: dg.AssetExecutionContext, parsed: ParsedDays) -> None:
    """Attach counts, files and the content's digest to each partition of both assets."""
    for day, survey in parsed.days.items():
        shared = {"digest": survey.entry.digest, "files": files_table(survey.entry.files)}
        for asset, frame, counts in (
            ("new_surveys", survey.rows, {"synthetic_rows": survey.entry.synthetic_rows}),
            ("quarantined_rows", survey.quarantined, {}),
        ):
            context.add_asset_metadata(
                {"dagster/row_count": len(frame), **counts, "preview": preview(frame), **shared},
                asset_key=asset,
                partition_key=day,
            )


def ingestion_checks(lake: Lake, parsed: ParsedDays) -> Iterator[dg.AssetCheckResult]:
    """The checks of an ingestion run; it stops at the first failed blocking one.

    Raises:
        Failure: The lake does not hold every record of the files.
    """
    conserved = _rows_are_conserved(lake, parsed)
    yield conserved
    if not conserved.passed:
        raise dg.Failure("the lake does not hold every record of the files; the days stay due")
    yield _files_are_surveys(lake, parsed)
    yield _rows_are_plausible(parsed)


def _rows_are_conserved(lake: Lake, parsed: ParsedDays) -> dg.AssetCheckResult:
    written = {
        asset: rows_written(*(lake.uri(asset, day) for day in parsed.days))
        for asset in ("new_surveys", "quarantined_rows")
    }
    return dg.AssetCheckResult(
        asset_key="new_surveys",
        check_name="rows_are_conserved",
        passed=parsed.records == sum(written.values()),
        metadata={"records": parsed.records, **written},
    )


def _files_are_surveys(lake: Lake, parsed: ParsedDays) -> dg.AssetCheckResult:
    """Judges all days, so that a good day does not hide what is wrong with another."""
    days = {**lake.manifest().days, **parsed.entries}
    files = [file for _, day in sorted(days.items()) for file in day.files]
    refused = [file for file in files if file.problem]
    return dg.AssetCheckResult(
        asset_key="new_surveys",
        check_name="files_are_surveys",
        passed=not refused,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"files": len(files), "refused": files_table(refused)},
    )


def _rows_are_plausible(parsed: ParsedDays) -> dg.AssetCheckResult:
    rows = pl.concat(list(parsed.rows.values()))
    violations = count_soft_violations(rows.to_dict(as_series=False))
    tolerated = MAX_IMPLAUSIBLE_SHARE * len(rows)
    return dg.AssetCheckResult(
        asset_key="new_surveys",
        check_name="rows_are_plausible",
        passed=all(count <= tolerated for count in violations.values()),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"rows": len(rows), **violations},
    )
