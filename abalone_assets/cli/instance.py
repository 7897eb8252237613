"""The Dagster instance that a command works on."""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dagster as dg

    from abalone_assets.settings.platform import Settings


@contextmanager
def opened_instance(
    settings: Settings, *, make: bool = False
) -> Iterator[dg.DagsterInstance | None]:
    """The instance of `instance_folder`; None where there is none.

    Args:
        settings: The settings in force.
        make: Make the home's where there is none, as `abalone dev` does, in the profile local.

    Raises:
        InstanceError: It cannot be made, or ``DAGSTER_HOME`` names no folder.
    """
    import dagster as dg

    from abalone_assets.local.instance import InstanceError, home_environment, prepare_instance

    if make and instance_folder(settings) is None and settings.profile == "local":
        prepare_instance(settings)
    folder = instance_folder(settings)
    if folder is None:
        yield None
    elif folder == settings.dagster_home:
        with home_environment(), dg.DagsterInstance.get() as instance:
            yield instance
    elif not folder.is_dir():
        raise InstanceError(
            f"{folder}: DAGSTER_HOME names no folder; correct it, or unset it to work on the"
            " home's own instance"
        )
    else:
        with dg.DagsterInstance.get() as instance:
            yield instance


def instance_folder(settings: Settings) -> Path | None:
    """The folder of the instance that a command works on; None where there is none.

    Another ``DAGSTER_HOME`` than the home's own is somebody's word, and wins: after a move to
    PostgreSQL the home's SQLite instance is still there, and nobody looks at it.
    """
    from abalone_assets.local.instance import CONFIG_NAME

    own, named = settings.dagster_home, os.environ.get("DAGSTER_HOME")
    if named and Path(named).resolve() != own:
        return Path(named)
    return own if (own / CONFIG_NAME).exists() else None
