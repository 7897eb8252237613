"""``abalone rollback``: back to the version before, at once."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import click

from abalone_assets.cli.output import (
    FAILED,
    NOT_LIVE,
    agrees,
    console,
    example,
    json_option,
    print_json,
    who,
)
from abalone_assets.cli.run_progress import RunProgress

if TYPE_CHECKING:
    from abalone_assets.local.driver import Driver
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion
    from abalone_assets.settings.platform import Settings

COMMAND: Final = "abalone rollback"
WAIT_SECONDS: Final = 600.0
"""For the end of another command that works on the home by itself."""

FOLLOW_SECONDS: Final = 120.0
"""For the daemon's deployment, which begins when runs that deploy have ended."""

POLL_SECONDS: Final = 0.5


@dataclass(frozen=True)
class _Done:
    """What came of the version gone back to: whether it is live, in words, and the exit code."""

    is_live: bool
    state: str
    exit_code: int = 0


@click.command(
    epilog=example("abalone rollback", 'abalone rollback --yes --because "off by two years"')
)
@click.option("--yes", "is_agreed", is_flag=True, help="Do not ask.")
@click.option("--because", metavar="TEXT", help="The reason; it is kept.")
@json_option
@click.pass_context
def rollback(ctx: click.Context, because: str | None, *, is_agreed: bool, as_json: bool) -> None:
    """Go back to the previous good version: reject the one that should be live, and deploy that.

    It is the version whose approval is the newest of all others that are approved. Typed again, it
    goes back one more. The rejected model stays rejected, also when it is trained again; `abalone
    approve VERSION` takes that back, or goes to any other version.

    Beside `abalone dev` its sensors deploy, and this waits for them; without, this deploys. Exits
    with 3 when the version is not live by then, or a release has had another one approved
    meanwhile. In the profile aws, where that takes minutes, and in a container of Compose the
    sensors deploy, too: this says so, and exits with 0 without waiting.
    """
    from abalone_assets.cli.catalog import refresh_or_warn
    from abalone_assets.cli.instance import driving_environment
    from abalone_assets.local.processes import interrupted_by_signals
    from abalone_assets.registry.open import open_registry

    with interrupted_by_signals(), driving_environment() as settings:
        registry = open_registry(settings)
        bad, good = _versions(registry)
        registry.read_model(good.version)  # or there would be nothing to go back to
        for line in _plan(settings, bad, good):
            click.echo(line, err=as_json)
        if not (is_agreed or agrees("Roll back?", otherwise="add --yes", as_json=as_json)):
            click.echo("Nothing was changed.", err=as_json)
            ctx.exit(FAILED)
        _require_desired(registry, bad)
        reason = (because or "").strip() or f"rolled back to version {good.version}"
        registry.reject(bad.version, because=reason, by=who())
        refresh_or_warn(settings, registry)
        done = _deploy(settings, registry, good, RunProgress(console(stderr=as_json)))
        versions = {"from_version": bad.version, "to_version": good.version}
    if as_json:
        told = {"is_live": done.is_live, "state": done.state, "because": reason}
        print_json({**versions, **told})
    else:
        style = "green" if done.is_live else "yellow"
        text = f"Version {bad.version} is rejected, and version {good.version} {done.state}."
        console().print(text, style=style)
    ctx.exit(done.exit_code)


def _versions(registry: ModelRegistry) -> tuple[ModelVersion, ModelVersion]:
    """The version that should be live, and the one before it.

    Raises:
        UnknownVersionError: There is no such pair.
    """
    from abalone_assets.registry.versions import UnknownVersionError, desired_of

    approved = [version for version in registry.versions() if version.approved]
    bad = desired_of(approved)
    if bad is None:
        raise UnknownVersionError(
            "no version is approved, so there is none to go back from: `abalone status` shows them,"
            " and `abalone approve VERSION --because TEXT` deploys one"
        )
    good = desired_of(version for version in approved if version.version != bad.version)
    if good is None:
        raise UnknownVersionError(
            f"version {bad.version} is the only one that is approved, so there is none to go back"
            " to: `abalone approve VERSION --because TEXT` takes one that was rejected"
        )
    return bad, good


def _require_desired(registry: ModelRegistry, bad: ModelVersion) -> None:
    """Make sure that the version is still the one to go back from, after a while of thought.

    Raises:
        StorageError: A release or a person has decided otherwise since.
    """
    from abalone_assets.errors import StorageError

    desired = registry.desired_version()
    if desired is None or desired.version != bad.version:
        now = "no version" if desired is None else f"version {desired.version}"
        raise StorageError(
            f"nothing was changed: {now} is to be live now, no longer version {bad.version}, for "
            "another decision came in between; `abalone status` shows it, and `abalone rollback` "
            "goes back from there"
        )


def _overtaken(registry: ModelRegistry, good: ModelVersion) -> str | None:
    """Why the version is not to be live any more, if it is not: a release goes on meanwhile."""
    desired = registry.desired_version()
    if desired is None:
        return "no version is approved any more"
    if desired.version == good.version:
        return None
    return f"version {desired.version} was approved meanwhile, and is to be live"


def _plan(settings: Settings, bad: ModelVersion, good: ModelVersion) -> list[str]:
    from abalone_assets.serving.live_version import live_version

    live = live_version(settings)
    is_live = "live" if live == bad.version else f"to be live in place of version {live or 'none'}"
    return [
        f"Back from version {bad.version}, {is_live}: {_described(bad)}",
        f"  to version {good.version}: {_described(good)}",
    ]


def _described(version: ModelVersion) -> str:
    rmse = version.evaluation.get("rmse")
    measured = f"RMSE {rmse:.3f}, " if isinstance(rmse, float) else ""
    return f"{measured}registered {version.created_at[:10]}. {version.in_short}"


def _deploy(
    settings: Settings, registry: ModelRegistry, good: ModelVersion, show: RunProgress
) -> _Done:
    """See to it that the endpoint serves what should be live now."""
    from abalone_assets.local.driver_lock import drive_or_follow
    from abalone_assets.local.instance import is_deployed, prepare_instance

    if is_deployed(settings):
        if reason := _overtaken(registry, good):
            return _not_any_more(reason)
        return _Done(
            is_live=False,
            state=f"is deployed by approval_sensor within {settings.sensor_seconds} seconds, or "
            "when the runs that deploy now have ended",
        )
    prepare_instance(settings)
    with drive_or_follow(settings, COMMAND, WAIT_SECONDS, show.waits_for) as driver:
        if driver is None:
            _deploy_here(settings, show)
        else:
            _await_deployment(settings, registry, good, driver, show)
    return _reached(settings, registry, good, driver)


def _deploy_here(settings: Settings, show: RunProgress) -> None:
    """Run the job `deploy` in this process.

    Raises:
        RunFailedError: It failed.
    """
    import dagster as dg

    from abalone_assets.automation.runs import DEPLOY_JOB
    from abalone_assets.cli.typed import Typed
    from abalone_assets.definitions import defs
    from abalone_assets.local.instance import fail_orphaned_runs, open_instance_for_demo
    from abalone_assets.local.run import LocalPlatform, check_succeeded

    with open_instance_for_demo(settings) as instance:
        fail_orphaned_runs(instance)
        platform = LocalPlatform(defs(), instance, watch=show.step, quiet=True)
        done = platform.run(DEPLOY_JOB, dg.RunRequest(), raise_on_error=False)
        check_succeeded(instance, done.run_id, Typed.on(settings.home).dev)


def _await_deployment(
    settings: Settings,
    registry: ModelRegistry,
    good: ModelVersion,
    driver: Driver,
    show: RunProgress,
) -> None:
    """Wait until the daemon's `approval_sensor` has had it deployed, for a while."""
    show.say(f"the sensors of {driver} deploy version {good.version}", mark="…", style="cyan")
    deadline = time.monotonic() + FOLLOW_SECONDS
    while driver.lives and time.monotonic() < deadline:
        if _serves(settings, good) or _overtaken(registry, good):
            return
        time.sleep(POLL_SECONDS)


def _serves(settings: Settings, good: ModelVersion) -> bool:
    from abalone_assets.serving.live_version import endpoint_state

    found = endpoint_state(settings)
    answers = found.url is None or found.version == good.version
    return answers and found.requested_version == good.version


def _reached(
    settings: Settings, registry: ModelRegistry, good: ModelVersion, driver: Driver | None
) -> _Done:
    from abalone_assets.cli.typed import Typed
    from abalone_assets.serving.live_version import endpoint_state

    if reason := _overtaken(registry, good):
        return _not_any_more(reason)
    found = endpoint_state(settings)
    if found.version == good.version:
        return _Done(is_live=True, state=f"answers at {found.url}")
    if found.requested_version == good.version:
        typed = Typed.on(settings.home)
        state = f"answers when `{typed.dev}` or `{typed.command('serve')}` runs"
        return _Done(is_live=True, state=state)
    who_deploys = driver or "`abalone dev`"
    state = f"is not live yet: {who_deploys} deploys it, unless a release has another one approved"
    return _Done(is_live=False, state=state, exit_code=NOT_LIVE)


def _not_any_more(reason: str) -> _Done:
    return _Done(is_live=False, state=f"does not go live: {reason}", exit_code=NOT_LIVE)
