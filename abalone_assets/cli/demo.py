"""``abalone demo``: from six surveys to an answer of the deployed model, in one process."""

from __future__ import annotations

import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from abalone_assets.cli.output import console, example, facts, json_option, print_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import dagster as dg

    from abalone_assets.cli.demo_report import DemoReport
    from abalone_assets.serving.client import EndpointClient
    from abalone_assets.settings import Settings

FOLLOW_SECONDS: Final = 180.0
LOOK_SECONDS: Final = 0.5


@click.command(epilog=example("abalone demo", "abalone demo --home /tmp/abalone --json"))
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to keep everything in.  [default: .abalone, ABALONE_HOME]",
)
@json_option
def demo(home: Path | None, *, as_json: bool) -> None:
    """Land six simulated surveys, release a model from them, and ask it a question.

    The sensors, runs and instance are those that `abalone dev` opens later. A second demo finds
    nothing new to do.
    """
    from abalone_assets.cli.processes import interrupted_by_signals
    from abalone_assets.instance import home_environment, prepare_instance
    from abalone_assets.settings import load_settings

    settings = _local(load_settings(), home)
    prepare_instance(settings)
    with interrupted_by_signals(), home_environment(settings):
        show = _Progress(quiet=as_json)
        report = _demonstrate(settings, show)
    if as_json:
        print_json(report.to_document())
        return
    out = console()
    out.print()
    out.print(facts(report.rows()))
    out.print()
    out.print("Next: `abalone status`, or `abalone dev` (`make dev`): UI, sensors and endpoint.")


def _local(settings: Settings, home: Path | None) -> Settings:
    """The settings for this home.

    Raises:
        SettingsError: They are of another profile than the local one.
    """
    import os

    from abalone_assets.errors import SettingsError
    from abalone_assets.settings import load_settings

    if home is not None:
        os.environ["ABALONE_HOME"] = str(home.expanduser().resolve())
        settings = load_settings()
    if settings.profile != "local":
        raise SettingsError("the demo lands simulated surveys: unset ABALONE_PROFILE to run it")
    return settings


class _Progress:
    """Says each step as it ends, with the seconds that it took."""

    def __init__(self, *, quiet: bool) -> None:
        self._out = console(stderr=True) if quiet else console()
        self._started = time.monotonic()

    def say(self, text: str, *, mark: str = "✓", style: str = "green") -> None:
        seconds = time.monotonic() - self._started
        self._out.print(f"[{style}]{mark}[/{style}] [dim]{seconds:5.1f} s[/dim]  ", end="")
        self._out.print(text, markup=False)

    def step(self, entry: dg.EventLogEntry) -> None:
        """Say the steps of a run that succeeded, failed or were skipped."""
        event = entry.dagster_event
        if event is None or event.step_key is None:
            return
        if event.is_step_success:
            self.say(f"{entry.job_name}: {event.step_key}")
        elif event.is_step_failure:
            self.say(f"{entry.job_name}: {event.step_key} failed", mark="✗", style="red")
        elif event.is_step_skipped:
            self.say(f"{entry.job_name}: {event.step_key} skipped", mark="-", style="yellow")


def _demonstrate(settings: Settings, show: _Progress) -> DemoReport:
    from abalone_assets.cli.demo_report import DemoReport
    from abalone_assets.instance import driver_lock

    with driver_lock(settings) as alone, _endpoint(settings, show) as connected:
        landed = _land(settings, show)
        runs = _drive(settings, show) if alone else _follow(settings, show)
        client = connected()
        note = _base_survey_note()
        if note:
            show.say(note, mark="!", style="yellow")
        return DemoReport.of(settings, client, landed=landed, runs=runs, note=note)


@contextmanager
def _endpoint(settings: Settings, show: _Progress) -> Iterator[Callable[[], EndpointClient]]:
    """The home's running endpoint server, or one for the time being; it starts while we work."""
    from abalone_assets.cli.processes import start_server, stopped_on_exit, wait_for_server
    from abalone_assets.serving.deployment import connect

    running = connect(settings.endpoint_name, state_file=settings.endpoint_state_file)
    if running is not None:
        show.say(f"endpoint server found at {running.url}")
        yield lambda: running
        return
    server = start_server(settings, 0)
    with stopped_on_exit(server):
        yield lambda: wait_for_server(settings, server)


def _land(settings: Settings, show: _Progress) -> int:
    """Land the bundled surveys; how many of them were new."""
    from abalone_assets.cli.landing import check_files, read_files
    from abalone_assets.ingest.landing_zone import open_landing_zone
    from abalone_assets.sample_data import surveys

    zone = open_landing_zone(settings.landing_zone_uri)
    files = list(check_files(read_files(surveys(), settings.first_survey_day), zone))
    for file in files:
        file.land(zone)
    new = sum(file.change != "identical" for file in files)
    show.say(f"{new} of {len(files)} surveys landed in {zone.uri}" if new else "nothing to land")
    return new


def _drive(settings: Settings, show: _Progress) -> dict[str, int]:
    """Evaluate the sensors here and execute what they ask for."""
    import dagster as dg

    from abalone_assets.definitions import defs
    from abalone_assets.instance import fail_orphaned_runs
    from abalone_assets.local_run import LocalPlatform, UnsettledError

    with dg.DagsterInstance.get() as instance:
        fail_orphaned_runs(instance)
        platform = LocalPlatform(defs(), instance, watch=show.step, quiet=True)
        runs = platform.settle()
        if not _settled(settings):
            reasons = "; ".join(reason for reason in platform.reasons.values() if reason)
            raise UnsettledError(f"the sensors have more to do, but not now: {reasons}")
    return runs


def _follow(settings: Settings, show: _Progress) -> dict[str, int]:
    """Wait until `abalone dev`, which drives this home, has done the same.

    Raises:
        UnsettledError: It takes too long.
    """
    from abalone_assets.local_run import SENSOR_JOBS, UnsettledError

    show.say("`abalone dev` runs on this home: its sensors take over", mark="…", style="cyan")
    deadline = time.monotonic() + FOLLOW_SECONDS
    while not _settled(settings):
        if time.monotonic() > deadline:
            raise UnsettledError(
                f"`abalone dev` has not released the surveys after {FOLLOW_SECONDS:g} s;"
                " its UI shows what it does"
            )
        time.sleep(LOOK_SECONDS)
    return dict.fromkeys(SENSOR_JOBS.values(), 0)


def _settled(settings: Settings) -> bool:
    from datetime import UTC, datetime

    from abalone_assets.ingest.landing_zone import open_landing_zone
    from abalone_assets.ingest.reconcile import find_due
    from abalone_assets.lake import Lake

    lake, zone = Lake(settings.lake_uri), open_landing_zone(settings.landing_zone_uri)
    landing = zone.look(settings.first_survey_day, datetime.now(UTC).date())
    return not lake.release_due() and not find_due(landing, lake.manifest(), zone.read).days


def _base_survey_note() -> str:
    """What the user should know of the base survey's origin, as its asset recorded it."""
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("raw_abalone"))
    metadata: Any = event.asset_materialization.metadata if event else {}
    return str(metadata["note"].value) if "note" in metadata else ""
