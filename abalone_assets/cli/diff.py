"""``abalone diff``: what differs from one model version to another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from abalone_assets.cli.output import (
    VERSION,
    console,
    example,
    json_option,
    print_json,
    print_table,
)
from abalone_assets.errors import counted

if TYPE_CHECKING:
    from abalone_assets.provenance.differences import (
        DataDifference,
        FileDifference,
        Scores,
        VersionDifference,
    )
    from abalone_assets.provenance.rebuild import Changed

LISTED: Final = 40
DIGITS: Final = 12
"""Of a digest, that are shown."""


@click.command(epilog=example("abalone diff 3 5", "abalone diff 3 5 --json"))
@click.argument("one", metavar="V1", type=VERSION)
@click.argument("other", metavar="V2", type=VERSION)
@json_option
def diff(one: int, other: int, *, as_json: bool) -> None:
    """Say what differs from version V1 to version V2.

    Survey files and rows, code, settings, libraries and machine, and how both answer on the same
    rows of the last release, which neither has learnt from. What is not known is said.
    """
    from abalone_assets.errors import StorageError
    from abalone_assets.lake.lake import Lake
    from abalone_assets.provenance.differences import difference
    from abalone_assets.registry.open import open_registry
    from abalone_assets.settings.platform import load_settings

    if one == other:
        raise StorageError(f"version {one} does not differ from itself: choose another")
    settings = load_settings()
    with console(stderr=True).status(f"Comparing version {one} with version {other} …"):
        found = difference(open_registry(settings), Lake(settings.lake_uri), one, other)
    if as_json:
        print_json(found.to_document())
    else:
        _show(found)


def _show(found: VersionDifference) -> None:
    if found.data is not None:
        _show_data(found.data)
    for title, changes in (
        ("Code", found.code),
        ("Settings", found.settings),
        ("Libraries", found.libraries),
        ("Machine", found.machine),
    ):
        if changes is not None:
            _show_changes(title, changes, found.versions)
    if found.scores is not None:
        _show_scores(found.scores, found.versions)
    for problem in found.unknown:
        console().print(f"Not known: {problem}", style="yellow")


def _show_data(data: DataDifference) -> None:
    out = console()
    rows, days = (f"{before} → {after}" for before, after in (data.rows, data.days))
    out.print(f"Data: {rows} rows of the base survey and {days} survey days")
    if not data.files:
        out.print("  every file has the rows that it had")
        return
    for kind in ("added", "removed", "changed"):
        files = [file for file in data.files if file.kind == kind]
        if files:
            gained = sum((file.rows[1] or 0) - (file.rows[0] or 0) for file in files)
            out.print(f"  {counted(len(files), 'file')} {kind}, {gained:+} rows")
    shown = data.files[:LISTED]
    print_table(
        ["file", "survey day", "", "rows before", "rows after"],
        ((file.name, file.day or "base survey", file.kind, *_counts(file)) for file in shown),
        right=["rows before", "rows after"],
    )
    if len(data.files) > len(shown):
        out.print(f"  … and {len(data.files) - len(shown)} more: --json has all")


def _counts(file: FileDifference) -> list[str]:
    return ["-" if count is None else str(count) for count in file.rows]


def _show_changes(title: str, changes: Changed, versions: tuple[int, int]) -> None:
    if not changes:
        console().print(f"{title}: the same")
        return
    rows = ((name, *(_short(name, each) for each in pair)) for name, pair in changes.items())
    print_table([title.lower(), *(f"version {version}" for version in versions)], rows)


def _short(name: str, value: str | None) -> str:
    if value is None:
        return "-"
    return value[:DIGITS] if name in {"sha256", "commit"} else value


def _show_scores(scores: Scores, versions: tuple[int, int]) -> None:
    first, second = (
        f"version {version} {rmse:.3f}" for version, rmse in zip(versions, scores.rmse, strict=True)
    )
    console().print(
        f"RMSE on {scores.rows} rows that neither had learnt: {first}, {second}; difference "
        f"{scores.difference:+.3f} ({scores.low:+.3f} to {scores.high:+.3f})"
    )
