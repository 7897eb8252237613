"""``abalone land``: put files into the landing zone, as a crew would."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from abalone_assets.cli.output import (
    console,
    example,
    json_option,
    print_json,
    print_table,
    with_progress,
)
from abalone_assets.errors import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from rich.text import Text

    from abalone_assets.cli.landing import Given
    from abalone_assets.ingest.given_files import Options, Verdicts
    from abalone_assets.ingest.landing import CheckedFile
    from abalone_assets.settings.platform import Settings

SHOWN_ROWS: Final = 5
_DELIMITERS: Final = {"comma": ",", "semicolon": ";", "tab": "\t", "bar": "|"}
_DECIMALS: Final = {"point": ".", "comma": ","}


@click.command(
    epilog=example(
        "abalone land abalone.20250314061500",
        "abalone land --date 2025-03-14 --units mm-g survey.csv",
        "abalone land --columns sex,rings,length,diameter,height,whole,shucked,viscera,shell FILE",
        "abalone land --animals --date 2025-03-14 --units mm-g uncounted.csv",
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
    "--date",
    metavar="TIME",
    help="When the survey was made, for a file of any name: an ISO date or time, UTC without zone.",
)
@click.option(
    "--animals",
    is_flag=True,
    help="Nobody counted their rings: they land as animals.YYYYMMDDHHMMSS, and the live model "
    "tells their ages. A file that is called so needs no option.",
)
@click.option(
    "--units",
    metavar="LENGTH-WEIGHT",
    help="Of the measurements, such as mm-g, cm-kg or in-oz; scaled is for mm / 200 and g / 200.",
)
@click.option(
    "--columns",
    metavar="NAMES",
    help="The columns in the order of the file, separated by commas; id is left out. Units may "
    "stand behind them: 'length (mm)'.",
)
@click.option(
    "--delimiter", type=click.Choice(list(_DELIMITERS)), help="Default: as the file has it."
)
@click.option("--decimal", type=click.Choice(list(_DECIMALS)), help="Default: as the file has it.")
@click.option("--dry-run", is_flag=True, help="Show what would land, and land nothing.")
@click.option(
    "--force",
    is_flag=True,
    help="Replace a landed file; land one that is no survey, is in doubt, will be held or is of a "
    "future day.",
)
@json_option
def land(
    files: tuple[Path, ...],
    *,
    date: str | None,
    animals: bool,
    units: str | None,
    columns: str | None,
    delimiter: str | None,
    decimal: str | None,
    dry_run: bool,
    force: bool,
    as_json: bool,
) -> None:
    """Check survey files, make them canonical and put them into the landing zone.

    Files are named abalone.YYYYMMDDHHMMSS (UTC), or animals.YYYYMMDDHHMMSS where nobody counted
    rings; or --date tells their time. All of them are
    checked before the first is landed. What the contract leaves open, such as a header's order and
    units, semicolons or decimal commas, is converted where it is certain; what is not is refused
    with the option that makes it so, and so is a file that ingestion would hold, as its animals
    look unlike those of the base survey. Rows that break the survey contract land with their file;
    ingestion quarantines them. A download with marked rows, FILE.marked.csv, replaces its file when
    all of them are mended.
    """
    from abalone_assets.cli.landing import read_files, refuse_obstacles
    from abalone_assets.ingest.landing import check_files
    from abalone_assets.ingest.open import open_landing_zone
    from abalone_assets.local.instance import make_landing_zone
    from abalone_assets.settings.platform import load_settings

    settings = load_settings()
    given = _named(read_files(files), date, animals=animals)
    options = _options(units, columns, delimiter, decimal, given.contents)
    make_landing_zone(settings)
    zone = open_landing_zone(settings.landing_zone_uri)
    checks = check_files(
        given.contents,
        zone,
        settings.first_survey_day,
        force=force,
        options=options,
        verdicts=_verdicts(settings),
    )
    checked = list(with_progress(checks, "checking", total=len(given.paths)))
    refuse_obstacles(checked, given, force=force)
    if not dry_run:
        for file in with_progress(checked, "landing", total=len(checked)):
            file.land(zone)
    if as_json:
        documents = [{**_document(file), "given": str(given.paths[file.name])} for file in checked]
        print_json({"landing_zone": zone.uri, "dry_run": dry_run, "files": documents})
    else:
        _show(checked, given, zone.uri, dry_run=dry_run)


def _verdicts(settings: Settings) -> Verdicts:
    """By what ingestion will judge; who lands surveys need not be able to read the lake."""
    from abalone_assets.errors import StorageError
    from abalone_assets.ingest.given_files import Verdicts
    from abalone_assets.lake.lake import Lake

    try:
        return Verdicts.of(Lake(settings.lake_uri))
    except StorageError as error:
        message = f"Judged as if there were no base survey, since the lake cannot be read: {error}"
        console(stderr=True).print(message, style="yellow")
        return Verdicts()


def _options(
    units: str | None,
    columns: str | None,
    delimiter: str | None,
    decimal: str | None,
    files: Iterable[str],
) -> Options:
    from abalone_assets.ingest.given_files import Options
    from abalone_assets.survey import COLUMNS, FEATURES, SURVEYS, kind_of_file
    from abalone_assets.survey.header import HeaderError, read_header
    from abalone_assets.survey.units import Units

    names = tuple(name.strip() for name in columns.split(",")) if columns else ()
    if names:
        counted_rings = any(kind_of_file(name) is SURVEYS for name in files)
        try:
            read_header(names, [each.name for each in COLUMNS] if counted_rings else FEATURES)
        except HeaderError as error:
            message = str(error).replace("its header", "it", 1).partition(": correct the names")[0]
            raise click.BadParameter(message, param_hint="--columns") from error
    return Options(
        units=Units.named(units) if units else None,
        columns=names,
        delimiter=_DELIMITERS[delimiter] if delimiter else None,
        decimal=_DECIMALS[decimal] if decimal else None,
    )


def _named(given: Given, date: str | None, *, animals: bool) -> Given:
    """The files under the names that they land by: of their kind, and of the time that is told."""
    from abalone_assets.ingest.landing import day_of
    from abalone_assets.survey import ANIMALS, SURVEYS, kind_of_file, survey_file_name
    from abalone_assets.synthesis.survey_file import survey_moment

    if date is not None and len(given.paths) != 1:
        raise click.BadParameter("tells the time of one file: give one", param_hint="--date")
    moment = None if date is None else survey_moment(date)

    def name_of(name: str) -> str:
        kind = ANIMALS if animals else kind_of_file(name)
        if moment is not None:
            return survey_file_name(moment, kind)
        if animals and day_of(name):
            return kind.prefix + name.removeprefix(SURVEYS.prefix).removeprefix(kind.prefix)
        return name

    return given.renamed(name_of)


def _document(file: CheckedFile) -> dict[str, Any]:
    return {
        "file": file.name,
        "bytes": len(file.read.data),
        "rows": file.survey.row_count if file.survey else 0,
        "quarantined": len(file.survey.quarantined) if file.survey else 0,
        "problem": file.read.problem,
        "waits": file.waits,
        "change": file.change,
        "converted": file.converted,
        "looks_like": file.read.looks_like.words if file.read.looks_like else None,
        "mended": dict(file.survey.mended) if file.survey else {},
        "notes": [*file.read.notes, *_warnings(file)],
        "held": file.held,
    }


def _warnings(file: CheckedFile) -> Iterator[str]:
    from abalone_assets.cli.landing import doubt_of

    if file.read.doubt:
        yield doubt_of(file)
    if file.held:
        yield (
            f"ingestion holds it: {file.held}; land it again, corrected, or say that it is right, "
            f'once its day is in the lake: `abalone accept {file.name} --because "…"`'
        )


def _show(checked: Sequence[CheckedFile], given: Given, uri: str, *, dry_run: bool) -> None:
    rows = map(_document, checked)
    print_table(
        ["file", "rows", "to quarantine", ""],
        (
            (row["file"], row["rows"], row["quarantined"], _outcome(row, dry_run=dry_run))
            for row in rows
        ),
        right=["rows", "to quarantine"],
    )
    _tell_notes(checked, given)
    _warn_of_quarantine(checked, given)
    out = console()
    if dry_run:
        out.print(f"Nothing was landed in {uri}: --dry-run shows what would be.")
    elif any(file.change != "identical" for file in checked):
        out.print(f"Landed in {uri}. `abalone status` shows what becomes of it.")
    else:
        out.print(f"Nothing to do: {uri} has these files already.")


def _outcome(row: dict[str, Any], *, dry_run: bool) -> str | Text:
    from rich.text import Text

    if row["change"] == "identical":
        return "the same survey is there already"
    change = f"would be {row['change']}" if dry_run else str(row["change"])
    if row["problem"]:
        return Text(f"{change}, but it is no survey: ingestion will use none of it", "red")
    if not row["rows"]:
        return Text(f"{change}, but ingestion will use none of it", "red")
    if row["converted"]:
        change += ", converted to the survey contract"
    if row["held"]:
        change += "; it will be held until `abalone accept`"
    return f"{change}; it waits until its day comes" if row["waits"] else change


def _tell_notes(checked: Sequence[CheckedFile], given: Given) -> None:
    out = console(stderr=True)
    for file in checked:
        for note in _document(file)["notes"]:
            out.print(f"{given.named(file.name)}: {note}", style="yellow")


def _warn_of_quarantine(checked: Sequence[CheckedFile], given: Given) -> None:
    from abalone_assets.cli.landing import landed_lines

    rows = [(file, row) for file in checked if file.survey for row in file.survey.quarantined]
    if not rows:
        return
    out = console(stderr=True)
    out.print(f"To be quarantined: {counted(len(rows), 'row')}", style="yellow")
    for file, row in rows[:SHOWN_ROWS]:
        # Of the given file, which is open beside it; `abalone status` will tell the landed one's.
        line = landed_lines(file).get(row.line, row.line)
        there = "" if line == row.line else f" (line {line} as it lands)"
        out.print(f"  {given.paths[file.name]}:{row.line}{there} {row.rule}: {row.message}")
    if len(rows) > SHOWN_ROWS:
        out.print(f"  and {len(rows) - SHOWN_ROWS} more")
