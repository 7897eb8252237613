"""What an ingestion run checks: that no row is lost, and what looks wrong with files and rows."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import dagster as dg

from abalone_assets.defs.metadata import files_table, records_table
from abalone_assets.settings.platform import load_settings

if TYPE_CHECKING:
    from abalone_assets.ingest.days import ParsedDays
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest import DaySummary, IngestedFile, Manifest

ACCEPT_COMMAND = '`abalone accept FILE --because "…"`'
MAX_IMPLAUSIBLE_SHARE = 0.05
"""Of the rows, for each soft rule; parts outweigh the whole in 1.5 % of the UCI survey."""

LISTED_DAYS = 100

CHECKS = [
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
    dg.AssetCheckSpec(
        "few_rows_are_quarantined",
        asset="quarantined_rows",
        description="On no day are more than `ABALONE_MAX_QUARANTINED_SHARE` of the rows "
        "quarantined. An error when a day lost every row, else a warning.",
    ),
]


def ingestion_checks(lake: "Lake", parsed: "ParsedDays") -> Iterator[dg.AssetCheckResult]:
    """The checks of an ingestion run; it stops at the first failed blocking one.

    Raises:
        Failure: The lake does not hold every record of the files.
    """
    from abalone_assets.lake.manifest import DaySummary

    conserved = _rows_are_conserved(lake, parsed)
    yield conserved
    if not conserved.passed:
        raise dg.Failure("the lake does not hold every record of the files; the days stay due")
    manifest = lake.manifest()
    others = [each for day, each in manifest.summaries.items() if day not in parsed.days]
    files = sum(day.files for day in others) + parsed.files
    remarked = _files_with_remarks(manifest, parsed)
    yield files_are_surveys(files, remarked)
    yield files_are_plausible(files, remarked)
    yield _rows_are_plausible(parsed)
    now = {day: DaySummary.of(entry) for day, entry in parsed.entries.items()}
    yield few_rows_are_quarantined({**manifest.summaries, **now})


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


def files_are_surveys(files: int, remarked: "list[IngestedFile]") -> dg.AssetCheckResult:
    """Judge whether every file could be read: of all, those with a remark, by their days."""
    refused = [file for file in remarked if file.is_refused]
    unread = [file for file in remarked if file.is_out_of_reach]
    noted = [file for file in remarked if file.notes]
    return dg.AssetCheckResult(
        asset_key="new_surveys",
        check_name="files_are_surveys",
        passed=not (refused or unread),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "files": files,
            "refused_files": len(refused),
            "refused": files_table(refused[::-1]),
            **({"out_of_reach": files_table(unread[::-1])} if unread else {}),
            "noted_files": len(noted),
            "noted": files_table(noted[::-1]),
        },
    )


def files_are_plausible(files: int, remarked: "list[IngestedFile]") -> dg.AssetCheckResult:
    """Judge whether a file is held: of all, those with a remark, by their days."""
    held = [file for file in remarked if file.held]
    return dg.AssetCheckResult(
        asset_key="new_surveys",
        check_name="files_are_plausible",
        passed=not held,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"Mend and land them again, or accept them: {ACCEPT_COMMAND}" if held else None,
        metadata={"files": files, "held_files": len(held), "held": files_table(held[::-1])},
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


def few_rows_are_quarantined(summaries: "Mapping[str, DaySummary]") -> dg.AssetCheckResult:
    """Judge all days, so that a good day does not hide what another lost, but for held files."""
    most = load_settings().max_quarantined_share
    days = [
        {"survey_day": day, "rows": each.rows, "quarantined": each.quarantined}
        for day, each in sorted(summaries.items())
        if not each.held and each.quarantined > most * (each.rows + each.quarantined)
    ]
    lost = sum(not day["rows"] for day in days)
    severity = dg.AssetCheckSeverity.ERROR if lost else dg.AssetCheckSeverity.WARN
    return dg.AssetCheckResult(
        asset_key="quarantined_rows",
        check_name="few_rows_are_quarantined",
        passed=not days,
        severity=severity,
        metadata={
            "days_without_a_row_left": lost,
            "days_with_many_quarantined": len(days),
            "days": records_table(days[-LISTED_DAYS:], ["survey_day", "rows", "quarantined"]),
        },
    )
