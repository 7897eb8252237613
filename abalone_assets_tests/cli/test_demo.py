"""`abalone demo`: what it refuses before it begins."""

from __future__ import annotations

from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from abalone_assets.cli.demo_home import refuse_real_places
from abalone_assets.lake.lake import Lake
from abalone_assets.local.driver import Driver
from abalone_assets.local.driver_lock import drive_or_follow, driver_lock
from abalone_assets.local.instance import home_environment
from abalone_assets.sample_data import surveys
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.cli.support import abalone

if TYPE_CHECKING:
    from pathlib import Path


def test_the_demo_waits_for_a_running_dev_instead_of_driving(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = import_module("abalone_assets.cli.demo")
    monkeypatch.setattr(command, "FOLLOW_SECONDS", 0.0)
    with home_environment(home) as settings, driver_lock(settings, "dg dev"):
        result = abalone("demo")
    assert result.exit_code == 1
    assert "`dg dev` runs on this home" in result.stdout
    assert "has not released the surveys" in result.stderr
    assert Lake(settings.lake_uri).release() is None


def test_the_demo_refuses_a_shared_lake(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABALONE_PROFILE", "aws")
    for zone in ("LAKE", "LANDING_ZONE", "REGISTRY"):
        monkeypatch.setenv(f"ABALONE_{zone}_URI", "s3://bucket/prefix")
    result = abalone("demo")
    assert result.exit_code == 1
    assert "unset ABALONE_PROFILE" in result.stderr


@pytest.mark.parametrize("place", ["LAKE", "LANDING_ZONE", "REGISTRY"])
@pytest.mark.parametrize("scheme", ["", "file://", "s3://bucket"])
def test_the_demo_refuses_a_place_outside_its_home(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, scheme: str
) -> None:
    real = tmp_path / "real"
    real.mkdir()
    monkeypatch.setenv(f"ABALONE_{place}_URI", f"{scheme}{real}")
    result = abalone("demo")
    assert result.exit_code == 1
    assert f"unset ABALONE_{place}_URI" in result.stderr
    assert "--home PATH" in result.stderr
    assert list(real.iterdir()) == list((home / "landing_zone").iterdir()) == []


def test_a_link_out_of_the_home_is_outside_it(home: Path, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (home / "lake").symlink_to(tmp_path / "real")
    result = abalone("demo")
    assert result.exit_code == 1
    assert "ABALONE_LAKE_URI" in result.stderr


@pytest.mark.parametrize("zone", ["landing_zone", "other"])
def test_the_demo_refuses_a_home_with_surveys_of_others(
    home: Path, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    (home / zone).mkdir(exist_ok=True)
    monkeypatch.setenv("ABALONE_LANDING_ZONE_URI", str(home / zone))
    (home / zone / "abalone.20230102061500").touch()
    result = abalone("demo")
    assert result.exit_code == 1
    assert "surveys that are not the demo's (abalone.20230102061500)" in result.stderr
    assert "--home PATH" in result.stderr
    assert [path.name for path in (home / zone).iterdir()] == ["abalone.20230102061500"]


def test_the_demos_own_surveys_and_files_that_are_none_are_no_obstacle(home: Path) -> None:
    for name in ("notes.txt", *(path.name for path in surveys())):
        (home / "landing_zone" / name).touch()
    refuse_real_places(load_settings())


def test_the_demo_waits_for_the_endpoint_server_of_a_dev_that_starts(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("abalone_assets.local.processes"), "START_SECONDS", 0.0)
    with home_environment(home) as settings, driver_lock(settings, "abalone dev"):
        result = abalone("demo")
    assert result.exit_code == 1
    assert "no endpoint server of `abalone dev` (process" in result.stderr
    assert not settings.endpoint_state_file.exists(), "it started none of its own"


def test_a_second_demo_waits_for_the_end_of_the_first_and_then_drives_the_home(home: Path) -> None:
    """Once it asked the first one's endpoint server after that one's end."""
    waited_for: list[Driver] = []
    with ExitStack() as first, home_environment(home) as settings:
        first.enter_context(driver_lock(settings, "abalone demo"))

        def end_the_first(other: Driver) -> None:
            waited_for.append(other)
            first.close()

        with drive_or_follow(settings, "abalone demo", 30, end_the_first) as driver:
            assert driver is None
    assert [other.command for other in waited_for] == ["abalone demo"]


def test_a_demo_that_never_ends_is_told_of(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = import_module("abalone_assets.cli.demo")
    monkeypatch.setattr(command, "FOLLOW_SECONDS", 0.0)
    with home_environment(home) as settings, driver_lock(settings, "abalone demo"):
        result = abalone("demo")
    assert result.exit_code == 1
    assert "`abalone demo` (process" in result.stderr
    assert "wait for its end" in result.stderr
