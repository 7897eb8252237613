"""Logs as JSON Lines."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from dagster._core.execution import context_creation_job

from abalone_assets import __version__
from abalone_assets.sample_data import base_survey
from abalone_assets.settings.logs import json_formatter, log_as_json
from abalone_assets_tests.automation.support import ingest, name_of, today
from abalone_assets_tests.cli.support import environment
from abalone_assets_tests.support.platform import Platform, survey_rows
from abalone_assets_tests.support.whole_surveys import ERRORS, Animals

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def _json(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ABALONE_LOG_FORMAT", "json")
    # Put back at the end: definitions that load with this setting change it for their process.
    name = "default_system_loggers"
    monkeypatch.setattr(context_creation_job, name, getattr(context_creation_job, name))


def lines(text: str) -> list[dict[str, Any]]:
    """Each line of a log; those of others, such as of pytest, left out."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def test_a_record_is_a_line_with_the_error_and_what_it_is_about() -> None:
    try:
        json.loads("two lines")
    except ValueError:
        info = sys.exc_info()
    record = logging.LogRecord("some.where", logging.ERROR, "x.py", 1, "%s fails", ("it",), info)
    record.file, record.other = "abalone.20250314061500", "not ours"
    (line,) = lines(json_formatter().format(record))
    assert line["event"] == "it fails"
    assert line["level"] == "error"
    assert line["logger"] == "some.where"
    assert line["version"] == __version__
    assert line["file"] == "abalone.20250314061500"
    assert "JSONDecodeError: Expecting value" in line["exception"]
    assert line["timestamp"].endswith("Z")
    assert "other" not in line


@pytest.mark.usefixtures("_json")
def test_a_run_says_which_and_of_what_its_lines_are(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    name = name_of(today())
    odd = Animals.of(base_survey())[:60].with_error(ERRORS["weights * 0.2"]).file()
    with Platform.at(home) as platform:
        platform.landing_zone.land(name, odd)
        ingest(platform)
        (run,) = platform.instance.get_runs()
    found = lines(capfd.readouterr().err)
    of_run = [each for each in found if each.get("run")]
    assert {each["run"] for each in of_run} == {run.run_id}
    assert {each["job"] for each in of_run} == {"ingest_surveys"}
    assert {each["version"] for each in of_run} == {__version__}
    (held,) = [each for each in of_run if each.get("file")]
    assert held["file"] == name
    assert held["level"] == "warning"
    assert held["step"] == "parse_survey_days"
    made = [each for each in of_run if each.get("type") == "ASSET_MATERIALIZATION"]
    assert {(each["asset"], each["partition"]) for each in made} >= {("new_surveys", today())}


@pytest.mark.usefixtures("_json")
def test_a_run_that_fails_says_its_error(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with Platform.at(home) as platform:
        platform.landing_zone.land(name_of(today()), survey_rows(3))
        (home / "lake").mkdir(exist_ok=True)
        (home / "lake/new_surveys").write_text("in the way")
        assert ingest(platform) == [False]
    failed = [each for each in lines(capfd.readouterr().err) if each.get("type") == "STEP_FAILURE"]
    assert "new_surveys" in failed[0]["error"]


def test_the_endpoint_server_logs_lines_with_the_version_that_it_refuses(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "registry/endpoints").mkdir(parents=True)
    program = (
        "from abalone_assets.serving import server\n"
        "from abalone_assets.settings.platform import load_settings\n"
        "from abalone_assets.registry.folder import FolderRegistry\n"
        "from abalone_assets.serving.pointer import publish_pointer\n"
        "from abalone_assets.storage.object_store import ObjectStore\n"
        "settings = load_settings()\n"
        "store = ObjectStore(settings.registry_uri)\n"
        "FolderRegistry(store).register(b'no archive', evaluation={}, release_digest='d',\n"
        "    decision={'approved': True, 'reason': '', 'rule': ''})\n"
        "publish_pointer(store, 'abalone', 1)\n"
        "import os, threading\n"
        "def end(state): threading.Timer(3, lambda: os.kill(state.pid, 15)).start()\n"
        "server.serve(settings, host='127.0.0.1', port=0, on_ready=end)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        env=environment(home, ABALONE_LOG_FORMAT="json"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    refused = [each for each in lines(told.stderr) if "cannot be served" in each["event"]]
    assert refused, told.stderr
    assert refused[0]["model_version"] == 1
    assert refused[0]["level"] == "warning"


def test_it_replaces_what_else_writes_to_the_process_output() -> None:
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    level = root.level
    try:
        log_as_json()
        (handler,) = root.handlers
        assert isinstance(handler, logging.StreamHandler)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
        logging.getLogger("abalone_assets").setLevel(logging.NOTSET)
