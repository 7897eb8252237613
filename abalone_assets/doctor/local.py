"""What ``abalone doctor`` looks at in the profile local; it launches nothing."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING, Final

from abalone_assets.doctor.finding import base_survey, look_at, packages
from abalone_assets.errors import EndpointError, StorageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from abalone_assets.doctor.finding import Finding
    from abalone_assets.settings.platform import Settings

NEEDED: Final = ("dagster", "dagster-webserver", "polars", "xgboost-cpu")


def local_findings(settings: Settings) -> Iterator[Finding]:
    """Look at what the local profile needs."""
    yield packages(NEEDED, remedy="pip install abalone-assets")
    yield look_at(
        "home",
        lambda: _home(settings.home),
        remedy="set ABALONE_HOME to a folder that you may write to",
    )
    yield look_at(
        "endpoint",
        lambda: _endpoint_address(settings),
        remedy="end the program that listens there, or set ABALONE_ENDPOINT_PORT",
    )
    yield base_survey(settings)


def _home(home: Path) -> str:
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise StorageError(f"{existing}: not a folder that can be written to")
    return f"{home}" if existing == home else f"{home} (made when it is needed)"


def _endpoint_address(settings: Settings) -> str:
    from abalone_assets.serving.deployment import connect

    host, port = settings.endpoint_host, settings.endpoint_port
    running = connect(settings.endpoint_name, state_file=settings.endpoint_state_file)
    if running is not None:
        return f"{settings.endpoint_name} is served at {running.url}"
    try:
        with socket.create_server((host, port)):
            return f"{host}:{port} is free for `abalone serve`"
    except OSError as error:
        raise EndpointError(f"{host}:{port}: {error.strerror}") from error
