"""``abalone gc``: what may go so that the home stays small, and its removal."""

from __future__ import annotations

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
    from collections.abc import Sequence

    from abalone_assets.retention.kind import Kind, Thing

NOT_REMOVED: Final = "not removed: needed by now, or not this user's to remove"


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

    Runs are those of the home's own Dagster, or of the instance that DAGSTER_HOME names elsewhere.
    There runs of other projects stay, and one that knows nothing of this platform is refused.
    """
    from abalone_assets.automation.retention import all_kinds
    from abalone_assets.cli.instance import instance_folder, opened_instance, require_ours
    from abalone_assets.local.instance import instance_elsewhere
    from abalone_assets.settings.platform import load_settings

    settings = load_settings()
    folder = instance_folder(settings)
    with opened_instance(settings) as instance:
        if instance is not None:
            require_ours(settings, instance)
        is_shared = instance_elsewhere(settings) is not None
        kinds = all_kinds(settings, instance, only_our_runs=is_shared)
        gone = _removed(kinds, as_json=as_json) if does_it else [kind.surplus for kind in kinds]
    shown = [_row(kind, things) for kind, things in zip(kinds, gone, strict=True)]
    if as_json:
        dropped = {} if verbose else {"names"}
        rows = [{key: each[key] for key in each.keys() - dropped} for each in shown]
        where = None if folder is None else str(folder)
        seen = {"runs_seen": instance is not None, "instance": where}
        print_json({"removed": does_it, **seen, "kinds": rows})
        return
    _show(shown, does_it=does_it, verbose=verbose)
    for warning in (each for kind in kinds for each in kind.warnings):
        console(stderr=True).print(f"Warning: {warning}", style="yellow")
    if folder is None:
        console().print("Dagster's runs were not looked at: DAGSTER_HOME names no instance here.")
    else:
        console().print(f"Dagster's runs are those of the instance {folder}.")


def _removed(kinds: Sequence[Kind], *, as_json: bool) -> list[list[Thing]]:
    """Remove what may go; what went of each kind."""
    surplus = [(kind, thing) for kind in kinds for thing in kind.surplus]
    shown = surplus if as_json else with_progress(surplus, "removing", total=len(surplus))
    gone: dict[str, list[Thing]] = {kind.name: [] for kind in kinds}
    for kind, thing in shown:
        if kind.remove(thing):
            gone[kind.name].append(thing)
    return list(gone.values())


def _row(kind: Kind, gone: Sequence[Thing]) -> dict[str, Any]:
    """Of a kind, what goes and what stays, of which some may have been meant to go."""
    from abalone_assets.retention.kind import bytes_of

    names, told = [thing.name for thing in gone], kind.to_document()
    left = len(kind.surplus) - len(gone)
    return {
        **told,
        "count": len(gone),
        "bytes": bytes_of(gone),
        "kept_count": told["kept_count"] + left,
        "kept_bytes": told["kept_bytes"] + told["bytes"] - bytes_of(gone),
        "kept_because": {**told["kept_because"], **({NOT_REMOVED: left} if left else {})},
        "names": names,
    }


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
    left = sum(row["kept_because"].get(NOT_REMOVED, 0) for row in rows)
    if not count and not left:
        out.print("Nothing is older than the settings keep.")
    elif does_it:
        out.print(f"Freed {decimal(size)}: {counted(count, 'thing')}.")
    else:
        out.print(f"{decimal(size)} would be freed: {counted(count, 'thing')}. Do it: --yes")
    if left:
        out.print(
            f"{counted(left, 'thing')} of what was to go stayed: needed by now, or not this user's "
            "to remove. `abalone gc --verbose` names what would go.",
            style="yellow",
        )
