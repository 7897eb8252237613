"""`abalone dev`: what it refuses before anything starts."""

from __future__ import annotations

import os
import re
import socket
from typing import TYPE_CHECKING

import duckdb
import pytest

from abalone_assets.cli.dev import _mend, _start_dagster, new_log
from abalone_assets.local import processes
from abalone_assets.local.driver_lock import driver_lock
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.cli.support import abalone

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("option", ["--port", "--endpoint-port"])
def test_a_taken_port_is_refused_before_anything_starts(home: Path, option: str) -> None:
    other = "--endpoint-port" if option == "--port" else "--port"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        result = abalone("dev", option, port, other, "0")
    assert result.exit_code == 1
    assert f"cannot listen on port {port}" in result.stderr
    assert option in result.stderr


@pytest.mark.parametrize("option", ["--port", "--endpoint-port"])
def test_a_taken_port_leaves_no_home_behind(
    home: Path, monkeypatch: pytest.MonkeyPatch, option: str
) -> None:
    new = home.with_name("new")
    monkeypatch.setenv("ABALONE_HOME", str(new))
    other = "--endpoint-port" if option == "--port" else "--port"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        result = abalone("dev", option, str(listener.getsockname()[1]), other, "0")
    assert result.exit_code == 1
    assert option in result.stderr
    assert not new.exists()


def test_what_does_not_start_in_time_is_told_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "START_SECONDS", 0.0)
    log = tmp_path / "dev.log"
    waits = ["-c", "import time; time.sleep(60)"]
    with processes.Child("Dagster", waits, dict(os.environ), log=log) as child:
        told = f"no sign that Dagster answers after 0 s; its log is {log}"
        with pytest.raises(processes.ProcessError, match=re.escape(told)):
            processes.wait_until(never, child, "answers")


def never() -> bool | None:
    return None


def test_a_second_dev_of_the_same_home_is_refused(home: Path) -> None:
    with driver_lock(load_settings(), "abalone dev"):
        result = abalone("dev", "--port", "0", "--endpoint-port", "0")
    assert result.exit_code == 1
    assert f"is driven by another `abalone dev` (process {os.getpid()})" in result.stderr


def test_a_start_mends_the_catalog_and_says_what_it_put_aside(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = home / "catalog.duckdb"
    file.write_bytes(b"no database")
    _mend(load_settings())
    assert "cannot be opened" in " ".join(capsys.readouterr().err.split())
    with duckdb.connect(str(file), read_only=True) as connection:
        assert connection.execute("select 1").fetchall() == [(1,)]


def test_the_log_of_the_run_before_is_kept(tmp_path: Path) -> None:
    assert new_log(tmp_path) == tmp_path / "dev.log"
    (tmp_path / "dev.log").write_text("why it ended")
    assert not new_log(tmp_path).exists()
    assert (tmp_path / "dev.log.1").read_text() == "why it ended"


@pytest.mark.parametrize("chosen", ["text", "json"])
def test_dagsters_services_log_as_the_setting_says(
    home: Path, monkeypatch: pytest.MonkeyPatch, chosen: str
) -> None:
    monkeypatch.setenv("ABALONE_LOG_FORMAT", chosen)
    settings, started = load_settings(), []

    class Started:
        def __init__(self, _name: str, arguments: list[str], *_: object, **__: object) -> None:
            started.append(arguments)

    monkeypatch.setattr("abalone_assets.local.processes.Child", Started)
    with driver_lock(settings, "abalone dev") as lock:
        assert lock is not None
        _start_dagster(settings, {}, lock, 3000, None)
    assert (started[0][-2:] == ["--log-format", "json"]) == (chosen == "json")
