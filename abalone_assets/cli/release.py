"""``abalone release``: a release now, whether or not anything is new."""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import click

from abalone_assets.cli.due import days_due
from abalone_assets.cli.output import (
    FAILED,
    NOT_LIVE,
    console,
    example,
    json_option,
    one_line,
    print_json,
)
from abalone_assets.cli.run_progress import RunProgress
from abalone_assets.errors import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import dagster as dg

    from abalone_assets.cli.typed import Typed
    from abalone_assets.local.driver import Driver
    from abalone_assets.settings.platform import Settings

COMMAND: Final = "abalone release"
WAIT_SECONDS: Final = 600.0
"""For the end of another command that works on the home by itself."""


def _json_object(_: click.Context, __: click.Parameter, text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise click.BadParameter(f"no JSON: {error}") from error
    if not isinstance(values, dict):
        raise click.BadParameter('give a JSON object, such as {"eta": 0.02}')
    return values


def _known_framework(_: click.Context, __: click.Parameter, name: str | None) -> str | None:
    from typing import get_args

    from abalone_assets.modeling.hyperparameters import Framework

    if name is not None and name not in get_args(Framework):
        raise click.BadParameter(f"{name} is none of {', '.join(get_args(Framework))}")
    return name


@click.command(
    epilog=example(
        "abalone release",
        "abalone release --framework xgboost",
        "abalone release --hyperparameters '{\"eta\": 0.05}' --json",
    )
)
@click.option(
    "--framework",
    metavar="NAME",
    callback=_known_framework,
    help="What trains this release, such as xgboost.  [default: blend, ABALONE_FRAMEWORK]",
)
@click.option(
    "--hyperparameters",
    "given",
    metavar="JSON",
    callback=_json_object,
    help="Hyperparameters of this release that are not as set: a JSON object, by name.",
)
@json_option
@click.pass_context
def release(
    ctx: click.Context, framework: str | None, given: dict[str, Any] | None, *, as_json: bool
) -> None:
    """Train on all that was ingested, judge the model, and deploy it if it is approved.

    `release_sensor` does so by itself when something new was ingested; this is for when nothing is:
    after other hyperparameters, or a failure that was mended. Beside `abalone dev` it is a run of
    that one's queue, and Ctrl-C stops following it. Without, it runs here: what has landed is
    ingested first, and Ctrl-C ends the run. One release works on a lake at a time; this one waits
    for its turn.

    In the profile aws, and in a container of Compose, it is a run of the deployed Dagster: of the
    one at ABALONE_DAGSTER_URL, or of the instance in DAGSTER_HOME in the deployed image.

    Exits with 0 when the model is live, with 3 when it was rejected or a person wants another
    version live, and with 1 when the release failed.
    """
    from abalone_assets.cli.instance import driving_environment
    from abalone_assets.cli.typed import Typed
    from abalone_assets.local.processes import interrupted_by_signals
    from abalone_assets.local.run import RunFailedError

    began = time.monotonic()
    with interrupted_by_signals(), driving_environment() as settings:
        config = _training_config(settings, framework, given or {})
        show = RunProgress(console(stderr=as_json))
        try:
            outcome = _release(settings, config, show)
        except RunFailedError as error:
            if not as_json:
                raise
            outcome = {"outcome": "failed", "reason": one_line(error)}
    seconds = round(time.monotonic() - began, 1)
    if as_json:
        print_json({**outcome, "seconds": seconds})
    else:
        _show(outcome, Typed.on(settings.home))
    codes = {"deployed": 0, "failed": FAILED}
    ctx.exit(codes.get(outcome["outcome"], NOT_LIVE))


def _training_config(
    settings: Settings, framework: str | None, given: dict[str, Any]
) -> dict[str, Any]:
    """The run config of a release whose model is to be another one than the settings' default.

    What this shell sets counts, too: the process that executes the run may have begun before.

    Raises:
        HyperparameterError: The framework has no such hyperparameter, or it is out of its range.
    """
    from abalone_assets.modeling.hyperparameters import chosen_hyperparameters
    from abalone_assets.settings.environment import variable

    chosen = framework or settings.framework
    own = settings.hyperparameters if chosen == settings.framework else {}
    chosen_hyperparameters(chosen, {**own, **given})
    is_set = any(variable(name) in os.environ for name in ("framework", "hyperparameters"))
    if framework is None and not given and not is_set:
        return {}
    config = {"framework": chosen, "hyperparameters": {**own, **given}}
    return {"ops": {"trained_model": {"config": config}}}


def _release(settings: Settings, config: dict[str, Any], show: RunProgress) -> dict[str, Any]:
    from abalone_assets.definitions import defs
    from abalone_assets.local.driver_lock import drive_or_follow
    from abalone_assets.local.instance import is_deployed, prepare_instance

    if is_deployed(settings):
        return _outcome(settings, _run_deployed(settings, config, show))
    prepare_instance(settings)
    with (
        drive_or_follow(settings, COMMAND, WAIT_SECONDS, show.waits_for) as driver,
        _instance(settings, driver) as instance,
    ):
        definitions = defs()
        if driver is None:
            runs = [_run_here(settings, definitions, instance, config, show)]
        else:
            runs = _run_there(settings, definitions, instance, config, show, driver)
    return _outcome(settings, runs)


def _run_deployed(settings: Settings, config: dict[str, Any], show: RunProgress) -> list[str]:
    """Launch a release at the deployed Dagster, and follow it."""
    import dagster as dg

    from abalone_assets.cli.release_on_aws import deployed_dagster, release_there
    from abalone_assets.definitions import defs

    with deployed_dagster() as deployed:
        definitions = defs()
        with dg.DagsterInstance.ephemeral() as instance:
            request = _request(settings, definitions, instance, config)
        return release_there(deployed, definitions, request, show)


@contextmanager
def _instance(settings: Settings, driver: Driver | None) -> Iterator[dg.DagsterInstance]:
    from abalone_assets.local.instance import fail_orphaned_runs, open_instance_for_demo

    with open_instance_for_demo(settings) as instance:
        if driver is None:
            fail_orphaned_runs(instance)
        yield instance


def _request(
    settings: Settings,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    config: dict[str, Any],
) -> dg.RunRequest:
    """What `release_sensor` would ask for if something were new."""
    import dagster as dg

    from abalone_assets.automation.release_sensor import release_request
    from abalone_assets.defs.automation import released
    from abalone_assets.lake.lake import Lake

    repository = definitions.get_repository_def()
    with dg.build_sensor_context(instance=instance, repository_def=repository) as context:
        asked = release_request(context, settings, released, Lake(settings.lake_uri).manifest())
    return asked.with_replaced_attrs(run_config=config)


def _run_here(
    settings: Settings,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    config: dict[str, Any],
    show: RunProgress,
) -> str:
    """Ingest what has landed, and release, in this process.

    Raises:
        RunFailedError: A run failed.
    """
    from abalone_assets.automation.runs import RELEASE_JOB
    from abalone_assets.cli.typed import Typed
    from abalone_assets.local.run import LocalPlatform, check_succeeded

    dev = Typed.on(settings.home).dev
    platform = LocalPlatform(definitions, instance, watch=show.step, quiet=True, ui_command=dev)
    while platform.tick_and_run("survey_sensor"):
        pass
    if due := days_due(settings):
        show.say(f"{counted(due, 'survey day')} cannot be ingested now and stay out", mark="!")
    request = _request(settings, definitions, instance, config)
    run_id = platform.run(RELEASE_JOB, request, raise_on_error=False).run_id
    check_succeeded(instance, run_id, dev)
    return run_id


def _run_there(
    settings: Settings,
    definitions: dg.Definitions,
    instance: dg.DagsterInstance,
    config: dict[str, Any],
    show: RunProgress,
    driver: Driver,
) -> list[str]:
    """Put a release into the queue of the home's daemon, and follow it.

    Returns:
        The run, and those by which Dagster retried it when its process died.

    Raises:
        RunFailedError: It failed.
        InstanceError: The daemon ended before it did.
    """
    from functools import partial

    from abalone_assets.automation.runs import RELEASE_JOB
    from abalone_assets.cli.typed import Typed
    from abalone_assets.local.queue import enqueue, follow
    from abalone_assets.local.run import check_succeeded

    if due := days_due(settings):
        show.say(
            f"{counted(due, 'survey day')} still to be ingested: the sensors of {driver} see to"
            " it, and release again",
            mark="!",
            style="yellow",
        )
    request = _request(settings, definitions, instance, config)
    run_id = enqueue(definitions, instance, RELEASE_JOB, request)
    show.say(f"run {run_id} is in the queue of {driver}", mark="…", style="cyan")
    runs = [run_id]

    def retried(retry: str) -> None:
        show.retries(runs[-1], retry)
        runs.append(retry)

    try:
        follow(instance, run_id, driver, partial(show.step, request), retried)
    except KeyboardInterrupt:
        status = Typed.on(settings.home).command("status")
        click.echo(f"run {runs[-1]} goes on; `{status}` tells how it ends", err=True)
        raise
    check_succeeded(instance, runs[-1])
    return runs


def _outcome(settings: Settings, runs: Sequence[str]) -> dict[str, Any]:
    """How the release ended, as its record and the endpoint say.

    A run that died may have recorded it, and its retry have done the rest.
    """
    from abalone_assets.errors import StorageError
    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.release_documents import EvaluatedModel
    from abalone_assets.serving.live_version import endpoint_state

    lake = Lake(settings.lake_uri)
    ended, live = lake.release(), endpoint_state(settings)
    if ended is None or ended.run_id not in runs:
        raise StorageError(
            f"{settings.lake_uri}: run {runs[-1]} succeeded, but another release ended since; see"
            " `abalone status`"
        )
    evaluated = lake.document("evaluation", EvaluatedModel)
    return {
        "outcome": ended.outcome,
        "version": ended.version,
        "reason": ended.reason,
        "rmse": evaluated.metrics["rmse"] if evaluated else None,
        "live_version": live.requested_version,
        "url": live.url,
        "run_id": runs[-1],
    }


def _show(outcome: dict[str, Any], typed: Typed) -> None:
    out = console()
    version, live, url = (outcome[name] for name in ("version", "live_version", "url"))
    if outcome["outcome"] == "deployed":
        later = f"is deployed; `{typed.dev}` or `{typed.command('serve')}` makes it answer"
        where = f"answers at {url}" if url else later
        out.print(f"Version {version} {where}. {outcome['reason']}", style="green")
        return
    goes_on = f"version {live} goes on" if live else "nothing is deployed"
    out.print(f"Version {version} does not go live: {goes_on}. {outcome['reason']}", style="yellow")
