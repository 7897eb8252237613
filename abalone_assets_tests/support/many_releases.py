"""Releases one after another: new files, days that come late, files rewritten and deleted."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from abalone_assets_tests.support.platform import survey_rows

if TYPE_CHECKING:
    from abalone_assets_tests.support.platform import Platform

FIRST: Final = date(2025, 3, 1)
NEW_ROWS: Final = 50
LATE_EVERY, REWRITTEN_EVERY, DELETED_AT = 5, 4, 6


def file_of(number: int) -> str:
    """The name of the file that a release brings; every fifth is of a day long past."""
    late = number % LATE_EVERY == LATE_EVERY - 1
    day = FIRST + timedelta(days=number // 2 if not late else -number)
    return f"abalone.{day:%Y%m%d}{10 + number % 2}0000"


def bring(platform: Platform, number: int) -> None:
    """Land what the release of that number, from 1, is made of; have it released.

    Each brings 50 new rows. Every fourth rewrites the file of two releases ago, too; one deletes
    that of three releases ago.
    """
    platform.land(file_of(number), survey_rows(NEW_ROWS, seed=number))
    if number % REWRITTEN_EVERY == 0:
        platform.land(file_of(number - 2), survey_rows(NEW_ROWS, seed=100 + number))
    if number == DELETED_AT:
        (platform.home / "landing_zone" / file_of(number - 3)).unlink()
    platform.settle()


def empty_landing_zone(platform: Platform) -> None:
    """Lose all files that have landed."""
    for path in (platform.home / "landing_zone").iterdir():
        path.unlink()
