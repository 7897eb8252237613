"""How a ``dagster dev`` or ``dg dev`` becomes the one driver of the home."""

from __future__ import annotations

import atexit
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import dagster as dg

from abalone_assets.local.driver import driven_error
from abalone_assets.local.driver_lock import start_keeper, take_driver_lock
from abalone_assets.local.instance import (
    InstanceError,
    child_environment,
    fail_orphaned_runs,
    make_pools,
    prepare_instance,
    watching_environment,
)
from abalone_assets.local.offspring import VARIABLE

if TYPE_CHECKING:
    from abalone_assets.settings.platform import Settings

IN_DEV: Final = "DAGSTER_IS_DEV_CLI"
"""Set by ``dagster dev`` and any ``dg`` before they open their instance; all they start has it."""


def begins_dagster_dev() -> bool:
    """Whether this process is a ``dagster dev`` that somebody but `abalone dev` has started."""
    # ``dg`` says so whatever its command is.
    return IN_DEV in os.environ and VARIABLE not in os.environ and "dev" in sys.argv[1:]


def drive_home(settings: Settings) -> None:
    """Make this process, which is a ``dagster dev``, the driver of the home until it ends.

    Raises:
        click.ClickException: Another one drives it, or it cannot be prepared.
    """
    command = f"{'dg' if Path(sys.argv[0]).stem == 'dg' else 'dagster'} dev"
    try:
        prepare_instance(settings)
        lock = take_driver_lock(settings, command)
        if lock is None:
            raise driven_error(settings)
    except InstanceError as error:
        raise click.ClickException(str(error)) from error
    keeper, held = start_keeper(lock)
    os.environ.update(child_environment(settings))

    def end() -> None:
        os.close(held)
        keeper.wait()
        lock.forget()

    atexit.register(end)
    with dg.DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        fail_orphaned_runs(instance)
        make_pools(instance)
        os.environ.update(watching_environment(settings, instance))
