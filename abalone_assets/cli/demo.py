"""``abalone demo``: from six surveys to an answer of the deployed model, in one process."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from abalone_assets.cli.due import is_settled
from abalone_assets.cli.output import console, example, json_option, print_facts, print_json
from abalone_assets.cli.run_progress import RunProgress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abalone_assets.cli.typed import Typed
    from abalone_assets.local.driver import Driver
    from abalone_assets.serving.client import EndpointClient
    from abalone_assets.settings.platform import Settings

COMMAND: Final = "abalone demo"
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
    from abalone_assets.cli.typed import Typed
    from abalone_assets.local.instance import home_environment, prepare_instance
    from abalone_assets.local.processes import interrupted_by_signals

    try:
        with interrupted_by_signals(), home_environment(home) as settings:
            refuse_real_places(settings)
            prepare_instance(settings)
            typed = Typed.on(settings.home)
            report = _demonstrate(settings, RunProgress(console(stderr=as_json)), typed)
    except KeyboardInterrupt:
        click.echo("interrupted; run it again to go on", err=True)
        raise
    if as_json:
        print_json(report)
        return
    out = console()
    out.print()
    print_facts(report_facts(report, typed))
    out.print()
    out.print(f"Next: `{typed.command('status')}`, or `{typed.dev}`: UI, sensors and endpoint.")


def _demonstrate(settings: Settings, show: RunProgress, typed: Typed) -> dict[str, Any]:
    from abalone_assets.cli.demo_report import demo_report
    from abalone_assets.local.driver_lock import drive_or_follow

    began = time.time()
    with drive_or_follow(settings, COMMAND, FOLLOW_SECONDS, show.waits_for) as driver:
        running = _running_server(settings, driver)
        with _endpoint(settings, show, running) as connected:
            landed = _land(settings, show)
            runs = _follow(settings, show, driver) if driver else _drive(settings, show, typed)
            client = connected()
            note, noted = _base_survey_note()
            if note and noted >= began:
                show.say(note, mark="!", style="yellow")
            url = running.url if running else None
            return demo_report(settings, client, url=url, landed=landed, runs=runs, note=note)


def _running_server(settings: Settings, driver: Driver | None) -> EndpointClient | None:
    """The home's running endpoint server, if there is one; that of a `dev` may still be starting.

    Raises:
        UnsettledError: It does not answer in time.
    """
    from abalone_assets.local.processes import START_SECONDS
    from abalone_assets.local.run import UnsettledError
    from abalone_assets.serving.local_endpoint import connect

    deadline = time.monotonic() + START_SECONDS
    while True:
        client = connect(settings.endpoint_name, state_file=settings.endpoint_state_file)
        if client is not None or driver is None or driver.command != "abalone dev":
            return client
        if time.monotonic() > deadline:
            raise UnsettledError(f"no endpoint server of {driver} answers: see what that one says")
        time.sleep(POLL_SECONDS)


@contextmanager
def _endpoint(
    settings: Settings, show: RunProgress, running: EndpointClient | None
) -> Iterator[Callable[[], EndpointClient]]:
    """The home's running endpoint server, or one for the time being; it starts while we work."""
    from abalone_assets.local.processes import start_server, wait_for_server

    if running is not None:
        show.say(f"endpoint server found at {running.url}")
        yield lambda: running
        return
    with start_server(settings, 0) as server:
        yield lambda: wait_for_server(settings, server)


def _land(settings: Settings, show: RunProgress) -> int:
    """Land the bundled surveys; how many of them were new."""
    from abalone_assets.cli.landing import read_files, refuse_obstacles
    from abalone_assets.ingest.landing import check_files
    from abalone_assets.ingest.open import open_landing_zone
    from abalone_assets.sample_data import surveys

    zone = open_landing_zone(settings.landing_zone_uri)
    given = read_files(surveys())
    files = list(check_files(given.contents, zone, settings.first_survey_day))
    refuse_obstacles(files, given, force=False)
    for file in files:
        file.land(zone)
    new = sum(file.change != "identical" for file in files)
    show.say(f"{new} of {len(files)} surveys landed in {zone.uri}" if new else "nothing to land")
    return new


def _drive(settings: Settings, show: RunProgress, typed: Typed) -> dict[str, int]:
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
            defs(), instance, watch=show.step, quiet=True, ui_command=typed.dev
        )
        runs = Counter(platform.settle())
        deadline = time.monotonic() + RETRY_TIMEOUT_SECONDS
        while not is_settled(settings):
            reasons = "; ".join(reason for reason in platform.reasons.values() if reason)
            if time.monotonic() > deadline:
                raise UnsettledError(f"the sensors have more to do, but not now: {reasons}")
            show.once(f"the sensors wait: {reasons}")
            time.sleep(POLL_SECONDS)
            runs.update(platform.settle())
    return dict(runs)


def _follow(settings: Settings, show: RunProgress, driver: Driver) -> dict[str, int]:
    """Wait until the process that drives this home, mostly `abalone dev`, has done the same.

    Raises:
        UnsettledError: It takes too long.
    """
    from abalone_assets.local.run import SENSOR_JOBS, UnsettledError

    command = driver.command
    show.say(f"`{command}` runs on this home: its sensors take over", mark="…", style="cyan")
    deadline = time.monotonic() + FOLLOW_SECONDS
    while not is_settled(settings):
        if time.monotonic() > deadline:
            raise UnsettledError(
                f"`{command}` has not released the surveys after {FOLLOW_SECONDS:g} s; what it says"
                " and its UI show what it does"
            )
        time.sleep(POLL_SECONDS)
    return dict.fromkeys(SENSOR_JOBS.values(), 0)


def _base_survey_note() -> tuple[str, float]:
    """What the user should know of the base survey's origin, as its asset recorded it, and when."""
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        event = instance.get_latest_materialization_event(dg.AssetKey("raw_abalone"))
    materialization = event.asset_materialization if event else None
    note = materialization.metadata.get("note") if materialization else None
    return (str(note.value), event.timestamp) if event and note else ("", 0.0)
