"""A run over many days that is killed loses none of them, and takes none in twice."""

from pathlib import Path

import pytest

from abalone_assets_tests.support.killed_backfill import Left, land, run_until_killed, try_again

pytestmark = pytest.mark.service
DAYS = 40
REVOKED, OBJECTS = 1, 2 * DAYS
PARTS = 2  # of the manifest: forty days are in two months


@pytest.mark.parametrize(
    ("write", "committed"),
    [
        pytest.param(REVOKED, 0, id="the days revoked"),
        pytest.param(REVOKED + DAYS // 2, 0, id="half of the good rows"),
        pytest.param(REVOKED + OBJECTS, 0, id="all rows"),
        pytest.param(REVOKED + OBJECTS + 1, 0, id="half of the manifest"),
        pytest.param(REVOKED + OBJECTS + PARTS + 1, DAYS, id="the manifest"),
    ],
)
def test_no_day_is_lost_and_none_is_there_twice(
    write: int, committed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    land(home, DAYS)
    assert run_until_killed(home, DAYS, write) == ""
    monkeypatch.setenv("ABALONE_SETTLE_SECONDS", "0")
    monkeypatch.setenv("ABALONE_FIRST_SURVEY_DAY", "2023-01-01")
    left = try_again(home, DAYS)
    assert left == Left(committed, committed == 0, 0, 0, 0, 0)
