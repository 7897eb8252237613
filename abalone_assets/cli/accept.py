"""``abalone accept``: a person's word that a held survey file is right."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import PurePath
from typing import TYPE_CHECKING, Final

import click

from abalone_assets.cli.output import (
    because_option,
    console,
    example,
    json_option,
    print_json,
    who,
)

if TYPE_CHECKING:
    from abalone_assets.errors import SurveyError
    from abalone_assets.ingest.accepted_files import NotHeldError
    from abalone_assets.ingest.file_status import State
    from abalone_assets.settings.platform import Settings

NOT_TAKEN_IN: Final[frozenset[State]] = frozenset(
    {"to_ingest", "changed", "being_ingested", "growing", "unreadable", "waits"}
)
"""States of a file that was not judged yet, as it lies in the landing zone now."""


@click.command(
    epilog=example('abalone accept abalone.20250314061500 --because "a bay of giants, checked"')
)
@click.argument("file")
@because_option
@json_option
def accept(file: str, because: str, *, as_json: bool) -> None:
    """Accept FILE, a survey file that is held because it looks off as a whole.

    Its day becomes due, and its rows are ingested as those of any file. Only these very bytes are
    accepted: another content under its name is judged anew. `abalone status` lists what is held.
    A refused file is another matter: nothing in it can be read, so it is mended and landed again.
    """
    from abalone_assets.ingest.accepted_files import NotHeldError, accept_file
    from abalone_assets.lake.lake import Lake
    from abalone_assets.settings.platform import load_settings

    settings, name = load_settings(), PurePath(file).name
    try:
        accepted = accept_file(Lake(settings.lake_uri).store, name, because=because, by=who())
    except NotHeldError as error:
        raise _told(error, name, settings) from error
    outcome = {**asdict(accepted), "next": _next(settings)}
    if as_json:
        print_json(outcome)
        return
    out = console()
    out.print(f"{name} accepted by {accepted.by}: {accepted.because}")
    out.print(f"It was held because {accepted.held}")
    out.print(f"Next: {outcome['next']}.")


def _told(error: NotHeldError, name: str, settings: Settings) -> SurveyError:
    """Why a file is not held: it is no survey, has not landed, was not taken in yet, or is right.

    Raises:
        SurveyError: It is nowhere.
        StorageError: The landing zone, the lake or the registry cannot be read.
    """
    from abalone_assets.cli.file_report import FileReport, report_on
    from abalone_assets.errors import SurveyError
    from abalone_assets.survey import ANIMALS, kind_of_file

    if kind_of_file(name) is ANIMALS:
        return SurveyError(
            f"{name}: a file of animals is never held, so there is nothing to accept; `abalone "
            f"status {name}` says how far it is"
        )
    try:
        report = report_on(name, settings)
    except SurveyError as nowhere:
        raise SurveyError(f"{nowhere}; held: {error.held}") from nowhere
    if not isinstance(report, FileReport):  # of a day
        return error
    found = report.status
    if found.state in NOT_TAKEN_IN:
        return SurveyError(
            f"{name} was not taken in yet, so nobody knows whether it will be held: {found.why}. "
            f"Accept it when `abalone status {name}` says that it is held. {report.next_step()}"
        )
    return SurveyError(f"{name} is not held, so there is nothing to accept: {found.why}")


def _next(settings: Settings) -> str:
    from abalone_assets.cli.instance import driver_of

    if driver_of(settings) is None:
        return "`abalone dev` ingests and releases it when it runs"
    return (
        "survey_sensor has its day ingested within"
        f" {max(settings.sensor_seconds, settings.reconcile_seconds)} seconds, then it is released"
    )
