"""``abalone status``: what is live, what is pending, what was put aside."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import click

from abalone_assets.cli.output import (
    console,
    example,
    json_option,
    print_facts,
    print_json,
    print_table,
)
from abalone_assets.errors import counted

if TYPE_CHECKING:
    from abalone_assets.cli.data_status import UnagedAnimals
    from abalone_assets.cli.file_report import DayReport, FileReport
    from abalone_assets.cli.model_status import DecisionOnVersion, Live
    from abalone_assets.cli.status_report import StatusReport

LISTED: Final = 5
LISTED_ROWS: Final = 20


@click.command(
    epilog=example(
        "abalone status",
        "abalone status abalone.20250314061500",
        "abalone status 2025-03-14 --json",
    )
)
@click.argument("subject", required=False, metavar="[FILE|DAY]")
@json_option
def status(subject: str | None, *, as_json: bool) -> None:
    """Show what is live and by whose word, what is pending, quarantined and held.

    Of a FILE it shows what became of it and of its rows, and where it waits and why; of a
    DAY, an ISO date, the same of each file.
    """
    from abalone_assets.cli.status_report import StatusReport
    from abalone_assets.settings.platform import load_settings

    if subject is not None:
        _show_subject(subject, as_json=as_json)
        return
    report = StatusReport.of(load_settings())
    if as_json:
        print_json(report.to_document())
        return
    print_facts(_facts(report))
    _show_lists(report)
    console().print(f"Next: {report.next_step()}")


def _show_subject(subject: str, *, as_json: bool) -> None:
    from abalone_assets.cli.file_report import FileReport, report_on
    from abalone_assets.settings.platform import load_settings

    report = report_on(subject, load_settings())
    if as_json:
        print_json(report.to_document())
    elif isinstance(report, FileReport):
        _show_file(report)
    else:
        _show_day(report)


def _show_file(report: FileReport) -> None:
    found = report.status
    said = [("File", found.name), ("State", f"{found.state.replace('_', ' ')}: {found.why}")]
    if found.landed_at:
        said.append(("Landed", f"{found.landed_at:%Y-%m-%d %H:%M:%S} UTC"))
    if found.ingested is not None:
        said.append(("Rows", _rows(report)))
        said += [("Note", note) for note in found.notes]
    if report.release is not None:
        said.append(("Release", report.release.why))
    if report.ages is not None:
        said.append(("Ages", report.ages))
    print_facts(said)
    rows = report.bad_rows
    print_table(
        ["line", "column", "what was found", "the row"],
        ((row.line, row.column or "the row", row.message, row.raw) for row in rows[:LISTED_ROWS]),
        right=["line"],
        title="Quarantined rows",
    )
    if len(rows) > LISTED_ROWS:
        console().print(f"{len(rows) - LISTED_ROWS} more: --json has all of them.")
    console().print(f"Next: {report.next_step()}")


def _show_day(report: DayReport) -> None:
    print_table(
        ["file", "state", "rows", "quarantined", "release", "why"],
        (
            (
                file.status.name,
                file.status.state.replace("_", " "),
                file.status.rows,
                file.status.quarantined,
                file.release.why if file.release else "-",
                file.status.why,
            )
            for file in report.files
        ),
        right=["rows", "quarantined"],
        title=report.day,
    )
    console().print("`abalone status FILE` shows the quarantined rows of one.")


def _rows(report: FileReport) -> str:
    entry = report.status.ingested
    if report.status.state == "refused":
        return "none: nothing of a refused file is used, so none is quarantined either"
    said = _taken_in(report.status.rows, report.status.quarantined)
    if entry is not None and entry.held_rows:
        said += f", {entry.held_rows} held"
    if entry is not None and entry.odd_animals:
        said += f"; {counted(entry.odd_animals, 'animal')} with odd measurements"
    return said


def _taken_in(rows: int, quarantined: int) -> str:
    """How many rows are in tables, and how many others are not."""
    others = f"{quarantined} quarantined" if quarantined else "none quarantined"
    return f"{counted(rows, 'row')} taken in, {others}"


def _facts(report: StatusReport) -> list[tuple[str, str]]:
    totals = report.totals
    base = "not ingested yet"
    if totals.base_survey:
        rows = _taken_in(totals.base_rows, totals.base_quarantined)
        base = f"{rows}, from {totals.base_survey}"
    surveys = (
        f"{counted(totals.files, 'file')} on {counted(totals.days, 'day')}: "
        f"{_taken_in(totals.rows, totals.quarantined)}"
    )
    if report.earlier_days:
        earlier = counted(len(report.earlier_days), "survey day")
        surveys += f"; {earlier} before ABALONE_FIRST_SURVEY_DAY in no release"
    files, rows = counted(totals.held_files, "file"), counted(totals.held_rows, "row")
    held = [("Held", f"{files} of {rows}, off as a whole")] if totals.held_files else []
    desired, decided_by = report.approvals.desired_version, report.approvals.decided_by
    chosen = "none" if desired is None else f"version {desired}"
    people = [("People want", f"{chosen} live: {_decision(decided_by)}")] if decided_by else []
    return [
        ("Home", f"{report.home} (profile {report.profile})"),
        ("Live", _live(report.live)),
        *people,  # nothing while the gate chose what is live
        ("Pending", _pending(report)),
        ("Last release", _release(report)),
        *([("Last decision", _decision(report.new_decision))] if report.new_decision else []),
        ("Base survey", base),
        *([("Base refused", report.base_refused)] if report.base_refused else []),
        ("Surveys", surveys),
        *held,
        *_animals(report.animals),
    ]


def _animals(animals: UnagedAnimals | None) -> list[tuple[str, str]]:
    """The animals whose rings nobody counted; nothing in a home that has none."""
    if animals is None or not (animals.files or animals.due_days):
        return []
    refused = f" ({len(animals.refused_files)} refused)" if animals.refused_files else ""
    said = (
        f"{counted(animals.rows, 'animal')} in {counted(animals.files, 'file')}{refused}, "
        f"{counted(animals.quarantined, 'row')} quarantined, {animals.aged} aged"
    )
    if animals.due_days:
        said += (
            f"; {counted(len(animals.due_days), 'day')} to take in ({_listed(animals.due_days)})"
        )
    if animals.days_to_age:
        days = f"{counted(len(animals.days_to_age), 'day')} ({_listed(animals.days_to_age)})"
        waits = "for a model: none is live yet" if animals.waiting_for_model else "to be aged"
        said += f"; {days} wait{'s' if len(animals.days_to_age) == 1 else ''} {waits}"
    if animals.vanished_days:
        said += (
            f"; the files of {counted(len(animals.vanished_days), 'day')} are gone at once "
            f"({_listed(animals.vanished_days)}): the lake keeps the ages"
        )
    return [("Without rings", said)]


def _live(live: Live) -> str:
    known = [f"RMSE {live.rmse:.3f} rings"] if live.rmse is not None else []
    known += [live.standing] if live.standing else []
    described = f" ({', '.join(known)})" if known else ""
    if live.url is None:
        if live.requested_version is None:
            return "nothing: no model was deployed yet, and no server runs"
        text = (
            f"nothing: version {live.requested_version}{described} is deployed but no server runs"
        )
        return f"{text}; {live.problem}" if live.problem else text
    if live.version is None:
        return f"nothing: the server at {live.url} waits for a model"
    text = f"version {live.version}{described} answers at {live.url}"
    if live.version != live.requested_version:
        text += f", though version {live.requested_version} is deployed"
    return f"{text}: {live.problem}" if live.problem else text


def _pending(report: StatusReport) -> str:
    parts = []
    if report.due_days:
        listed = _listed(report.due_days)
        parts.append(f"{counted(len(report.due_days), 'survey day')} to ingest ({listed})")
    if report.vanished_days:
        gone = counted(len(report.vanished_days), "survey day")
        verb = "is" if len(report.vanished_days) == 1 else "are"
        listed = _listed(report.vanished_days)
        parts.append(f"the files of {gone} {verb} gone at once ({listed}): the lake keeps the rows")
    if report.lost_days:
        lost = counted(len(report.lost_days), "survey day")
        parts.append(f"the lake lost {lost} ({_listed(report.lost_days)})")
    if report.growing_files:
        files = counted(len(report.growing_files), "file")
        parts.append(f"{files} still being written ({_listed(report.growing_files)})")
    if report.waiting_files:
        parts.append(f"{counted(len(report.waiting_files), 'file')} of a future day, which waits")
    if report.release_due:
        parts.append("a release of what was ingested")
    if report.deployment_due:
        parts.append(f"the deployment of version {report.approvals.desired_version}")
    return "; ".join(parts) or "nothing"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:LISTED]) + ("" if len(names) <= LISTED else ", …")


def _release(report: StatusReport) -> str:
    release = report.release
    if release is None:
        return "none yet"
    version = f" version {release.version}" if release.version else ""
    return f"{release.outcome}{version} at {release.finished_at}. {report.release_in_short}"


def _decision(decision: DecisionOnVersion | None) -> str:
    if decision is None:
        return "none yet"
    decided = f"{_verb(decision)} by {decision.by} at {decision.at[:19]}"
    return f"version {decision.version} {decided}. {decision.in_short}"


def _verb(decision: DecisionOnVersion) -> str:
    return "approved" if decision.approved else "rejected"


def _show_lists(report: StatusReport) -> None:
    print_table(
        ["version", "decision", "by", "when", "because"],
        (
            (each.version, _verb(each), each.by, each.at[:19], each.because)
            for each in report.approvals.overrides
        ),
        right=["version"],
        title="Decided by people",
    )
    quarantine = report.quarantine
    print_table(
        ["rule", "rows"], quarantine.by_rule.items(), right=["rows"], title="Quarantined rows"
    )
    print_table(
        ["where", "column", "rule", "what was found"],
        (
            (
                f"{row['file']}:{row['line']}",
                row["column"] or "the row",
                row["rule"],
                row["message"],
            )
            for row in quarantine.newest
        ),
        title="The newest of them",
    )
    print_table(
        ["file", "why"],
        list(report.held_files.items())[:LISTED],
        title=f"Held files: read, but in no table until somebody accepts them "
        f"({len(report.held_files)})",
    )
    animals = report.animals
    refused = report.refused_files | (animals.refused_files if animals else {})
    print_table(
        ["file", "problem"],
        list(refused.items())[:LISTED],
        title=f"Refused files: nothing can be read from them ({len(refused)})",
    )
    unread = report.out_of_reach_files | (animals.out_of_reach_files if animals else {})
    print_table(
        ["file", "problem"],
        list(unread.items())[:LISTED],
        title=f"Files that cannot be read now: what was read before counts ({len(unread)})",
    )
    ignored = report.stray_files | report.unreadable_now
    print_table(
        ["file", "problem"],
        list(ignored.items())[:LISTED],
        title=f"Files that are not taken in ({len(ignored)})",
    )
