"""The check of an uploaded file: that of ``abalone land``, by what a person said of the file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

from abalone_assets.errors import SurveyError
from abalone_assets.ingest.given_files import Options, Verdicts
from abalone_assets.ingest.landing import CheckedFile, check_files
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.lake.lake import Lake
from abalone_assets.survey import ANIMALS, SURVEYS, kind_of_file, parse_time, survey_file_name
from abalone_assets.survey.units import Units

if TYPE_CHECKING:
    from collections.abc import Mapping

    from abalone_assets.pages.surveys.staged_uploads import StagedUpload
    from abalone_assets.settings.platform import Settings
    from abalone_assets.survey import FileKind

UNITS: Final = (
    ("", "as the file says"),
    ("mm-g", "millimetres and grams"),
    ("cm-g", "centimetres and grams"),
    ("cm-kg", "centimetres and kilograms"),
    ("m-kg", "metres and kilograms"),
    ("in-oz", "inches and ounces"),
    ("in-lb", "inches and pounds"),
    ("scaled-scaled", "mm / 200 and g / 200"),
)
RINGS: Final = (
    ("", "as the file's name says, else counted"),
    ("counted", "counted"),
    ("none", "not counted: the live model tells the ages"),
)
_NAMED_TIME: Final = re.compile(r"(?:abalone|animals)\.([0-9]{14})(?![0-9])")


@dataclass(frozen=True)
class Choices:
    """What a person said of a file; empty where the file is asked."""

    time: str = ""
    units: str = ""
    rings: str = ""

    @classmethod
    def of(cls, given: Mapping[str, object]) -> Choices:
        """Those of a query or a form."""
        return cls(*(str(given.get(name, "")).strip() for name in ("time", "units", "rings")))

    def name_of(self, upload: StagedUpload) -> str | None:
        """The name that the file lands under; None while nobody has told its time.

        Raises:
            SurveyError: The time is none, or there is no such answer about the rings.
        """
        kind = self._kind_of(upload)
        if self.time:
            try:
                return survey_file_name(parse_time(self.time), kind)
            except SurveyError as error:
                raise SurveyError(
                    f"{self.time!r} is no time: write it as 2025-03-14 06:15:00, in UTC"
                ) from error
        match = _NAMED_TIME.search(upload.given_name)
        return kind.prefix + match[1] if match else None

    def _kind_of(self, upload: StagedUpload) -> FileKind:
        match self.rings:
            case "counted":
                return SURVEYS
            case "none":
                return ANIMALS
            case "":
                return kind_of_file(upload.given_name)
        raise SurveyError(f"{self.rings!r} says nothing of the rings: choose an answer")

    @property
    def query(self) -> str:
        """What an address has behind its question mark, so that it is asked of the file again."""
        return urlencode({name: told for name, told in vars(self).items() if told})

    @property
    def options(self) -> Options:
        """For the check.

        Raises:
            SurveyError: There are no such units.
        """
        return Options(units=Units.named(self.units) if self.units else None)


@dataclass(frozen=True)
class Check:
    """What the check of an upload found.

    Attributes:
        file: The file as it would land; None while its name is not known.
        problem: Why it is not known.
    """

    file: CheckedFile | None
    problem: str | None = None

    @property
    def obstacles(self) -> list[str]:
        """Why it may not land from a page, whatever is confirmed."""
        if self.file is None:
            return [str(self.problem)]
        return [each.reason for each in self.file.obstacles if each.kind != "replaced"]

    @property
    def replaces(self) -> bool:
        """Whether another survey lies there under its name."""
        return self.file is not None and self.file.change == "replaced"

    @property
    def may_land(self) -> bool:
        """Whether a confirmation lands it."""
        return not self.obstacles and self.file is not None and self.file.change != "identical"


def check_upload(upload: StagedUpload, choices: Choices, settings: Settings) -> Check:
    """Check an upload as it would land now.

    Raises:
        StorageError: The landing zone or the lake cannot be read.
    """
    try:
        name, options = choices.name_of(upload), choices.options
    except SurveyError as error:
        return Check(None, str(error))
    if name is None:
        return Check(None, "its name does not tell when the survey was made: say it below")
    (file,) = check_files(
        {name: upload.data},
        open_landing_zone(settings.landing_zone_uri),
        settings.first_survey_day,
        options=options,
        verdicts=Verdicts.of(Lake(settings.lake_uri)),
    )
    return Check(file)


def units_to_choose(check: Check) -> list[tuple[str, str]]:
    """The usual units, and those that the file's numbers look like."""
    doubted = check.file.read.doubted_units if check.file else None
    known = {name for name, _ in UNITS}
    return [
        *UNITS,
        *([(doubted.name, doubted.words)] if doubted and doubted.name not in known else []),
    ]
