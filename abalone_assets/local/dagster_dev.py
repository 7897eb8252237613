"""``dagster dev`` and ``dg dev`` in the project's folder: on the home's instance, as its driver.

Without ``DAGSTER_HOME`` they would make an instance for the time being, with a daemon that drives
the same lake as `abalone dev`. They read the ``dagster.yaml`` of the folder that they start in,
though, and the one there names the classes below.
"""

from __future__ import annotations

import logging
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Self

from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.root import LocalArtifactStorage

from abalone_assets.local.dagster_storage import SqliteStorage
from abalone_assets.local.dev_driver import begins_dagster_dev, drive_home
from abalone_assets.settings.platform import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dagster._serdes import ConfigurableClassData


class _Unconfigured:
    """A part of an instance that needs no configuration: the settings say where the home is."""

    @classmethod
    def config_type(cls) -> Any:  # noqa: ANN401 - as Dagster's
        """What Dagster asks of each of its classes."""
        return {}


class HomeStorage(_Unconfigured, SqliteStorage):
    """Runs, events and sensors of the home's instance; where there is no home, they do not stay."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> Self:
        """The storage, after this process has become the home's driver if it is to be one."""
        del config_value
        settings = load_settings()
        if begins_dagster_dev():
            drive_home(settings)
            logging.getLogger("dagster").info("Everything is kept in %s.", settings.home)
        return cls.from_local(_folder(settings), inst_data)


class HomeComputeLogs(_Unconfigured, LocalComputeLogManager):
    """What the steps of the home's runs have printed."""

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> HomeComputeLogs:
        """As the home's instance has it by default."""
        del config_value
        return cls(f"{_folder(load_settings())}/storage", inst_data=inst_data)


class HomeArtifacts(_Unconfigured, LocalArtifactStorage):
    """The folder of what else the home's instance keeps."""

    @classmethod
    def from_config_value(
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
