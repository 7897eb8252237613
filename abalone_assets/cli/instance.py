"""The Dagster instance that a command works on."""

from __future__ import annotations

import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from abalone_assets.errors import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dagster as dg

    from abalone_assets.settings.platform import Settings

REASON_WIDTH: Final = 300
"""Of what Dagster or a database says of an error, which may be all that a file may hold."""


@contextmanager
def opened_instance(
    settings: Settings, *, make: bool = False
) -> Iterator[dg.DagsterInstance | None]:
    """The instance of `instance_folder`; None where there is none.

    Args:
        settings: The settings in force.
        make: Make the home's where there is none, as `abalone dev` does, in the profile local.

    Raises:
        InstanceError: It cannot be made or opened, ``DAGSTER_HOME`` names no folder, or its
            database does not answer while it is open.
    """
    from abalone_assets.local.instance import InstanceError, home_environment, prepare_instance

    if make and instance_folder(settings) is None and settings.profile == "local":
        prepare_instance(settings)
    folder = instance_folder(settings)
    if folder is None:
        yield None
    elif folder == settings.dagster_home:
        with home_environment(), _opened(folder) as instance:
            yield instance
    elif not folder.is_absolute():
        raise InstanceError(
            f"DAGSTER_HOME={folder}: Dagster takes a whole path only; set it to {folder.resolve()},"
            " or unset it to work on the home's own instance"
        )
    elif not folder.is_dir():
        raise InstanceError(
            f"{folder}: DAGSTER_HOME names no folder; correct it, or unset it to work on the"
            " home's own instance"
        )
    else:
        with _opened(folder) as instance:
            yield instance


@contextmanager
def _opened(folder: Path) -> Iterator[dg.DagsterInstance]:
    """The instance that the environment names.

    Raises:
        InstanceError: It cannot be opened, or its database does not answer any more.
    """
    import dagster as dg
    from sqlalchemy.exc import SQLAlchemyError

    from abalone_assets.local.instance import CONFIG_NAME, InstanceError

    try:
        instance = dg.DagsterInstance.get()
    except Exception as error:  # there is no end to what YAML, Dagster and databases raise
        raise InstanceError(
            f"{folder}: Dagster's instance cannot be opened ({_reason(error)}): correct its "
            f"{CONFIG_NAME}, or start the database that it names; `abalone doctor` looks at the "
            "home's own"
        ) from error
    postgres = sys.modules.get("dagster_postgres.utils")
    others = () if postgres is None else (postgres.DagsterPostgresException,)
    with instance:
        try:
            yield instance
        except (SQLAlchemyError, *others) as error:
            raise InstanceError(
                f"{folder}: Dagster's database does not answer ({_reason(error)}): start it and "
                "call this again. A damaged file of SQLite's: end `abalone dev`, move the file "
                "away, start it again and call `abalone restore`"
            ) from error


def _reason(error: Exception) -> str:
    """What a database says, without the statement, or else what Dagster says."""
    cause = error.__cause__ or error
    return textwrap.shorten(str(getattr(cause, "orig", None) or cause), REASON_WIDTH)


def instance_folder(settings: Settings) -> Path | None:
    """The folder of the instance that a command works on; None where there is none.

    Another ``DAGSTER_HOME`` than the home's own is somebody's word, and wins: after a move to
    PostgreSQL the home's SQLite instance is still there, and nobody looks at it.
    """
    from abalone_assets.local.instance import CONFIG_NAME, instance_elsewhere

    own = settings.dagster_home
    return instance_elsewhere(settings) or (own if (own / CONFIG_NAME).exists() else None)


@contextmanager
def driving_environment() -> Iterator[Settings]:
    """The settings in force; Dagster's variables are the home's meanwhile, unless it is deployed.

    Yields:
        The settings.

    Raises:
        SettingsError: The environment is malformed.
    """
    from abalone_assets.local.instance import home_environment, is_deployed
    from abalone_assets.settings.platform import load_settings

    settings = load_settings()
    if is_deployed(settings):  # its DAGSTER_HOME is the deployed instance's
        yield settings
        return
    with home_environment() as settings:
        yield settings


def driver_of(settings: Settings) -> str | None:
    """Who drives the home's sensors now; None when nobody does."""
    from abalone_assets.local.driver import Driver
    from abalone_assets.local.instance import is_deployed

    if is_deployed(settings):
        return "the daemon"
    driver = Driver.of(settings)
    return str(driver) if driver is not None and driver.lives else None


def require_ours(settings: Settings, instance: dg.DagsterInstance) -> None:
    """Make sure that an instance elsewhere is not another project's alone; an empty one is fine.

    Raises:
        InstanceError: It knows runs or assets, and none of ours.
    """
    from abalone_assets.automation.runs import is_of_this_platform
    from abalone_assets.definitions import defs
    from abalone_assets.local.instance import InstanceError, instance_elsewhere

    elsewhere = instance_elsewhere(settings)
    if elsewhere is None:
        return
    assets = set(instance.all_asset_keys())
    if not assets.isdisjoint(defs().get_repository_def().asset_graph.get_all_asset_keys()):
        return
    runs = instance.get_runs()
    if (runs or assets) and not any(map(is_of_this_platform, runs)):
        raise InstanceError(
            f"{elsewhere}: the instance that DAGSTER_HOME names knows {counted(len(runs), 'run')} "
            f"and {counted(len(assets), 'asset')}, and none of this platform's, so nothing was "
            "changed: unset it to work on the home's own instance, or set it to the one that this "
            "platform was moved to"
        )
