"""What ``abalone doctor`` looks at in the profile local; it launches nothing."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

from abalone_assets.doctor.finding import (
    Finding,
    base_survey,
    look_at,
    mlflow_server,
    packages,
    recipients,
)
from abalone_assets.doctor.home import home_findings
from abalone_assets.errors import EndpointError, SettingsError, StorageError
from abalone_assets.etl.java import ensure_java
from abalone_assets.lake.catalog_file import CatalogFile
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.leftovers import remove_leftovers
from abalone_assets.modeling.framework import framework_named
from abalone_assets.registry.open import open_registry
from abalone_assets.registry.record_tables import outdated_record_tables, refresh_record_tables
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets.settings.platform import Settings

REPAIR_REMEDY: Final = "run `abalone doctor --repair`"
REPAIR_AGAIN: Final = "mend what it names, and repair again"
NEEDED: Final = ("dagster", "dagster-webserver", "polars", "xgboost-cpu")


def local_findings(settings: Settings) -> Iterator[Finding]:
    """Look at what the local profile needs."""
    yield packages(NEEDED, remedy="pip install abalone-assets")
    yield from _chosen(settings)
    yield look_at(
        "home",
        lambda: _home(settings.home),
        remedy="set ABALONE_HOME to a folder that you may write to",
    )
    yield from home_findings(settings)
    yield look_at(
        "endpoint",
        lambda: _endpoint_address(settings),
        remedy="end the program that listens there, or set ABALONE_ENDPOINT_PORT",
    )
    yield base_survey(settings)
    yield from recipients(settings)
    yield from mlflow_server(settings)
    if (file := _catalog(settings)) is not None and _is_worth_a_look(file):
        yield look_at(
            "catalog",
            lambda: _catalog_state(file, settings),
            remedy=REPAIR_REMEDY,
            otherwise="warning",
        )


def _chosen(settings: Settings) -> Iterator[Finding]:
    """What the settings choose beside the defaults, and an extra installs."""
    framework = framework_named(settings.framework)
    if framework.extra:
        yield look_at(
            f"framework {settings.framework}",
            lambda: ", ".join(f"{name} {each}" for name, each in framework.versions().items()),
            remedy=f"pip install 'abalone-assets[{framework.extra}]'",
        )
    if settings.etl_engine == "spark":
        extra = "pip install 'abalone-assets[spark]'"
        yield look_at("etl engine spark", _spark, remedy=extra)
        yield look_at("java", ensure_java, remedy=f"install Java 8, 11 or 17, or {extra}")


def _spark() -> str:
    try:
        from pyspark import __version__
    except ImportError as error:
        raise SettingsError(f"PySpark is not installed ({error})") from error
    return f"pyspark {__version__}"


def repair_local(settings: Settings, *, anew: bool = True) -> Iterator[Finding]:
    """Mend what can be made again from the lake, the catalog file; nobody's data is touched.

    What killed processes have left of objects that they were writing is removed.

    Args:
        settings: The settings in force.
        anew: Trust nothing that is there, and read the whole lake.
    """
    for uri in (settings.lake_uri, settings.registry_uri):
        root = ObjectStore(uri).root
        try:
            if root is not None:
                remove_leftovers(root)
        except OSError as error:
            yield Finding("leftovers repaired", "failed", str(error), REPAIR_AGAIN)
    file = _catalog(settings)
    if file is None or not _is_worth_a_look(file):
        return
    notes: list[str] = []

    def refresh() -> str:
        refresh_record_tables(file.lake, open_registry(settings))
        refreshed = file.refresh(anew=anew)
        notes.extend(refreshed.notes)
        return f"{file.file}: {len(refreshed.tables)} tables, as the lake holds them"

    mended = look_at("catalog repaired", refresh, remedy=REPAIR_AGAIN)
    yield from (Finding("catalog repaired", "warning", note, "look into it") for note in notes)
    yield mended


def _catalog(settings: Settings) -> CatalogFile | None:
    """The catalog file; a lake on S3 has none."""
    lake = Lake(settings.lake_uri)
    return None if lake.store.root is None else CatalogFile(settings.catalog_file, lake)


def _is_worth_a_look(catalog: CatalogFile) -> bool:
    """Whether there is a catalog, or a lake that one could be made of; or nobody can tell."""
    try:
        return catalog.file.exists() or next(catalog.lake.store.list(), None) is not None
    except (OSError, StorageError):
        return True  # the look says why


def _catalog_state(catalog: CatalogFile, settings: Settings) -> str:
    if tables := outdated_record_tables(catalog.lake, open_registry(settings)):
        raise StorageError(f"{catalog.file}: outdated: {', '.join(tables)}")
    outdated = catalog.outdated()
    if outdated is not None:
        raise StorageError(outdated)
    return f"{catalog.file}: agrees with the lake"


def _home(home: Path) -> str:
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise StorageError(f"{existing}: not a folder that can be written to")
    return f"{home}" if existing == home else f"{home} (made when it is needed)"


def _endpoint_address(settings: Settings) -> str:
    from abalone_assets.serving.local_endpoint import connect
    from abalone_assets.serving.state import family_of

    host, port = settings.endpoint_host, settings.endpoint_port
    running = connect(settings.endpoint_name, state_file=settings.endpoint_state_file)
    if running is not None:
        return f"{settings.endpoint_name} is served at {running.url}"
    try:
        with socket.create_server((host, port), family=family_of(host)):
            return f"{host}:{port} is free for `abalone serve`"
    except OSError as error:
        raise EndpointError(f"{host}:{port}: {error.strerror}") from error
