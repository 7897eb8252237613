"""The matters that the lake and the endpoint tell of."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from abalone_assets.alerts.matters import Matter, Situation
from abalone_assets.errors import EndpointError
from abalone_assets.lake.animals import Animals
from abalone_assets.lake.last_drift import LastDrift
from abalone_assets.registry.open import open_registry
from abalone_assets.registry.versions import UnknownVersionError
from abalone_assets.serving.live_version import endpoint_state
from abalone_assets.survey import SURVEYS, kind_of_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from abalone_assets.lake.lake import Lake, Release
    from abalone_assets.lake.manifest import IngestedFile, Manifest
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.settings.platform import Settings

RECENT: Final = timedelta(days=366)
"""Files of older survey days are history: who ingests such days looks at what becomes of them."""

FILES_OF_A_DAY: Final = 5
"""Files of a day that are told of one by one. Of others there is a number, or a folder of spoilt
files makes messages, and a record of what was told, that nobody can read."""

ENDPOINT: Final = "endpoint"
MISSES: Final = 2
"""Looks, one after another, that find the endpoint silent before somebody is told."""


def lake_situation(lake: Lake, settings: Settings) -> Situation:
    """Rejected models, files that need somebody, drift.

    Raises:
        StorageError: The lake refuses.
    """
    share = settings.max_quarantined_share
    rejected = _rejected(lake.release(), open_registry(settings))
    files = (*_files(lake.manifest(), share), *_files(Animals(lake).manifest(), share))
    return Situation((*rejected, *files, *_drift(lake)))


def _rejected(release: Release | None, registry: ModelRegistry) -> Iterator[Matter]:
    """The last release, if it came to nothing and no person has said otherwise since."""
    if release is None or release.outcome != "rejected":
        return
    if release.version is None:
        yield Matter(
            "rejected",
            "the last release made no model",
            f"The last release made no model, and the endpoint keeps what it serves. "
            f"{release.reason}",
            release.digest,
        )
        return
    with suppress(UnknownVersionError):
        if registry.get(release.version).approved:
            return
    yield Matter(
        "rejected",
        f"model version {release.version} was rejected",
        f"Model version {release.version} was rejected, and the endpoint keeps what it serves. "
        f"{release.reason} `abalone approve {release.version}` overrules the gate.",
        str(release.version),
    )


def _files(manifest: Manifest, share: float) -> Iterator[Matter]:
    first = (datetime.now(UTC).date() - RECENT).isoformat()
    for day, summary in manifest.summaries.items():
        if day >= first and (summary.quarantined or summary.remarks):
            files = sorted(manifest.days[day].files, key=lambda file: file.name)
            matters = [matter for file in files for matter in _file(file, share)]
            yield from matters[:FILES_OF_A_DAY]
            if more := matters[FILES_OF_A_DAY:]:
                yield _more_files(day, more)


def _more_files(day: str, matters: Sequence[Matter]) -> Matter:
    count = len(matters)
    what = f"{count} more {'file' if count == 1 else 'files'} of {day}"
    which = hashlib.sha256("\n".join(each.instance for each in matters).encode()).hexdigest()[:16]
    return Matter(
        f"files:{day}",
        f"{what} need somebody",
        f"{what} need somebody, such as {matters[0].title}: `abalone status {day}` has all.",
        which,
    )


def _file(file: IngestedFile, share: float) -> Iterator[Matter]:
    lines = file.rows + file.held_rows + file.quarantined
    if file.problem:
        survey = kind_of_file(file.name) is SURVEYS
        what = "is no survey" if survey else "cannot be aged"
        text = f"{file.problem}. Land it again, mended."
    elif file.held:
        what = "is held"
        text = (
            f"{file.held} Land it again, mended, or say that it is right: "
            f'`abalone accept {file.name} --because "…"`.'
        )
    elif file.quarantined > share * lines:
        what = f"lost {file.quarantined} of {lines} rows"
        text = f"{100 * file.quarantined / lines:.0f} % of its rows break the survey contract."
    else:
        return
    yield Matter(f"file:{file.name}", f"{file.name} {what}", f"{file.name} {what}: {text}",
                 f"{file.sha256[:12]} {what}")  # fmt: skip


def _drift(lake: Lake) -> Iterator[Matter]:
    report = LastDrift(lake).numbers()
    drifted = [each.feature for each in report.features if each.drifted] if report else []
    if drifted:
        names = ", ".join(name.replace("_", " ") for name in drifted)
        yield Matter(
            "drift",
            f"requests have drifted: {names}",
            "The endpoint's requests no longer look like what the model learnt from: "
            f"{names}. The asset drift_report has the pictures.",
            names,
        )


def endpoint_situation(settings: Settings, misses: int) -> tuple[Situation, int]:
    """Whether the endpoint serves what it should, and the looks in a row that found it does not.

    Args:
        settings: The settings in force. On AWS the endpoint has alarms of its own.
        misses: The looks before this one.

    Raises:
        StorageError: The endpoint's pointer is damaged, or the store refuses.
    """
    problem = None if settings.profile == "aws" else _endpoint_problem(settings)
    if problem is None:
        return Situation(), 0
    misses += 1
    if misses < MISSES:
        return Situation(undecided=frozenset({ENDPOINT})), misses
    name = settings.endpoint_name
    return Situation((Matter(ENDPOINT, f"endpoint {name} {problem}",
                             f"The endpoint {name} {problem}."),)), misses  # fmt: skip


def _endpoint_problem(settings: Settings) -> str | None:
    try:
        state = endpoint_state(settings)
    except EndpointError as error:
        return f"does not answer: {error}"
    if state.requested_version is None or state.version == state.requested_version:
        return None
    if state.url is None:
        return (
            f"does not answer, and should serve version {state.requested_version}: is "
            "`abalone dev` or `abalone serve` running?"
        )
    return f"does not serve version {state.requested_version}: {state.problem or 'not loaded yet'}"
