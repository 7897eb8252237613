"""``abalone status``: what is live, what is pending, what was put aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from abalone_assets.cli.output import (
    console,
    counted,
    example,
    facts,
    json_option,
    print_json,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abalone_assets.cli.status_approvals import Approvals, DecisionOnVersion
    from abalone_assets.cli.status_report import Live, Quarantine, StatusReport

LISTED: Final = 5


@click.command(epilog=example("abalone status", "abalone status --json"))
@json_option
def status(*, as_json: bool) -> None:
    """Show what is live and by whose word, what is pending and what was quarantined."""
    from abalone_assets.cli.status_report import StatusReport
    from abalone_assets.settings.platform import load_settings

    report = StatusReport.of(load_settings())
    if as_json:
        print_json(report.to_document())
        return
    out = console()
    out.print(facts(_facts(report)))
    _show_overrides(report.approvals.overrides)
    _show_quarantine(report.quarantine)
    _show_files("Files that are not taken in", report.stray_files | report.unreadable_files)
    out.print(f"Next: {report.next_step()}", markup=False)


def _facts(report: StatusReport) -> list[tuple[str, str]]:
    totals = report.totals
    base = "not ingested yet"
    if totals.base_survey:
        rows = f"{counted(totals.base_rows, 'row')}, {totals.base_quarantined} quarantined"
        base = f"{rows}, from {totals.base_survey}"
    surveys = (
        f"{counted(totals.files, 'file')} on {counted(totals.days, 'day')}: "
        f"{counted(totals.rows, 'row')}, {totals.quarantined} quarantined"
    )
    return [
        ("Home", f"{report.home} (profile {report.profile})"),
        ("Live", _live(report.live)),
        *_chosen(report.approvals),
        ("Pending", _pending(report)),
        ("Last release", _release(report)),
        ("Last decision", _decision(report.approvals.last_decision)),
        ("Base survey", base),
        ("Surveys", surveys),
    ]


def _live(live: Live) -> str:
    known = [f"RMSE {live.rmse:.3f} rings"] if live.rmse is not None else []
    known += [live.standing] if live.standing else []
    described = f" ({', '.join(known)})" if known else ""
    if live.url is None:
        if live.requested_version is None:
            return "nothing: no model was deployed yet, and no server runs"
        return (
            f"nothing: version {live.requested_version}{described} is deployed but no server runs"
        )
    if live.version is None:
        return f"nothing: the server at {live.url} waits for a model"
    text = f"version {live.version}{described} answers at {live.url}"
    if live.version != live.requested_version:
        text += f", though version {live.requested_version} is deployed"
    return f"{text}: {live.problem}" if live.problem else text


def _chosen(approvals: Approvals) -> list[tuple[str, str]]:
    """Which version people want live, and by which decision; nothing while the gate chose it."""
    if approvals.decided_by is None:
        return []
    desired = approvals.desired_version
    chosen = "none" if desired is None else f"version {desired}"
    return [("People want", f"{chosen}: {_decision(approvals.decided_by)}")]


def _pending(report: StatusReport) -> str:
    parts = []
    if report.due_days:
        more = "" if len(report.due_days) <= LISTED else ", …"
        listed = ", ".join(report.due_days[:LISTED]) + more
        parts.append(f"{counted(len(report.due_days), 'survey day')} to ingest ({listed})")
    if report.vanished_days:
        gone = counted(len(report.vanished_days), "survey day")
        parts.append(f"the files of {gone} are gone at once: the lake keeps their rows")
    if report.waiting_files:
        parts.append(f"{counted(len(report.waiting_files), 'file')} of a future day, which waits")
    if report.release_due:
        parts.append("a release of what was ingested")
    if report.deployment_due:
        parts.append(f"the deployment of version {report.approvals.desired_version}")
    return "; ".join(parts) or "nothing"


def _release(report: StatusReport) -> str:
    release = report.release
    if release is None:
        return "none yet"
    version = f" version {release.version}" if release.version else ""
    return f"{release.outcome}{version} at {release.finished_at}. {release.reason}"


def _decision(decision: DecisionOnVersion | None) -> str:
    if decision is None:
        return "none yet"
    verb = "approved" if decision.approved else "rejected"
    return (
        f"version {decision.version} {verb} by {decision.by} at {decision.at[:19]}. "
        f"{decision.because}"
    )


def _show_overrides(overrides: Sequence[DecisionOnVersion]) -> None:
    if not overrides:
        return
    shown = table(
        "version", "decision", "by", "when", "because", right=["version"], title="Decided by people"
    )
    for each in overrides:
        verb = "approved" if each.approved else "rejected"
        shown.add_row(str(each.version), verb, _plain(each.by), each.at[:19], _plain(each.because))
    console().print(shown)


def _show_quarantine(quarantine: Quarantine) -> None:
    if not quarantine.by_rule:
        return
    out = console()
    counts = table("rule", "rows", right=["rows"], title="Quarantined rows")
    for rule, count in quarantine.by_rule.items():
        counts.add_row(rule, str(count))
    out.print(counts)
    newest = table("where", "column", "rule", "what was found", title="The newest of them")
    for row in quarantine.newest:
        place, column = f"{row.file}:{row.line}", row.column or "the row"
        newest.add_row(*map(_plain, (place, column, row.rule, row.message)))
    out.print(newest)


def _show_files(title: str, problems: dict[str, str]) -> None:
    if not problems:
        return
    shown = table("file", "problem", title=f"{title} ({len(problems)})")
    for name, problem in list(problems.items())[:LISTED]:
        shown.add_row(_plain(name), _plain(problem))
    console().print(shown)


def _plain(text: str) -> str:
    """The text with nothing in it taken for markup."""
    from rich.markup import escape

    return escape(text)
