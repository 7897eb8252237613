"""``abalone approve`` and ``abalone reject``: a person's word on a model version."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import click

from abalone_assets.cli.output import (
    VERSION,
    because_option,
    console,
    example,
    json_option,
    print_json,
    who,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion
    from abalone_assets.settings.platform import Settings

LISTED: Final = 20
"""Versions, the newest, that the message on an unknown one lists."""


def _decides(command: Callable[..., None]) -> Callable[..., None]:
    """The argument and the options of both commands."""
    version = click.argument("version", type=VERSION)
    return version(because_option(json_option(command)))


@click.command(epilog=example('abalone approve 3 --because "the new scale was checked"'))
@_decides
def approve(version: int, because: str, *, as_json: bool) -> None:
    """Approve a model version, whatever the gate said of it.

    The endpoint will serve it until the gate approves a model that was compared with it, or
    somebody decides again. So this is also the way back to an old version.
    """
    _decide(version, because, approved=True, as_json=as_json)


@click.command(epilog=example('abalone reject 3 --because "learnt from a broken scale"'))
@_decides
def reject(version: int, because: str, *, as_json: bool) -> None:
    """Reject a model version, whatever the gate said of it.

    The endpoint will serve the newest one that is approved. The very same model, trained again,
    stays rejected.
    """
    _decide(version, because, approved=False, as_json=as_json)


def _decide(number: int, because: str, *, approved: bool, as_json: bool) -> None:
    from abalone_assets.cli.catalog import refresh_or_warn
    from abalone_assets.registry.open import open_registry
    from abalone_assets.settings.platform import load_settings

    settings = load_settings()
    registry = open_registry(settings)
    before = _known(registry, number)
    decide = registry.approve if approved else registry.reject
    after = decide(number, because=because, by=who())
    refresh_or_warn(settings, registry)
    outcome = {
        "version": after.version,
        "approved": after.approved,
        "decision": after.reason,
        "changed": after.overrides != before.overrides,
        "overrides": [asdict(override) for override in after.overrides],
        **_consequence(settings, registry),
    }
    if as_json:
        print_json(outcome)
    else:
        _show(outcome)


def _known(registry: ModelRegistry, number: int) -> ModelVersion:
    """The version of that number.

    Raises:
        UnknownVersionError: There is none; the message lists those that there are.
    """
    from abalone_assets.registry.versions import UnknownVersionError

    try:
        return registry.get(number)
    except UnknownVersionError as error:
        newest = registry.versions()[-LISTED:]
        listed = ", ".join(f"{each.version} ({each.status})" for each in newest)
        raise UnknownVersionError(
            f"no model version {number}; there are: {listed or 'none yet'}"
        ) from error


def _consequence(settings: Settings, registry: ModelRegistry) -> dict[str, Any]:
    """Which version should be live now and which one is, and what happens next."""
    from abalone_assets.registry.versions import desired_of, person_behind
    from abalone_assets.serving.live_version import live_version

    candidates, live = registry.candidates(), live_version(settings)
    found = desired_of(candidates)
    desired = None if found is None else found.version
    if desired is None:
        kept = "nothing is deployed"
        if live is not None:
            kept = (
                f"the endpoint keeps serving version {live} until another is approved, but it is"
                " no champion any more: the gate judges the next model by its own numbers alone"
            )
        then = f"no version is approved now: {kept}"
    elif desired == live:
        then = f"nothing to do: version {live} is live"
    elif person_behind(candidates) is None:
        then = f"nothing to do: version {desired}, approved by the gate, is its release's to deploy"
    else:
        then = _next(settings, desired)
    return {"desired_version": desired, "live_version": live, "next": then}


def _next(settings: Settings, desired: int) -> str:
    """How the desired version gets to the endpoint, which serves another."""
    from abalone_assets.cli.instance import driver_of

    if driver_of(settings) is None:
        return (
            f"`abalone dev` deploys version {desired} when it runs;"
            " `dg launch --job deploy` does without it"
        )
    seconds = settings.sensor_seconds
    return (
        f"approval_sensor launches the deployment of version {desired} within {seconds} seconds,"
        " or when the runs that deploy now have ended"
    )


def _show(outcome: dict[str, Any]) -> None:
    out = console()
    already = "" if outcome["changed"] else ", as before"
    out.print(f"Version {outcome['version']}{already}. {outcome['decision']}")
    if outcome["desired_version"] is None:
        out.print(f"Warning: {outcome['next']}.", style="yellow")
    else:
        out.print(f"Next: {outcome['next']}.")
