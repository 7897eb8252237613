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
    """The home's Dagster instance, or the one of ``DAGSTER_HOME``; None where neither is.

    Args:
        settings: The settings in force.
        make: Make the home's where there is none, as `abalone dev` does, in the profile local.

    Raises:
        InstanceError: It cannot be made.
    """
    import dagster as dg

    from abalone_assets.local.instance import CONFIG_NAME, home_environment, prepare_instance

    named = os.environ.get("DAGSTER_HOME")
    elsewhere = named is not None and Path(named).resolve() != settings.dagster_home
    is_there = (settings.dagster_home / CONFIG_NAME).exists()
    if not is_there and not elsewhere and make and settings.profile == "local":
        prepare_instance(settings)
        is_there = True
    if is_there:
        with home_environment(), dg.DagsterInstance.get() as instance:
            yield instance
    elif elsewhere:
        with dg.DagsterInstance.get() as instance:
            yield instance
    else:
        yield None
