"""``abalone demo``: from six surveys to an answer of the deployed model, in one process."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from abalone_assets.cli.output import console, example, json_option, print_facts, print_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import dagster as dg
    from rich.console import Console

    from abalone_assets.serving.client import EndpointClient
    from abalone_assets.settings.platform import Settings

FOLLOW_SECONDS: Final = 180.0
RETRY_TIMEOUT_SECONDS: Final = 40.0
"""How long to wait for the sensors while they back off after runs that failed or were cut short."""

POLL_SECONDS: Final = 0.5


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
    from abalone_assets.cli.demo_home import refuse_real_places
    from abalone_assets.cli.demo_report import report_facts
    from abalone_assets.local.instance import home_environment, prepare_instance
    from abalone_assets.local.processes import interrupted_by_signals

    prefix = "" if home is None else f"ABALONE_HOME={shlex.quote(str(home))} "
    try:
        with interrupted_by_signals(), home_environment(home) as settings:
            refuse_real_places(settings)
            prepare_instance(settings)
            report = _demonstrate(settings, _Progress(console(stderr=as_json)), prefix)
    except KeyboardInterrupt:
        click.echo("interrupted; run it again to go on", err=True)
        raise
    if as_json:
        print_json(report)
        return
    out = console()
    out.print()
    print_facts(report_facts(report, prefix))
    out.print()
    out.print(
        f"Next: `{prefix}abalone status`, or `{prefix}abalone dev`: UI, sensors and endpoint."
    )


class _Progress:
    """Says each step as it ends, with the seconds that it took."""

    def __init__(self, out: Console) -> None:
        self._out = out
        self._started = time.monotonic()
        self._waited = False
        self._rejection = ""

    def say(self, text: str, *, mark: str = "✓", style: str = "green") -> None:
        seconds = time.monotonic() - self._started
        self._out.print(mark, style=style, end=" ")
        self._out.print(f"{seconds:5.1f} s", style="dim", end="  ")
        self._out.print(text)

    def once(self, text: str) -> None:
        """Say why nothing happens, the first time only."""
        if not self._waited:
            self._waited = True
            self.say(text, mark="…", style="yellow")

    def step(self, request: dg.RunRequest, entry: dg.EventLogEntry) -> None:
        """Say the steps of a run that succeeded, failed or were skipped."""
        event = entry.dagster_event
        if event is None or event.step_key is None:
            return
        step = f"{_days(request)}{event.step_key}"
        if event.step_key == "approved_model" and event.event_type_value == "ASSET_OBSERVATION":
            observed = event.asset_observation_data.asset_observation
            self._rejection = str(observed.metadata["decision"].value)
        elif event.step_key == "approved_model" and event.is_step_success and self._rejection:
            self.say(f"{entry.job_name}: {step}: {self._rejection}", mark="✗", style="yellow")
            self._rejection = ""
        elif event.is_step_success:
            self.say(f"{entry.job_name}: {step}")
        elif event.is_step_failure:
            self.say(f"{entry.job_name}: {step} failed", mark="✗", style="red")
        elif event.is_step_skipped:
            self.say(f"{entry.job_name}: {step} skipped", mark="-", style="yellow")


def _days(request: dg.RunRequest) -> str:
    """The survey days of a request, in words; none for a release."""
    from abalone_assets.automation.runs import RANGE_END_TAG, RANGE_START_TAG

    if RANGE_START_TAG not in request.tags:
        return ""
    first, last = request.tags[RANGE_START_TAG], request.tags[RANGE_END_TAG]
    return f"{first} " if first == last else f"{first} to {last} "


def _demonstrate(settings: Settings, show: _Progress, prefix: str) -> dict[str, Any]:
    from abalone_assets.cli.demo_report import demo_report
    from abalone_assets.local.driver import driver_lock
    from abalone_assets.serving.deployment import connect

    began = time.time()
    with driver_lock(settings, "abalone demo") as alone:
        running = connect(settings.endpoint_name, state_file=settings.endpoint_state_file)
        with _endpoint(settings, show, running) as connected:
            landed = _land(settings, show)
            runs = _drive(settings, show, prefix) if alone else _follow(settings, show)
            client = connected()
            note, noted = _base_survey_note()
            if note and noted >= began:
                show.say(note, mark="!", style="yellow")
            url = running.url if running else None
            return demo_report(settings, client, url=url, landed=landed, runs=runs, note=note)


@contextmanager
def _endpoint(
    settings: Settings, show: _Progress, running: EndpointClient | None
) -> Iterator[Callable[[], EndpointClient]]:
    """The home's running endpoint server, or one for the time being; it starts while we work."""
    from abalone_assets.local.processes import start_server, wait_for_server

    if running is not None:
        show.say(f"endpoint server found at {running.url}")
        yield lambda: running
        return
    with start_server(settings, 0) as server:
        yield lambda: wait_for_server(settings, server)


def _land(settings: Settings, show: _Progress) -> int:
    """Land the bundled surveys; how many of them were new."""
    from abalone_assets.cli.landing import read_files, refuse_obstacles
    from abalone_assets.ingest.landing import check_files
    from abalone_assets.ingest.open import open_landing_zone
    from abalone_assets.sample_data import surveys

    zone = open_landing_zone(settings.landing_zone_uri)
    files = list(check_files(read_files(surveys()), zone, settings.first_survey_day))
    refuse_obstacles(files)
    for file in files:
        file.land(zone)
    new = sum(file.change != "identical" for file in files)
    show.say(f"{new} of {len(files)} surveys landed in {zone.uri}" if new else "nothing to land")
    return new


def _drive(settings: Settings, show: _Progress, prefix: str) -> dict[str, int]:
    """Evaluate the sensors here and execute what they ask for.

    Raises:
        UnsettledError: They have more to do but wait, after failed runs, for too long.
    """
    from abalone_assets.definitions import defs
    from abalone_assets.local.instance import fail_orphaned_runs, open_instance_for_demo
    from abalone_assets.local.run import LocalPlatform, UnsettledError

    with open_instance_for_demo(settings) as instance:
        fail_orphaned_runs(instance)
        platform = LocalPlatform(
            defs(), instance, watch=show.step, quiet=True, ui_command=f"{prefix}abalone dev"
        )
        runs = Counter(platform.settle())
        deadline = time.monotonic() + RETRY_TIMEOUT_SECONDS
        while not _settled(settings):
            reasons = "; ".join(reason for reason in platform.reasons.values() if reason)
            if time.monotonic() > deadline:
                raise UnsettledError(f"the sensors have more to do, but not now: {reasons}")
            show.once(f"the sensors wait: {reasons}")
            time.sleep(POLL_SECONDS)
            runs.update(platform.settle())
    return dict(runs)


def _follow(settings: Settings, show: _Progress) -> dict[str, int]:
    """Wait until the process that drives this home, mostly `abalone dev`, has done the same.

    Raises:
        UnsettledError: It takes too long.
    """
    from abalone_assets.local.driver import Driver
    from abalone_assets.local.run import SENSOR_JOBS, UnsettledError

    driver = Driver.of(settings)
    command = driver.command if driver else "abalone dev"
    show.say(f"`{command}` runs on this home: its sensors take over", mark="…", style="cyan")
    deadline = time.monotonic() + FOLLOW_SECONDS
    while not _settled(settings):
        if time.monotonic() > deadline:
            raise UnsettledError(
                f"`{command}` has not released the surveys after {FOLLOW_SECONDS:g} s; what it says"
                " and its UI show what it does"
            )
        time.sleep(POLL_SECONDS)
    return dict.fromkeys(SENSOR_JOBS.values(), 0)


def _settled(settings: Settings) -> bool:
    from datetime import UTC, datetime

    from abalone_assets.ingest.memory import read_memory
    from abalone_assets.ingest.open import open_landing_zone
    from abalone_assets.ingest.reconcile import find_due
    from abalone_assets.lake.lake import Lake

    lake, zone = Lake(settings.lake_uri), open_landing_zone(settings.landing_zone_uri)
    landing = zone.scan(settings.first_survey_day, datetime.now(UTC).date())
    due = find_due(landing, lake.manifest(), zone.read, memory=read_memory(lake.store))
    return not lake.release_due() and not due.days


def _base_survey_note() -> tuple[str, float]:
    """What the user should know of the base survey's origin, as its asset recorded it, and when."""
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("raw_abalone"))
    materialization = event.asset_materialization if event else None
    note = materialization.metadata.get("note") if materialization else None
    return (str(note.value), event.timestamp) if event and note else ("", 0.0)
