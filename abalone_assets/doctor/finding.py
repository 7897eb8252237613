"""What ``abalone doctor`` finds, and what it looks at in every profile."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import urlsplit

from abalone_assets.errors import AbaloneError, StorageError
from abalone_assets.ingest.base_survey import local_path
from abalone_assets.settings.public_uri import public_uri
from abalone_assets.storage.object_store import locate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from abalone_assets.settings.platform import Settings

REACH_SECONDS: Final = 10

Outcome = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        subject: What.
        outcome: Whether the platform can work with it.
        found: What it is like.
        remedy: What to do about it; empty when all is well.
    """

    subject: str
    outcome: Outcome
    found: str
    remedy: str = ""


class TroubleError(AbaloneError):
    """Something is not as it should be, with an outcome and a remedy of its own."""

    def __init__(self, outcome: Outcome, found: str, remedy: str) -> None:
        super().__init__(found)
        self.outcome = outcome
        self.remedy = remedy


def look_at(
    subject: str, look: Callable[[], str], *, remedy: str, otherwise: Outcome = "failed"
) -> Finding:
    """What a look finds: all well, or the error that it ended with.

    Args:
        subject: What is looked at.
        look: Returns what is there; may raise a `TroubleError`, another `AbaloneError`, or what the
            system refuses with.
        remedy: What to do about another error.
        otherwise: How bad another error is.
    """
    try:
        return Finding(subject, "ok", look())
    except TroubleError as trouble:
        return Finding(subject, trouble.outcome, str(trouble), trouble.remedy)
    except (AbaloneError, OSError) as error:
        return Finding(subject, otherwise, " ".join(str(error).split()), remedy)


def packages(names: Sequence[str], *, remedy: str) -> Finding:
    """Whether distributions of Python packages are installed."""
    installed, missing = [], []
    for name in names:
        try:
            installed.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding("packages", "failed", f"not installed: {', '.join(missing)}", remedy)
    return Finding("packages", "ok", ", ".join(installed))


def recipients(settings: Settings) -> Iterator[Finding]:
    """Whether those whom the settings name could be told; sends nothing, and says no secret."""
    from abalone_assets.alerts.recipients import recipients_of

    names = settings.notify.get_secret_value()
    if names:
        yield look_at(
            "alerts",
            lambda: ", ".join(each.name for each in recipients_of(names)),
            remedy="mend ABALONE_NOTIFY; `abalone notify` then sends a test message",
        )


def mlflow_server(settings: Settings) -> Iterator[Finding]:
    """Whether the MLflow that the settings name could be told of versions; says no secret."""
    from abalone_assets.tracking.server import MlflowServer

    def look(server: MlflowServer) -> str:
        server.require_client()
        answers = _reach_by_http(f"{server.uri}/health") if server.uri.startswith("http") else ""
        return f"{server.uri}{answers}"

    if (server := MlflowServer.of(settings)) is not None:
        remedy = "look at the server, or unset ABALONE_MLFLOW_URI: no release waits for it"
        yield look_at("mlflow", partial(look, server), remedy=remedy, otherwise="warning")


def base_survey(settings: Settings) -> Finding:
    """Whether the base survey can be reached; downloads nothing."""
    remedy = "set ABALONE_RAW_URI to a copy of the UCI survey"
    if settings.raw_fallback:
        remedy += ", or go on with the bundled simulated survey"
    return look_at(
        "base survey",
        lambda: f"{public_uri(settings.raw_uri)}{_reach(settings.raw_uri)}",
        remedy=remedy,
        otherwise="warning" if settings.raw_fallback else "failed",
    )


def _reach(uri: str) -> str:
    """Make sure that there is something at the URI; returns what is known of it."""
    parts = urlsplit(uri)
    if parts.scheme in {"http", "https"}:
        return _reach_by_http(uri)
    if parts.scheme == "s3":
        store, key = locate(uri)
        found = store.find(key)
        if found is None:
            raise StorageError(f"{uri}: no such object")
        return f" ({found.size} bytes)"
    path = local_path(uri)
    if not os.access(path, os.R_OK):
        raise StorageError(f"{path}: no such file, or not readable")
    return f" ({path.stat().st_size} bytes)"


def _reach_by_http(uri: str) -> str:
    import requests

    try:
        with requests.get(uri, timeout=REACH_SECONDS, stream=True) as answer:
            answer.raise_for_status()
    except requests.RequestException as error:
        raise StorageError(
            f"{public_uri(uri)}: the network refused ({type(error).__name__})"
        ) from None  # whose words have the whole URI in them
    return " answers"
