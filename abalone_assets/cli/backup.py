"""``abalone backup``: a copy of all that a home keeps."""

from __future__ import annotations

import shlex
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from abalone_assets.cli.output import (
    FAILED,
    PARTLY,
    console,
    example,
    json_option,
    print_json,
    progress_bar,
)
from abalone_assets.errors import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

LISTED = 10


@click.command(epilog=example("abalone backup /mnt/backups", "abalone backup --check COPY"))
@click.argument("target", type=click.Path(file_okay=False, path_type=Path))
@click.option("--without-surveys", is_flag=True, help="Leave the landing zone out.")
@click.option("--check", "checks", is_flag=True, help="Only compare a copy with its SHA256SUMS.")
@json_option
@click.pass_context
def backup(
    ctx: click.Context, target: Path, *, without_surveys: bool, checks: bool, as_json: bool
) -> None:
    """Copy lake, registry, surveys and Dagster's records to a new folder in TARGET.

    Safe while `abalone dev` works. Files that an earlier copy in TARGET has, too, take no room:
    they are shared by hard links. A copy is a home: to restore, copy it back to an empty one.

    Exits with 4 when surveys, or files of Dagster's, could not be read: the copy is without them,
    its name ends in -incomplete, and they are named.
    """
    from abalone_assets.backup.home import back_up
    from abalone_assets.settings.platform import load_settings

    if checks:
        _check(ctx, target, as_json=as_json)
        return
    with nullcontext() if as_json else progress_bar("copying") as show:
        made = back_up(load_settings(), target, with_surveys=not without_surveys, show=show)
    missing = _printable(made.missing)
    if as_json:
        print_json({**asdict(made), "missing": missing})
    else:
        from rich.filesize import decimal

        out, files = console(), counted(made.files, "file")
        typed = shlex.quote(str(made.folder))
        out.print(f"{made.folder}: {files}, {decimal(made.size)}", style="bold")
        out.print(f"To look at it: abalone backup --check {typed}")
        out.print(f"To restore:    cp -a {typed}/. EMPTY_HOME, and ABALONE_HOME=EMPTY_HOME")
        _show_missing(missing)
    if missing:
        ctx.exit(PARTLY)


def _check(ctx: click.Context, copy: Path, *, as_json: bool) -> None:
    """Say what of a copy is not as it was copied, and what it lacked from the beginning."""
    from abalone_assets.backup.home import altered, lacking
    from abalone_assets.ingest.landing_zone import printable

    wrong = [printable(name) for name in altered(copy)]
    missing = _printable(lacking(copy))
    if as_json:
        print_json({"copy": str(copy), "altered": wrong, "missing": missing})
    elif not wrong:
        console().print(f"{copy} is as it was copied.", style="green")
    for name in [] if as_json else wrong[:LISTED]:
        console().print(f"{name}: gone, or other bytes than were copied", style="red")
    if not as_json:
        _show_missing(missing)
    if wrong or missing:
        ctx.exit(FAILED if wrong else PARTLY)


def _printable(missing: Mapping[str, str]) -> dict[str, str]:
    from abalone_assets.ingest.landing_zone import printable

    return {printable(name): reason for name, reason in missing.items()}


def _show_missing(missing: Mapping[str, str]) -> None:
    if not missing:
        return
    out, more = console(), len(missing) - LISTED
    for name, reason in list(missing.items())[:LISTED]:
        out.print(f"{name}: could not be read ({reason}), and is not in the copy", style="red")
    if more > 0:
        out.print(f"… and {more} more", style="red")
    out.print(
        "Let this user read what is missing, or mend its disk, and make another copy. What a "
        "database of Dagster's told, `abalone restore` makes again from the records."
    )
