"""Ticks that watch for something to do."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets.automation import watching
from abalone_assets.automation.watching import watch
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = dg.RunRequest()


class Looks:
    """Looks that find nothing until the last; each leaves its number as the cursor."""

    def __init__(self, context: dg.SensorEvaluationContext, until: int) -> None:
        self.context = context
        self.cursors: list[str | None] = []
        self.until = until

    def __call__(self) -> dg.SensorResult:
        self.cursors.append(self.context.cursor)
        count = len(self.cursors)
        if count == self.until:
            return dg.SensorResult(run_requests=[REQUEST], cursor=str(count))
        return dg.SensorResult(skip_reason=f"look {count}", cursor=str(count))


@pytest.fixture
def context() -> dg.SensorEvaluationContext:
    return dg.build_sensor_context(cursor="0")


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "POLL_SECONDS", 0.001)


def test_it_looks_again_when_the_sign_changes_and_carries_the_cursor_on(
    context: dg.SensorEvaluationContext,
) -> None:
    signs, looks = iter([1, 1, 2, 2, 2, 3, 3, 3]), Looks(context, until=3)
    found = watch(context, looks, lambda _: next(signs), 60)
    assert found.run_requests == [REQUEST]
    assert looks.cursors == ["0", "1", "2"]
    assert (context.cursor, found.cursor) == ("3", None)


def test_what_changes_during_a_look_is_looked_at_again(context: dg.SensorEvaluationContext) -> None:
    looks = Looks(context, until=2)
    found = watch(context, looks, lambda _: len(looks.cursors), 60)
    assert found.run_requests == [REQUEST]


def test_it_gives_up_after_its_time(context: dg.SensorEvaluationContext) -> None:
    looks = Looks(context, until=9)
    found = watch(context, looks, lambda _: "same", 0.01)
    assert found.skip_reason == dg.SkipReason("look 1")
    assert (len(looks.cursors), found.cursor, context.cursor_updated) == (1, "1", False)


@pytest.mark.parametrize(("sign", "seconds"), [(None, 60.0), ("same", 0.0)])
def test_without_a_sign_or_time_it_looks_once(
    context: dg.SensorEvaluationContext, sign: str | None, seconds: float
) -> None:
    looks = Looks(context, until=9)
    watch(context, looks, lambda _: sign, seconds)
    assert len(looks.cursors) == 1


def test_what_it_observed_is_reported_at_once(context: dg.SensorEvaluationContext) -> None:
    event = dg.AssetObservation("landing_zone")
    seen = dg.SensorResult(skip_reason="strays", asset_events=[event])
    assert watch(context, lambda: seen, lambda _: "same", 60).asset_events == [event]


def test_a_folder_shows_that_a_file_landed_and_that_it_is_gone(tmp_path: Path) -> None:
    zone, signs = FolderLandingZone(tmp_path / "zone"), []
    signs.append(zone.sign())
    (tmp_path / "zone").mkdir()
    signs.append(zone.sign())
    zone.land("abalone.20240101000000", b"M")
    signs.append(zone.sign())
    assert None not in signs
    assert len(set(signs)) == len(signs)


def test_a_tick_wakes_up_for_a_file_that_lands(
    context: dg.SensorEvaluationContext, tmp_path: Path
) -> None:
    zone, looks = FolderLandingZone(tmp_path), Looks(context, until=2)
    landing = threading.Timer(0.05, zone.land, ("abalone.20240101000000", b"M"))
    landing.start()
    assert watch(context, looks, lambda _: zone.sign(), 60).run_requests == [REQUEST]
    landing.join()
