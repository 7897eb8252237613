"""A home has one driver: on a second daemon that works on it, sensors and schedules do nothing."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import dagster as dg

from abalone_assets.settings.platform import load_settings

_Asked = ParamSpec("_Asked")
_Told = TypeVar("_Told")


def unless_driven_by_another(
    tick: Callable[_Asked, _Told],
) -> Callable[_Asked, _Told | dg.SkipReason]:
    """Have a tick ask for nothing, and say why, while another process drives the home.

    It stands below `dg.sensor` or `dg.schedule`, of every sensor and schedule. Dagster reads the
    tick's own name, description and resources through it.
    """

    @functools.wraps(tick)
    def ticked(*args: _Asked.args, **kwargs: _Asked.kwargs) -> _Told | dg.SkipReason:
        reason = _driven_by_another()
        return dg.SkipReason(reason) if reason else tick(*args, **kwargs)

    return ticked


def _driven_by_another() -> str | None:
    from abalone_assets.local.driver import driver_elsewhere

    settings = load_settings()
    driver = None if settings.profile == "aws" else driver_elsewhere(settings)
    return (
        None
        if driver is None
        else f"{settings.home} is driven by {driver}, whose sensors ask for runs"
    )
