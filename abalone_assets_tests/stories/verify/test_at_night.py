"""The night's look reads its share of a home, and tells what is amiss by a run that fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from abalone_assets.automation.alert_sensor import WATCHED_JOBS
from abalone_assets.automation.runs import VERIFY_JOB, Runs
from abalone_assets.defs.verification import verify_schedule
from abalone_assets.doctor.verify.run import verify_at_night
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.stories.verify.damages import archive, cut, day, spoil

if TYPE_CHECKING:
    from pathlib import Path

    from abalone_assets_tests.support.platform import Platform

pytestmark = pytest.mark.xdist_group("verify")  # one home for all


def asked(platform: Platform) -> dg.RunRequest:
    """What the schedule asks for."""
    with dg.build_schedule_context(platform.instance) as context:
        (request,) = verify_schedule.evaluate_tick(context).run_requests or ()
    return request


def test_the_nights_look_tells_damage_by_a_run_that_fails(
    finished: Platform, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("abalone_assets.doctor.verify.run.time.sleep", lambda _: None)
    assert finished.run(VERIFY_JOB, asked(finished)).success
    spoil(archive(home))

    result = finished.run(VERIFY_JOB, asked(finished), raise_on_error=False)

    assert not result.success
    error = Runs(finished.instance, ()).error_of(result.run_id)
    assert "model versions: 1 archive is not as registered: version 2" in error
    assert "restore them from a copy" in error
    assert VERIFY_JOB in WATCHED_JOBS


@pytest.mark.usefixtures("home")
def test_what_a_run_was_writing_is_not_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is amiss at the first look and whole at the second."""
    whole, waited = archive(home).read_bytes(), []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        archive(home).write_bytes(whole)

    monkeypatch.setattr("abalone_assets.doctor.verify.run.time.sleep", wait)
    spoil(archive(home))

    findings = verify_at_night(load_settings(), 0)

    assert {each.outcome for each in findings} == {"ok"}
    assert waited == [60.0]


def test_a_night_reads_its_share_of_the_days(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("abalone_assets.doctor.verify.run.DAYS_A_NIGHT", 1)
    monkeypatch.setattr("abalone_assets.doctor.verify.run.time.sleep", lambda _: None)
    cut(day(home, "new_surveys"))
    told = [
        {each.subject: each for each in verify_at_night(load_settings(), night)}
        for night in range(2)
    ]
    assert [each["survey days"].outcome for each in told] == ["failed", "ok"]
    assert "1 day read now" in told[0]["manifest"].found
