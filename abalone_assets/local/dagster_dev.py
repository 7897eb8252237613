"""``dagster dev`` and ``dg dev`` in the project's folder: on the home's instance, as its driver.

Without ``DAGSTER_HOME`` they would make an instance for the time being, with a daemon that drives
the same lake as `abalone dev`. They read the ``dagster.yaml`` of the folder that they start in,
though, and the one there names the classes below.
"""

from __future__ import annotations

import atexit
import logging
import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import click
import dagster as dg
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage

from abalone_assets.local.dagster_storage import SqliteStorage
from abalone_assets.local.driver import driven_error, start_keeper, take_driver_lock
from abalone_assets.local.instance import (
    InstanceError,
    child_environment,
    fail_orphaned_runs,
    make_pools,
    prepare_instance,
    watching_environment,
)
from abalone_assets.local.offspring import VARIABLE
from abalone_assets.settings.platform import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster._serdes import ConfigurableClassData

IN_DEV: Final = "DAGSTER_IS_DEV_CLI"
"""Set by ``dagster dev`` and ``dg dev`` before they open their instance; all they start has it."""


def begins_dagster_dev() -> bool:
    """Whether this process is a ``dagster dev`` that somebody but `abalone dev` has started."""
    return IN_DEV in os.environ and VARIABLE not in os.environ


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


class HomeStorage(SqliteStorage):
    """Runs, events and sensors of the home's instance; where there is no home, they do not stay."""

    @classmethod
    def config_type(cls) -> Any:  # noqa: ANN401 - as Dagster's
        """It needs no configuration: the settings say where the home is."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> SqliteStorage:
        """The storage, after this process has become the home's driver if it is to be one."""
        del config_value
        settings = load_settings()
        if begins_dagster_dev():
            drive_home(settings)
            logging.getLogger("dagster").info("Everything is kept in %s.", settings.home)
        return cls.from_local(_folder(settings), inst_data)


class HomeComputeLogs(LocalComputeLogManager):
    """What the steps of the home's runs have printed."""

    @classmethod
    def config_type(cls) -> Any:  # noqa: ANN401 - as Dagster's
        """It needs no configuration."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> HomeComputeLogs:
        """As the home's instance has it by default."""
        del config_value
        return cls(f"{_folder(load_settings())}/storage", inst_data=inst_data)


class HomeArtifacts(LocalArtifactStorage):
    """The folder of what else the home's instance keeps."""

    @classmethod
    def config_type(cls) -> Any:  # noqa: ANN401 - as Dagster's
        """It needs no configuration."""
        return {}

    @classmethod
    def from_config_value(  # type: ignore[override]
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> HomeArtifacts:
        """As the home's instance has it by default."""
        del config_value
        return cls(_folder(load_settings()), inst_data)


_temporary: TemporaryDirectory[str] | None = None


def _folder(settings: Settings) -> str:
    """The home's Dagster folder or, where there is none, one that ends with this process."""
    global _temporary  # noqa: PLW0603 - one for all of an instance's parts
    if settings.dagster_home.exists():
        return str(settings.dagster_home)
    _temporary = _temporary or TemporaryDirectory(prefix="abalone-dagster-")
    return _temporary.name
