"""``abalone land``: put survey files into the landing zone, as a crew would."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from abalone_assets.cli.output import (
    console,
    counted,
    example,
    json_option,
    print_json,
    print_table,
    with_progress,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.text import Text

    from abalone_assets.cli.landing import CheckedFile

SHOWN_ROWS: Final = 5


@click.command(
    epilog=example(
        "abalone land abalone.20250314061500",
        "abalone land --force corrected/abalone.20250314061500",
    )
)
@click.argument(
    "files",
    nargs=-1,
    required=True,
    metavar="FILE...",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
)
@click.option(
    "--force",
    is_flag=True,
    help="Replace a landed file; land one that is no survey or of a future day.",
)
@json_option
def land(files: tuple[Path, ...], *, force: bool, as_json: bool) -> None:
    """Check survey files and put them into the landing zone.

    Files are named abalone.YYYYMMDDHHMMSS (UTC); none with another name lands. All of them are
    checked before the first is landed. Rows that break the survey contract land with their file;
    ingestion quarantines them.
    """
    from abalone_assets.cli.landing import check_files, read_files, refuse_obstacles
    from abalone_assets.ingest.open import open_landing_zone
    from abalone_assets.local.instance import make_landing_zone
    from abalone_assets.settings.platform import load_settings

    settings = load_settings()
    given = read_files(files)
    make_landing_zone(settings)
    zone = open_landing_zone(settings.landing_zone_uri)
    checks = check_files(given, zone, settings.first_survey_day, force=force)
    checked = list(with_progress(checks, "checking", total=len(given)))
    refuse_obstacles(checked)
    for file in with_progress(checked, "landing", total=len(checked)):
        file.land(zone)
    if as_json:
        print_json({"landing_zone": zone.uri, "files": [_document(file) for file in checked]})
    else:
        _show(checked, zone.uri)


def _document(file: CheckedFile) -> dict[str, Any]:
    return {
        "file": file.name,
        "bytes": len(file.data),
        "rows": file.survey.row_count if file.survey else 0,
        "quarantined": len(file.survey.quarantined) if file.survey else 0,
        "problem": file.problem,
        "waits": file.waits,
        "change": file.change,
    }


def _show(checked: Sequence[CheckedFile], uri: str) -> None:
    rows = map(_document, checked)
    print_table(
        ["file", "rows", "to quarantine", ""],
        ((row["file"], row["rows"], row["quarantined"], _outcome(row)) for row in rows),
        right=["rows", "to quarantine"],
    )
    _warn_of_quarantine(checked)
    out = console()
    if any(file.change != "identical" for file in checked):
        out.print(f"Landed in {uri}. `abalone status` shows what becomes of it.")
    else:
        out.print(f"Nothing to do: {uri} has these files already.")


def _outcome(row: dict[str, Any]) -> str | Text:
    from rich.text import Text

    change = str(row["change"])
    if row["problem"]:
        return Text(f"{change}, but it is no survey", "red")
    if change == "identical":
        return "identical bytes are there already"
    return f"{change}; it waits until its day comes" if row["waits"] else change


def _warn_of_quarantine(checked: Sequence[CheckedFile]) -> None:
    rows = [row for file in checked if file.survey for row in file.survey.quarantined]
    if not rows:
        return
    out = console(stderr=True)
    out.print(f"To be quarantined: {counted(len(rows), 'row')}", style="yellow")
    for row in rows[:SHOWN_ROWS]:
        out.print(f"  {row.file}:{row.line} {row.rule}: {row.message}")
    if len(rows) > SHOWN_ROWS:
        out.print(f"  and {len(rows) - SHOWN_ROWS} more")
