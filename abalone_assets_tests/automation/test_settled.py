"""Ticks while nothing happens: they look at nothing, and miss nothing."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from abalone_assets.automation.look import SETTLED_SECONDS
from abalone_assets.automation.survey_sensor import ALL_IN_THE_LAKE
from abalone_assets.ingest import folder_watch
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.ingest.landing_zone import LandedFile
from abalone_assets.lake.manifest_store import revoke_days
from abalone_assets_tests.automation.support import (
    SURVEY_SENSOR,
    Clock,
    ingest,
    name_of,
    ranges,
    requests,
    today,
)
from abalone_assets_tests.support.platform import Platform, survey_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OLD, RECENT = "2025-03-03", today()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """An entry for each time that the landing zone was listed."""
    made, list_files = list[None](), FolderLandingZone.list_files

    def noted(zone: FolderLandingZone, *since: object) -> Iterator[LandedFile]:
        made.append(None)
        return list_files(zone, *since)  # type: ignore[arg-type]

    monkeypatch.setattr(FolderLandingZone, "list_files", noted)
    return made


@pytest.fixture
def settled(platform: Platform, looks: list[None], monkeypatch: pytest.MonkeyPatch) -> Platform:
    """A platform that has ingested two days and has looked at them since."""
    monkeypatch.setenv("ABALONE_SETTLE_SECONDS", "0")
    platform.land(name_of(OLD), survey_rows(3))
    platform.land(name_of(RECENT, "000000"), survey_rows(4, seed=1))
    assert ingest(platform) == [True, True]
    assert requests(platform) == requests(platform) == []  # and forgets what it saw of new files
    looks.clear()
    return platform


def _append(platform: Platform) -> None:
    with (platform.home / "landing_zone" / name_of(OLD)).open("ab") as file:
        file.write(survey_rows(1, seed=7))


def _put_another_in_its_place(platform: Platform) -> None:
    zone = platform.home / "landing_zone"
    zone.rename(platform.home / "before")
    zone.mkdir()
    (zone / name_of(OLD)).write_bytes(survey_rows(6, seed=7))
    (zone / name_of(RECENT, "000000")).write_bytes(survey_rows(4, seed=1))


HAPPENINGS: dict[str, Callable[[Platform], object]] = {
    "a file lands": lambda platform: platform.land(name_of(OLD, "130000"), survey_rows(3, seed=7)),
    "a file grows": _append,
    "a file is copied over": lambda platform: (
        platform.home / "landing_zone" / name_of(OLD)
    ).write_bytes(survey_rows(5, seed=7)),
    "a file goes": lambda platform: (platform.home / "landing_zone" / name_of(OLD)).unlink(),
    "a day is revoked": lambda platform: revoke_days(platform.lake.store, [OLD]),
    "the lake loses a day": lambda platform: platform.lake.store.delete(
        platform.lake.key("new_surveys", OLD)
    ),
    "the landing zone is another folder": _put_another_in_its_place,
}


def test_a_tick_lists_nothing_while_nothing_is_written(
    settled: Platform, looks: list[None]
) -> None:
    for _ in range(3):
        assert requests(settled) == []
        assert settled.reasons[SURVEY_SENSOR] == ALL_IN_THE_LAKE
    assert looks == []


@pytest.mark.parametrize("happening", list(HAPPENINGS))
def test_the_next_tick_sees_that(settled: Platform, happening: str) -> None:
    assert requests(settled) == []
    HAPPENINGS[happening](settled)
    assert ranges(requests(settled)) == [(OLD, OLD)]


def test_a_file_that_is_touched_is_looked_at_and_then_no_more(
    settled: Platform, looks: list[None]
) -> None:
    os.utime(settled.home / "landing_zone" / name_of(OLD))
    for _ in range(4):
        assert requests(settled) == []
    assert len(looks) == 2, "once to compare its bytes, and once with what is known of it since"


def test_a_file_of_the_future_is_seen_when_its_day_comes(settled: Platform, clock: Clock) -> None:
    tomorrow = (Clock().now() + timedelta(days=1)).date().isoformat()
    settled.land(name_of(tomorrow), survey_rows(3, seed=7))
    for _ in range(3):
        assert requests(settled) == []
    clock.advance(days=1)
    assert ranges(requests(settled)) == [(tomorrow, tomorrow)]


def test_what_was_missed_is_found_after_a_while(
    settled: Platform, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FolderLandingZone, "change_token", lambda _: "as before")
    assert requests(settled) == []
    settled.land(name_of("2025-03-04"), survey_rows(3, seed=7))
    assert requests(settled) == []
    clock.advance(seconds=SETTLED_SECONDS)
    assert ranges(requests(settled)) == [("2025-03-04", "2025-03-04")]


@pytest.mark.parametrize(
    "kind", ["nfs4", "cifs", "fuse.grpcfuse", "9p", "vfat", ""], ids=lambda kind: kind or "unknown"
)
def test_a_file_system_that_others_write_to_is_looked_at_each_time(
    settled: Platform, looks: list[None], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(folder_watch, "_file_system", lambda _: kind)
    monkeypatch.setattr(folder_watch, "_watch", None)
    for _ in range(3):
        assert requests(settled) == []
    assert len(looks) == 3


def test_a_machine_that_has_no_watch_left_is_looked_at_each_time(
    settled: Platform, looks: list[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(folder_watch, "_watch", None)
    monkeypatch.setattr(folder_watch._Watch, "__init__", refuse)
    for _ in range(3):
        assert requests(settled) == []
    assert len(looks) == 3
