"""Where `abalone demo` may work: simulated surveys must never reach a real place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from abalone_assets.errors import SettingsError, SurveyError
from abalone_assets.settings.aws import ZONES
from abalone_assets.settings.environment import variable

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets.settings.platform import Settings

LISTED: Final = 3


def refuse_real_places(settings: Settings) -> None:
    """Make sure that the demo changes nothing but a home of its own.

    Raises:
        SettingsError: The profile is not local, or a place lies outside the home.
        SurveyError: Surveys that are not the demo's lie in the landing zone.
    """
    if settings.profile != "local":
        raise SettingsError(
            "the demo would land simulated surveys for everybody: unset ABALONE_PROFILE to run it"
        )
    _refuse_places_outside(settings)
    _refuse_other_surveys(settings)


def _refuse_places_outside(settings: Settings) -> None:
    outside = {
        variable(name): getattr(settings, name)
        for name in ZONES
        if not _lies_in(settings.home, getattr(settings, name))
    }
    if outside:
        places = ", ".join(f"{name} ({uri})" for name, uri in outside.items())
        raise SettingsError(
            f"the demo lands simulated surveys and keeps them in its home {settings.home}, but"
            f" {places} lies outside it: unset {' and '.join(outside)}, and give a folder of the"
            " demo's own with --home PATH"
        )


def _lies_in(home: Path, uri: str) -> bool:
    from abalone_assets.storage.object_store import ObjectStore

    folder = ObjectStore(uri).root
    return folder is not None and folder.is_relative_to(home)


def _refuse_other_surveys(settings: Settings) -> None:
    from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
    from abalone_assets.ingest.landing import day_of
    from abalone_assets.sample_data import surveys
    from abalone_assets.storage.object_store import ObjectStore

    folder = ObjectStore(settings.landing_zone_uri).root
    if folder is None or not folder.exists():
        return
    landed = {file.name for file in FolderLandingZone(folder).list_files()}
    others = sorted(filter(day_of, landed - {path.name for path in surveys()}))
    if others:
        listed = ", ".join(others[:LISTED]) + (", …" if len(others) > LISTED else "")
        raise SurveyError(
            f"{folder} holds surveys that are not the demo's ({listed}), and the demo would mix"
            " simulated ones into them: give it a folder of its own with --home PATH"
        )
