"""Simulate a survey without Dagster: learn, judge, draw, record, write."""

from __future__ import annotations

import os
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from abalone_assets.errors import StorageError
from abalone_assets.synthesis import SynthesisError

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.ingest.landing_zone import LandingZone
    from abalone_assets.lake.lake import Lake
    from abalone_assets.settings.platform import Settings
    from abalone_assets.synthesis.quality import Quality
    from abalone_assets.synthesis.real_rows import RealRows
    from abalone_assets.synthesis.recipes import FitOptions, Progress


def simulate(
    settings: Settings,
    fit: FitOptions,
    on_progress: Progress,
    *,
    rows: int,
    date: str | None,
    seed: int | None,
    folder: Path | None,
    force: bool,
) -> tuple[dict[str, Any], Quality]:
    """Simulate a survey and put it where it was asked for.

    What is asked for are the options of `abalone synthesize`; without a folder, the file lands.

    Returns:
        What was done, as a JSON document, and the quality of a big sample of the same synthesizer.

    Raises:
        SynthesisError: It cannot be learnt or drawn, fails the quality check, or may not be there.
        StorageError: The lake, the folder or the landing zone cannot be read or written.
    """
    from abalone_assets.lake.lake import Lake
    from abalone_assets.survey import survey_file_name
    from abalone_assets.synthesis.quality import assess_synthesizer, broken_thresholds
    from abalone_assets.synthesis.real_rows import rows_to_avoid
    from abalone_assets.synthesis.recipes import fit_once
    from abalone_assets.synthesis.survey_file import (
        land,
        refuse_day,
        refuse_surveyed_file,
        simulate_survey,
        survey_moment,
    )

    time = survey_moment(date) if date else datetime.now(UTC)
    if folder is None:
        refuse_day(time, settings.first_survey_day)
    lake, zone = Lake(settings.lake_uri), _zone(settings, folder)
    refuse_surveyed_file(survey_file_name(time), zone, lake.store)
    real, source = _real_rows(lake)
    fitted = fit_once(lake.store, real, fit, on_progress)
    avoid = rows_to_avoid(lake, real)
    made = simulate_survey(fitted.synthesizer, rows, time, seed, avoid)
    _, quality = assess_synthesizer(fitted.synthesizer, real)
    broken = broken_thresholds(quality)
    if broken and not force:
        raise SynthesisError(
            f"nothing was written, as the simulation is not good enough: {'; '.join(broken)} "
            "(--force takes it all the same)"
        )
    outcome = land(made, zone, lake.store, replace=force)
    document = {
        "file": made.name,
        "path": f"{zone.uri}/{made.name}",
        "outcome": outcome,
        "rows": made.simulated.rows,
        "seed": made.seed,
        "sha256": made.sha256,
        "source": source,
        "synthesizer": {
            **asdict(fitted.synthesizer.facts),
            "taken_from_the_lake": fitted.cached,
        },
        "drawn": made.simulated.drawn,
        "rejected": dict(made.simulated.rejected),
        "repaired": dict(made.simulated.repaired),
        "quality": quality,
        "broken": broken,
    }
    return document, quality


def _real_rows(lake: Lake) -> tuple[RealRows, str]:
    """The real rows, and where they come from."""
    from abalone_assets.ingest.frames import survey_frame
    from abalone_assets.sample_data import base_survey
    from abalone_assets.survey import parse_survey
    from abalone_assets.synthesis.real_rows import RealRows

    key = lake.key("raw_abalone")
    if lake.store.find(key) is not None:
        return RealRows.of_lake(lake), lake.store.uri_of(key)
    path = base_survey()
    survey = parse_survey(path.read_bytes(), path.name)
    return RealRows.of_frame(
        survey_frame([survey])
    ), f"the bundled {path.name} (the lake has none yet)"


def _zone(settings: Settings, folder: Path | None) -> LandingZone:
    """The landing zone; or a folder, which is written to by the same rules."""
    from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
    from abalone_assets.ingest.open import open_landing_zone
    from abalone_assets.local.instance import make_landing_zone

    if folder is None:
        make_landing_zone(settings)
        return open_landing_zone(settings.landing_zone_uri)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"{folder}: cannot make this folder: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise StorageError(f"{folder}: no file can be written to this folder: permission denied")
    return FolderLandingZone(folder)
