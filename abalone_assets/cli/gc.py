"""``abalone gc``: what may go so that the home stays small, and its removal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from abalone_assets.cli.output import (
    console,
    example,
    json_option,
    print_json,
    print_table,
)
from abalone_assets.errors import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abalone_assets.retention.kind import Kind


@click.command(epilog=example("abalone gc", "abalone gc --verbose", "abalone gc --yes"))
@click.option("--yes", "does_it", is_flag=True, help="Remove it; without, only say what would go.")
@click.option("--verbose", is_flag=True, help="Name everything that goes, and why the rest stays.")
@json_option
def gc(*, does_it: bool, verbose: bool, as_json: bool) -> None:
    """Free what nobody needs any more: old models, reports, runs, logs.

    The settings ABALONE_KEEP_… and ABALONE_CAPTURE_DAYS say how much is kept. What is live, what it
    would return to, what the next model is held against, runs in flight and the last
    materialization of every asset and partition are never removed. A schedule does the same every
    night.
    """
    from abalone_assets.automation.retention import all_kinds
    from abalone_assets.cli.instance import instance_folder, opened_instance
    from abalone_assets.settings.platform import load_settings

    settings = load_settings()
    folder = instance_folder(settings)
    with opened_instance(settings) as instance:
        kinds = all_kinds(settings, instance)
        freed = {kind.name: kind.free() if does_it else kind.surplus for kind in kinds}
    shown = [_row(kind, [thing.name for thing in freed[kind.name]]) for kind in kinds]
    if as_json:
        dropped = {} if verbose else {"names"}
        rows = [{key: each[key] for key in each.keys() - dropped} for each in shown]
        where = None if folder is None else str(folder)
        seen = {"runs_seen": instance is not None, "instance": where}
        print_json({"removed": does_it, **seen, "kinds": rows})
        return
    _show(shown, does_it=does_it, verbose=verbose)
    if folder is None:
        console().print("Dagster's runs were not looked at: DAGSTER_HOME names no instance here.")
    else:
        console().print(f"Dagster's runs are those of the instance {folder}.")


def _row(kind: Kind, names: list[str]) -> dict[str, Any]:
    return {**kind.to_document(), "names": names}


def _show(rows: Sequence[dict[str, Any]], *, does_it: bool, verbose: bool) -> None:
    from rich.filesize import decimal

    print_table(
        ["what", "removed" if does_it else "would go", "size", "stays", "size "],
        (
            (
                row["kind"],
                str(row["count"]),
                decimal(row["bytes"]),
                str(row["kept_count"]),
                decimal(row["kept_bytes"]),
            )
            for row in rows
        ),
        right={"removed", "would go", "size", "stays", "size "},
    )
    out = console()
    for row in rows if verbose else ():
        for name in row["names"]:
            out.print(f"{'removed' if does_it else 'would go'}: {name}")
        for reason, count in row["kept_because"].items():
            out.print(f"{row['kind']}: {count} stay: {reason}")
    count, size = sum(row["count"] for row in rows), sum(row["bytes"] for row in rows)
    if not count:
        out.print("Nothing is older than the settings keep.")
    elif does_it:
        out.print(f"Freed {decimal(size)}: {counted(count, 'thing')}.")
    else:
        out.print(f"{decimal(size)} would be freed: {counted(count, 'thing')}. Do it: --yes")
