"""``abalone forget``: a person's word that the surveys of some days were deleted on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import click

from abalone_assets.cli.output import (
    FAILED,
    agrees,
    console,
    example,
    json_option,
    print_json,
)
from abalone_assets.errors import counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from abalone_assets.ingest.landing_zone import Landing
    from abalone_assets.lake.manifest import Manifest

LISTED: Final = 10
"""Days that are shown at each end of a long list."""


def _read_days(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> tuple[date, ...]:
    """The days; what is none is a usage error."""
    from abalone_assets.errors import SurveyError
    from abalone_assets.survey import parse_day

    try:
        return tuple(map(parse_day, given))
    except SurveyError as error:
        raise click.BadParameter(str(error)) from error


@click.command(epilog=example("abalone forget 2025-03-14", "abalone forget --missing --yes"))
@click.argument("days", nargs=-1, metavar="[DAY]...", callback=_read_days)
@click.option("--missing", is_flag=True, help="All days that `abalone status` says are missing.")
@click.option("--animals", is_flag=True, help="Days of animals without rings, and their ages.")
@click.option("--yes", "is_agreed", is_flag=True, help="Do not ask which --missing days are meant.")
@json_option
@click.pass_context
def forget(
    ctx: click.Context,
    days: tuple[date, ...],
    *,
    missing: bool,
    animals: bool,
    is_agreed: bool,
    as_json: bool,
) -> None:
    """Let go of survey days whose files were deleted on purpose.

    The lake keeps days whose files are gone at once, because that looks like a landing zone that
    went away. This says that it did not: the next release leaves these days out. Files of them
    that land later are taken in as new. --missing shows the days first, and asks.
    """
    from datetime import UTC, datetime

    from abalone_assets.ingest.memory import MEMORY_KEYS, read_memory
    from abalone_assets.ingest.open import open_landing_zone
    from abalone_assets.ingest.reconcile import missing_days
    from abalone_assets.lake.animals import Animals
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.manifest_store import revoke_days
    from abalone_assets.settings.platform import load_settings
    from abalone_assets.survey import ANIMALS, SURVEYS

    settings = load_settings()
    lake = Lake(settings.lake_uri)
    kind = ANIMALS if animals else SURVEYS
    held = Animals(lake) if animals else lake
    zone = open_landing_zone(settings.landing_zone_uri)
    landing = zone.scan(settings.first_survey_day, datetime.now(UTC).date(), kind=kind)
    manifest, memory = held.manifest(), read_memory(lake.store, MEMORY_KEYS[kind])
    chosen = {day.isoformat() for day in days}
    if missing:
        chosen.update(
            day for day in missing_days(landing, manifest, memory) if day not in landing.days
        )
    elif not chosen:
        raise click.UsageError("name the days, or give --missing")
    forgotten = _may_be_forgotten(sorted(chosen), manifest, landing)
    if missing and forgotten:
        for line in _listed(forgotten, manifest):
            click.echo(line, err=as_json)
        asked = f"Forget {_days(len(forgotten), animals=animals)}?"
        if not (is_agreed or agrees(asked, otherwise="add --yes", as_json=as_json)):
            click.echo("Nothing was changed.", err=as_json)
            ctx.exit(FAILED)
    if forgotten:
        records = held.records if isinstance(held, Animals) else held.store
        revoke_days(records, forgotten, forget=True)
    outcome = {"days": forgotten, "rows": sum(_rows(day, manifest) for day in forgotten)}
    _show(outcome, animals=animals, as_json=as_json)


def _listed(days: list[str], manifest: Manifest) -> Iterator[str]:
    """What would be let go of: the first and the last days, and how much there is in between."""
    for day in days if len(days) <= 2 * LISTED else [*days[:LISTED], "", *days[-LISTED:]]:
        if day:
            files = counted(manifest.summaries[day].files, "file")
            yield f"  {day}: {files}, {counted(_rows(day, manifest), 'row')}"
        else:
            yield f"  … {len(days) - 2 * LISTED} more days …"


def _rows(day: str, manifest: Manifest) -> int:
    """The rows of a day; of one that was revoked, those that it held before."""
    if not manifest.summaries[day].being_written:
        return manifest.rows_of(day)
    return sum(file.rows for file in manifest.last_files(day))


def _may_be_forgotten(days: list[str], manifest: Manifest, landing: Landing) -> list[str]:
    """The days of these that the lake holds.

    Raises:
        SurveyError: A day still has files in the landing zone, or the lake knows none of it.
    """
    from abalone_assets.errors import SurveyError

    problems = []
    for day in days:
        if files := landing.days.get(day):
            names = ", ".join(file.name for file in files)
            problems.append(
                f"{day} still has files in the landing zone; delete them first: {names}"
            )
        elif day not in manifest.summaries or not manifest.summaries[day].files:
            problems.append(f"{day} is no survey day that the lake holds")
    if problems:
        raise SurveyError(f"nothing was forgotten: {'; '.join(problems)}")
    return days


def _days(count: int, *, animals: bool) -> str:
    days = counted(count, "day" if animals else "survey day")
    return f"{days} of animals without rings" if animals else days


def _show(outcome: dict[str, Any], *, animals: bool, as_json: bool) -> None:
    days, rows = len(outcome["days"]), counted(outcome["rows"], "row")
    if as_json:
        print_json(outcome)
    elif days:
        follows = "Their ages go with them." if animals else "The next release leaves them out."
        console().print(f"Forgot {_days(days, animals=animals)} with {rows}. {follows}")
    else:
        what = "day of animals without rings" if animals else "survey day"
        console().print(f"Nothing to do: no {what} is missing.")
