"""The matters of models: a release that made none, requests that drifted, a silent endpoint."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Final

from abalone_assets.alerts.matters import Matter, Situation
from abalone_assets.alerts.surveys import file_situation
from abalone_assets.errors import EndpointError
from abalone_assets.lake.animals import Animals
from abalone_assets.lake.last_drift import PAGE_PATH, LastDrift
from abalone_assets.registry.open import open_registry
from abalone_assets.registry.versions import UnknownVersionError
from abalone_assets.serving.live_version import endpoint_state, live_version
from abalone_assets.serving.state import lasting_url

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets.lake.lake import Lake
    from abalone_assets.lake.releases import Release
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.settings.platform import Settings

ENDPOINT: Final = "endpoint"
MISSES: Final = 2
"""Looks, one after another, that find the endpoint silent before somebody is told."""


def lake_situation(lake: Lake, settings: Settings) -> Situation:
    """Rejected models, files that need somebody, drift.

    Raises:
        StorageError: The lake refuses.
    """
    rejected = _rejected(lake.release(), open_registry(settings), settings)
    share = settings.max_quarantined_share
    surveys, animals = (
        file_situation(manifest, share) for manifest in (lake.manifest(), Animals(lake).manifest())
    )
    return Situation.joined((Situation((*rejected, *_drift(lake, settings))), surveys, animals))


def _rejected(
    release: Release | None, registry: ModelRegistry, settings: Settings
) -> Iterator[Matter]:
    """The last release, if it came to nothing and no person has said otherwise since."""
    if release is None or release.outcome != "rejected":
        return
    if release.version is None:
        yield Matter(
            "rejected",
            "the last release made no model",
            f"The last release made no model, and {_serves_on(settings)}. {release.reason}",
            release.digest,
        )
        return
    with suppress(UnknownVersionError):
        if registry.get(release.version).approved:
            return
    yield Matter(
        "rejected",
        f"model version {release.version} was rejected",
        f"Model version {release.version} was rejected, and {_serves_on(settings)}. "
        f"{release.reason} `abalone approve {release.version}` overrules the gate.",
        str(release.version),
    )


def _serves_on(settings: Settings) -> str:
    """What becomes of the endpoint when a release came to nothing."""
    with suppress(EndpointError):
        if live_version(settings) is None:
            return "the endpoint has no model yet"
    return "the endpoint keeps what it serves"


def _drift(lake: Lake, settings: Settings) -> Iterator[Matter]:
    report = LastDrift(lake).numbers()
    if report and report.drifted:
        names = ", ".join(report.drifted)
        yield Matter(
            "drift",
            f"requests have drifted: {names}",
            "The endpoint's requests no longer look like what the model learnt from: "
            f"{names}. {_where(settings)}",
            names,
        )


def _where(settings: Settings) -> str:
    """Where the drift report is read: on this machine's pages, which AWS's endpoint has not."""
    if settings.profile == "aws":
        return "The asset drift_report has the pictures."
    state_file, host, port = (
        settings.endpoint_state_file,
        settings.endpoint_host,
        settings.endpoint_port,
    )
    return f"All of it: {lasting_url(state_file, host, port)}{PAGE_PATH}"


def endpoint_situation(
    settings: Settings, release: Release | None, misses: int
) -> tuple[Situation, int]:
    """Whether the endpoint serves what it should, and the looks in a row that found it does not.

    Args:
        settings: The settings in force.
        release: The last release that came to its end.
        misses: The looks before this one.

    Raises:
        StorageError: The endpoint's pointer is damaged, or the store refuses.
    """
    problem = _endpoint_problem(settings, had_model=release is not None and _made_a_model(release))
    if problem is None:
        return Situation(), 0
    misses += 1
    if misses < MISSES:
        return Situation(undecided=frozenset({ENDPOINT})), misses
    name = settings.endpoint_name
    return Situation((Matter(ENDPOINT, f"endpoint {name} {problem}",
                             f"The endpoint {name} {problem}."),)), misses  # fmt: skip


def _made_a_model(release: Release) -> bool:
    """Whether a release ended with a model that answers; a rejection is a matter of its own."""
    return release.outcome != "rejected"


def _endpoint_problem(settings: Settings, *, had_model: bool) -> str | None:
    """What is wrong with the endpoint; of AWS's only that it has no model, for it has alarms."""
    try:
        requested = live_version(settings)
        if requested is None:
            return (
                "has no model, though one was released: `abalone release` deploys one"
                if had_model
                else None
            )
        if settings.profile == "aws":
            return None
        state = endpoint_state(settings)
    except EndpointError as error:
        return f"does not answer: {error}"
    if state.version == state.requested_version:
        return None
    if state.url is None:
        return (
            f"does not answer, and should serve version {state.requested_version}: is "
            "`abalone dev` or `abalone serve` running?"
        )
    return f"does not serve version {state.requested_version}: {state.problem or 'not loaded yet'}"
