"""``abalone doctor``: is everything there that the platform needs?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from abalone_assets.cli.output import (
    FAILED,
    agrees,
    console,
    example,
    json_option,
    print_json,
    print_table,
)
from abalone_assets.errors import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abalone_assets.doctor.finding import Finding
    from abalone_assets.doctor.live.run import LiveDoctor, LiveReport
    from abalone_assets.settings.platform import Settings

STYLES: Final = {"ok": "green", "warning": "yellow", "failed": "bold red"}
SIGNAL_BASE: Final = 128
"""Shells report a program that a signal ended as this and the signal's number."""


@click.command(
    epilog=example(
        "abalone doctor",
        "abalone doctor --repair",
        "ABALONE_PROFILE=aws abalone doctor --json",
        "ABALONE_PROFILE=aws abalone doctor --live",
    )
)
@click.option(
    "--repair",
    "repairs",
    is_flag=True,
    help="First mend what can be made again from the lake, such as the catalog file.",
)
@click.option(
    "--live",
    "is_live",
    is_flag=True,
    help="Prove an AWS account by a release in small, which takes some 20 minutes and costs some "
    "cents: it says how much at most, and asks.",
)
@click.option("--yes", "is_agreed", is_flag=True, help="With --live: do not ask.")
@click.option(
    "--clean-up",
    "cleans_up",
    is_flag=True,
    help="With --live: only remove what earlier ones left, also those of other machines.",
)
@json_option
@click.pass_context
def doctor(
    ctx: click.Context,
    *,
    repairs: bool,
    is_live: bool,
    is_agreed: bool,
    cleans_up: bool,
    as_json: bool,
) -> None:
    """Check that everything is there that the platform needs.

    In the profile aws: identity, region, every SSM parameter, buckets, roles and quotas. Nothing is
    launched, but by --live. Exits with 1 when something fails.
    """
    from abalone_assets.doctor.open import examine, repair
    from abalone_assets.settings.platform import load_settings

    if (is_agreed or cleans_up) and not is_live:
        raise click.UsageError("--yes and --clean-up are of --live")
    if is_live and repairs:
        raise click.UsageError("--repair is of the profile local, and --live of the profile aws")
    settings = load_settings()
    if is_live:
        _live(ctx, settings, is_agreed=is_agreed, cleans_up=cleans_up, as_json=as_json)
        return
    findings = list(repair(settings)) if repairs else []
    with console(stderr=True).status("Looking at everything …") as status:
        for finding in examine(settings, lambda line: status.update(f"Looking: {line} …")):
            findings.append(finding)
            status.update(f"Looked at {finding.subject} …")
    if as_json:
        print_json({"profile": settings.profile, "findings": [asdict(each) for each in findings]})
    else:
        show_findings(f"Profile {settings.profile}", findings)
    if any(finding.outcome == "failed" for finding in findings):
        ctx.exit(FAILED)


def _live(
    ctx: click.Context, settings: Settings, *, is_agreed: bool, cleans_up: bool, as_json: bool
) -> None:
    """Prove the account, or only remove what earlier proofs left."""
    from abalone_assets.defs.resources import profile_resources
    from abalone_assets.doctor.live.run import LiveDoctor
    from abalone_assets.errors import SettingsError
    from abalone_assets.settings.aws import load_aws_settings

    if settings.profile != "aws":
        raise SettingsError("--live proves an AWS account: set ABALONE_PROFILE=aws")

    def say(line: str) -> None:
        click.echo(line, err=as_json)

    live = LiveDoctor(load_aws_settings(), profile_resources(settings), say)
    if not cleans_up:
        for line in live.plan():
            say(line)
        otherwise = "add --yes to agree to these costs"
        if not (is_agreed or agrees("Go on?", otherwise=otherwise, as_json=as_json)):
            say("Nothing was started.")
            ctx.exit(FAILED)
    report = live.clean_up() if cleans_up else live.prove()
    if as_json:
        print_json(_live_document(settings, live, report))
    else:
        show_findings(f"Account of {live.identity}", report.findings)
    if report.interrupted:
        ctx.exit(SIGNAL_BASE + report.signal)
    if report.failed:
        ctx.exit(FAILED)


def _live_document(settings: Settings, live: LiveDoctor, report: LiveReport) -> dict[str, Any]:
    return {
        "profile": settings.profile,
        "findings": [asdict(each) for each in report.findings],
        "live": {
            "trial": report.trial,
            "identity": live.identity,
            "interrupted": report.interrupted,
            "seconds": [round(each, 1) for each in report.seconds],
            "jobs_usd": round(report.jobs_usd, 4),
            **live.bounds,
        },
    }


def show_findings(title: str, findings: Sequence[Finding]) -> None:
    """Print what was found as a table, what to do about it, and a verdict."""
    from rich.text import Text

    print_table(
        ["", "what", "found"],
        ((Text(each.outcome, STYLES[each.outcome]), each.subject, each.found) for each in findings),
        title=title,
    )
    out = console()
    for finding in findings:
        if finding.remedy and finding.outcome != "ok":
            out.print(f"{finding.subject}: {finding.remedy}")
    failed = sum(finding.outcome == "failed" for finding in findings)
    warnings = sum(finding.outcome == "warning" for finding in findings)
    if failed:
        out.print(f"{counted(failed, 'check')} failed, {counted(warnings, 'warning')}", style="red")
    elif warnings:
        out.print(f"{counted(warnings, 'warning')}; nothing that stops the platform")
    else:
        out.print("All is well.", style="green")
