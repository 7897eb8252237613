"""What the tests of the commands share: how to call them, and homes with something in them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from click.testing import CliRunner
from rich.console import Console

from abalone_assets.automation import retention
from abalone_assets.cli import main, output
from abalone_assets.ingest.days import parse_days
from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets.ingest.frames import to_parquet
from abalone_assets.ingest.held_files import Judge
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.manifest_store import commit_days
from abalone_assets_tests.support.platform import small_base

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pytest
    from click.testing import Result

GOOD_ROW = "M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15,15\n"
ANIMAL = ("M", "0.455", "0.365", "0.095", "0.514", "0.2245", "0.101", "0.15")


def abalone(*arguments: str | Path, text: str | None = None) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=text)


def abalone_json(*arguments: str | Path) -> dict[str, Any]:
    """Run a command that succeeds, and read its JSON document."""
    result = abalone(*arguments, "--json")
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def see_as_next_year(patch: pytest.MonkeyPatch) -> None:
    """Let what decides what is kept take everything for a year older."""

    class NextYear(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(days=365)

    patch.setattr(retention, "datetime", NextYear)


def work_in_compose(
    home: Path, patch: pytest.MonkeyPatch, location: str = "abalone_assets"
) -> None:
    """Let commands find a deployed Dagster's configuration, and no instance in the home."""
    deployed = home.parent / "deployed" / "compose"
    deployed.mkdir(parents=True)
    (deployed / "dagster.yaml").touch()
    workspace = f"load_from: [{{grpc_server: {{host: code, location_name: {location}}}}}]"
    deployed.with_name("workspace.yaml").write_text(workspace)
    patch.setenv("DAGSTER_HOME", str(deployed))
    shutil.rmtree(home / "dagster")


def watched_stderr(patch: pytest.MonkeyPatch) -> StringIO:
    """What commands show on stderr from now on while they are at work, as a terminal gets it."""
    shown = StringIO()
    terminal = Console(file=shown, force_terminal=True, width=100)
    made = output.console

    def console(*, stderr: bool = False) -> Console:
        return terminal if stderr else made()

    patch.setattr(output, "BAR_DELAY_SECONDS", 0)
    for module in (output, import_module("abalone_assets.cli.verify")):
        patch.setattr(module, "console", console)
    return shown


def environment(home: Path, **variables: str) -> dict[str, str]:
    """The environment of a command that works on a home, from a small base survey."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ABALONE_")}
    own = {f"ABALONE_{name}": value for name, value in small_base(home.parent).items()}
    own["ABALONE_HOME"] = str(home)
    return kept | own | variables


def abalone_process(
    arguments: Sequence[str | Path], env: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "abalone_assets.cli", *map(str, arguments)],
        env=env,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def ingest(home: Path, day: str) -> None:
    """Ingest one survey day as the asset does, without Dagster."""
    lake = Lake(str(home / "lake"))
    parsed = parse_days(FolderLandingZone(home / "landing_zone"), [day], judge=Judge.of(lake))
    for asset, frames in (
        ("new_surveys", parsed.rows),
        ("quarantined_rows", parsed.quarantined),
    ):
        lake.store.write(lake.key(asset, day), to_parquet(frames[day]))
    commit_days(lake.store, parsed.entries)


@dataclass(frozen=True)
class Process:
    """A process of this machine."""

    pid: int
    command: str


def processes_of(home: Path) -> list[Process]:
    """The processes that work on a home, from whoever started them."""
    return [
        Process(found.pid, " ".join(found.info["cmdline"]))
        for found in psutil.process_iter(["environ", "cmdline"])
        if (found.info["environ"] or {}).get("ABALONE_HOME") == str(home)
        and found.info["cmdline"]  # a zombie has none
    ]
