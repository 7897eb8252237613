"""``abalone backup``: a copy of all that a home keeps."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from abalone_assets.cli.output import FAILED, console, example, json_option, print_json
from abalone_assets.errors import counted

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
    """
    from abalone_assets.backup.home import altered, back_up
    from abalone_assets.ingest.landing_zone import printable
    from abalone_assets.settings.platform import load_settings

    if checks:
        wrong = [printable(name) for name in altered(target)]
        if as_json:
            print_json({"copy": str(target), "altered": wrong})
        elif not wrong:
            console().print(f"{target} is as it was copied.", style="green")
        for name in [] if as_json else wrong[:LISTED]:
            console().print(f"{name}: gone, or other bytes than were copied", style="red")
        if wrong:
            ctx.exit(FAILED)
        return
    made = back_up(load_settings(), target, with_surveys=not without_surveys)
    if as_json:
        print_json(asdict(made))
        return
    from rich.filesize import decimal

    out = console()
    out.print(f"{made.folder}: {counted(made.files, 'file')}, {decimal(made.size)}", style="bold")
    out.print(f"To look at it: abalone backup --check {made.folder}")
    out.print(f"To restore:    cp -a {made.folder}/. EMPTY_HOME, and ABALONE_HOME=EMPTY_HOME")
