"""``abalone doctor``: is everything there that the platform needs?"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from abalone_assets.cli.output import (
    FAILED,
    console,
    counted,
    example,
    json_option,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abalone_assets.doctor.finding import Finding
    from abalone_assets.settings.platform import Settings

STYLES: Final = {"ok": "green", "warning": "yellow", "failed": "bold red"}


@click.command(
    epilog=example(
        "abalone doctor", "abalone doctor --repair", "ABALONE_PROFILE=aws abalone doctor --json"
    )
)
@click.option(
    "--repair",
    "repairs",
    is_flag=True,
    help="First mend what can be made again from the lake, such as the catalog file.",
)
@json_option
@click.pass_context
def doctor(ctx: click.Context, *, repairs: bool, as_json: bool) -> None:
    """Check that everything is there that the platform needs.

    In the profile aws: identity, region, every SSM parameter, buckets, roles and quotas. Nothing is
    launched. Exits with 1 when something fails.
    """
    from abalone_assets.doctor.open import examine, repair
    from abalone_assets.settings.platform import load_settings

    settings = load_settings()
    findings = list(repair(settings)) if repairs else []
    with console(stderr=True).status("Looking at everything …") as status:
        for finding in examine(settings, lambda line: status.update(f"Looking: {line} …")):
            findings.append(finding)
            status.update(f"Looked at {finding.subject} …")
    if as_json:
        print_json({"profile": settings.profile, "findings": [asdict(each) for each in findings]})
    else:
        _show(settings, findings)
    if any(finding.outcome == "failed" for finding in findings):
        ctx.exit(FAILED)


def _show(settings: Settings, findings: Sequence[Finding]) -> None:
    from rich.text import Text

    print_table(
        ["", "what", "found"],
        ((Text(each.outcome, STYLES[each.outcome]), each.subject, each.found) for each in findings),
        title=f"Profile {settings.profile}",
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
