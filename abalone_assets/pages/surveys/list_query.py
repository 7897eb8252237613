"""Which files the list of surveys shows, as its address says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from starlette.exceptions import HTTPException

from abalone_assets.errors import SurveyError
from abalone_assets.survey import parse_day

if TYPE_CHECKING:
    from datetime import date

    from starlette.requests import Request

    from abalone_assets.ingest.landed_files import FilePage, LandedFiles

_REMARKABLE: Final = "remarkable"


@dataclass(frozen=True)
class ListQuery:
    """What is asked for; surveys and animals are each cut into pages of their own.

    Attributes:
        before: Only surveys whose names sort before this one.
        animals_before: Only files of animals without rings whose names sort before this one.
        remarkable: Only files with something to read.
        day: Only files of this survey day.
    """

    before: str | None = None
    animals_before: str | None = None
    remarkable: bool = False
    day: date | None = None

    @classmethod
    def of(cls, request: Request) -> ListQuery:
        """What the address of a request says.

        Raises:
            HTTPException: Its day is none (400).
        """
        told, day = request.query_params, _day(request)
        remarkable = told.get("show") == _REMARKABLE and day is None
        return cls(told.get("before"), told.get("animals_before"), remarkable, day)

    @property
    def is_newest(self) -> bool:
        """Whether neither older files nor those of a day are asked for."""
        return not (self.before or self.animals_before or self.day)

    def page_of(self, files: LandedFiles[Any], most: int, before: str | None) -> FilePage:
        """So many of these files, before that name.

        Raises:
            HTTPException: The name is no file's (400).
            StorageError: The landing zone or the lake cannot be read.
        """
        try:
            return files.page(most, before=before, remarkable=self.remarkable, day=self.day)
        except SurveyError as error:
            raise HTTPException(HTTPStatus.BAD_REQUEST, str(error)) from error

    def address(self, path: str, **cursors: Any) -> str:  # noqa: ANN401 - fields of any type
        """The address of the same list from other cursors on; from the newest on without one."""
        asked = replace(self, **cursors)
        query = {
            "before": asked.before,
            "animals_before": asked.animals_before,
            "show": _REMARKABLE if asked.remarkable else None,
            "day": asked.day,
        }
        told = urlencode({name: value for name, value in query.items() if value})
        return f"{path}?{told}" if told else path


def _day(request: Request) -> date | None:
    """The day in the query; None when it is left out.

    Raises:
        HTTPException: It is none (400).
    """
    given = request.query_params.get("day", "").strip()
    if not given:
        return None
    try:
        return parse_day(given)
    except SurveyError as error:
        raise HTTPException(HTTPStatus.BAD_REQUEST, str(error)) from error
