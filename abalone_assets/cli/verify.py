"""``abalone verify``: is what the records say what is stored?"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import asdict

import click

from abalone_assets.cli.doctor import show_findings
from abalone_assets.cli.output import FAILED, console, example, json_option, print_json


@click.command(epilog=example("abalone verify", "abalone verify --json"))
@click.pass_context
@json_option
def verify(ctx: click.Context, *, as_json: bool) -> None:
    """Compare what the records say with what is stored; nothing is changed.

    Every survey day has the rows of each of its files, every file in the landing zone the bytes
    that were ingested, the splits have every row, and every model version the archive that was
    registered and the rows that it was trained on. Exits with 1 when something is not as recorded.
    It reads all of it: seconds on a laptop, and requests and traffic on S3.
    """
    from abalone_assets.doctor.verify.run import verify as look
    from abalone_assets.settings.platform import load_settings

    settings = load_settings()
    findings = []
    with ExitStack() as stack:
        status = console(stderr=True).status("Looking at the manifest …")
        if not as_json:
            stack.enter_context(status)
        for finding in look(settings):
            findings.append(finding)
            status.update(f"Looked at {finding.subject} …")
    if as_json:
        print_json({"findings": [asdict(each) for each in findings]})
    else:
        show_findings(f"{settings.lake_uri} and {settings.registry_uri}", findings)
    if any(each.outcome == "failed" for each in findings):
        ctx.exit(FAILED)
