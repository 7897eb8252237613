"""``abalone versions``: the model versions, what they were made from and who decided on them."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

import click

from abalone_assets.cli.output import (
    VERSION,
    console,
    example,
    json_option,
    print_facts,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from abalone_assets.cli.version_report import VersionReport
    from abalone_assets.registry.version_facts import VersionFacts

LISTED: Final = 20
LISTED_FILES: Final = 20
DIGITS: Final = 12
"""Of a file's digest, that are shown."""


@click.command(epilog=example("abalone versions", "abalone versions 3", "abalone versions --all"))
@click.argument("version", type=VERSION, required=False, metavar="[VERSION]")
@click.option("--all", "whole", is_flag=True, help=f"All of them, not only the newest {LISTED}.")
@json_option
def versions(version: int | None, *, whole: bool, as_json: bool) -> None:
    """List the model versions: from which data, how good, approved by whom, and what is live.

    The newest comes first. RMSE is in rings, on the version's own test rows, with its 95 %
    interval; "unseen rows" are those that neither of two versions had learnt from. --json has the
    gate's whole sentences.

    Of one VERSION it says what made it: the base survey and each survey file with its digest, code,
    framework, hyperparameters, libraries, machine and Dagster run.
    """
    from abalone_assets.registry.open import open_registry
    from abalone_assets.registry.version_facts import VersionFacts
    from abalone_assets.serving.live_version import live_version
    from abalone_assets.settings.platform import load_settings

    if version is not None:
        _show_one(version, as_json=as_json)
        return
    settings = load_settings()
    live = live_version(settings)
    found = islice(open_registry(settings).newest_first(), None if whole else LISTED + 1)
    facts = [VersionFacts.of(version) for version in found]
    shown = facts if whole else facts[:LISTED]
    if as_json:
        documents = [{**each.to_document(), "live": each.version == live} for each in shown]
        print_json({"endpoint": settings.endpoint_name, "live": live, "versions": documents})
        return
    if not shown:
        console().print("There is no version yet: `abalone dev` or `abalone demo` releases one.")
        return
    _show(shown, live)
    if len(facts) > len(shown):
        console().print(f"Older ones: `abalone versions --all`, from version {facts[-1].version}.")


def _show(shown: list[VersionFacts], live: int | None) -> None:
    print_table(
        ["version", "registered (UTC)", "rows", "days", "RMSE", "status", "why"],
        (
            (
                f"{each.version}{' live' if each.version == live else ''}",
                each.registered_at[:16].replace("T", " "),
                _known(each.data.rows),
                _known(each.data.days),
                _rmse(each),
                each.status,
                each.in_short,
            )
            for each in shown
        ),
        right=["rows", "days"],
    )


def _known(count: int | None) -> str:
    return "-" if count is None else str(count)


def _rmse(each: VersionFacts) -> str:
    if each.rmse is None:
        return "-"
    if each.rmse_low is None or each.rmse_high is None:
        return f"{each.rmse:.3f}"
    return f"{each.rmse:.3f} ({each.rmse_low:.2f} to {each.rmse_high:.2f})"


def _show_one(number: int, *, as_json: bool) -> None:
    from abalone_assets.cli.version_report import VersionReport
    from abalone_assets.settings.platform import load_settings

    report = VersionReport.of(load_settings(), number)
    if as_json:
        print_json(report.to_document())
        return
    print_facts(report.lines())
    _show_files(report)
    console().print(f"Next: {report.next_step()}")


def _show_files(report: VersionReport) -> None:
    files = report.files
    print_table(
        ["file", "survey day", "rows", "SHA-256"],
        ((each.name, each.day, each.rows, each.sha256[:DIGITS]) for each in files[:LISTED_FILES]),
        right=["rows"],
        title="Survey files that it learnt from",
    )
    if len(files) > LISTED_FILES:
        console().print(f"  … and {len(files) - LISTED_FILES} more: --json has all")
