"""The Dagster instance that a command works on."""

from __future__ import annotations

import os
import sys
import textwrap
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

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
    from abalone_assets.local.instance import CONFIG_NAME

    own, named = settings.dagster_home, os.environ.get("DAGSTER_HOME")
    if named and Path(named).expanduser().resolve() != own:
        return Path(named).expanduser()  # as Dagster takes it
    return own if (own / CONFIG_NAME).exists() else None
