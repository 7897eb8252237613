"""A week of a fleet with all kinds of bad files, and the real daemon: what becomes of each of them.

`abalone dev` goes through the same week twice: once with all that the crews send, once with the
clean files only. The animals are UCI's, each drawn for one purpose; the models are judged on some
that nobody sent. The story ``test_fleet_week`` asserts the same of the platform in one process.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from abalone_assets.ingest.folder_landing_zone import FolderLandingZone
from abalone_assets_tests.cli.support import abalone_process, environment
from abalone_assets_tests.support.fleet.accounts import account, lose_day, merged_rows
from abalone_assets_tests.support.fleet.address import Address
from abalone_assets_tests.support.fleet.crews import FOLDER, LINK, Crews
from abalone_assets_tests.support.fleet.kinds import GROWING
from abalone_assets_tests.support.fleet.week import DAYS, ODD_ANIMALS, FleetWeek
from abalone_assets_tests.support.quick_daemon import quick_daemon
from abalone_assets_tests.support.stack import Stack, running_stack
from abalone_assets_tests.support.whole_surveys import Animals
from benchmarks.cross_validation import survey_columns

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GROWTH_SECONDS: Final = 1.5
GROWTH_ROWS: Final = 10
LOST_DAY: Final = 2
JOBS: Final = ("ingest_surveys", "release")

_PR_CAPBSET_DROP: Final = 24
_READ_ALL: Final = (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


class Week:
    """The week as one platform has it."""

    def __init__(self, week: FleetWeek, stack: Stack) -> None:
        self.week, self.stack = week, stack
        self.errors: dict[str, float] = {}
        self.statuses: dict[str, dict[str, Any]] = {}

    def rest(self, moment: str) -> None:
        """Wait until everything is released, and judge the model."""
        self.stack.await_(self._is_at_rest, f"a release after {moment}", seconds=600)
        release = self.stack.lake.release()
        if release is None or release.version is None:
            raise RuntimeError(f"no model after {moment}: {release}")
        self.errors[moment] = self.week.error_of(self.stack.home, release.version)
        self.statuses[moment] = self.status()

    def _is_at_rest(self) -> bool:
        """Whether every file is in the manifest as large as it is, and all is released."""
        lake = self.stack.lake
        listed = [file for day in lake.manifest().days.values() for file in day.files]
        landed = FolderLandingZone(self.stack.home / "landing_zone").list_files()
        sizes = {file.name: file.size for file in landed} == {f.name: f.size for f in listed}
        return sizes and not lake.release_due() and not self.stack.in_flight()

    def status(self) -> dict[str, Any]:
        """What `abalone status --json` says."""
        env = environment(self.stack.home, **self.stack.environ)
        answer = abalone_process(["status", "--json"], env)
        if answer.returncode:
            raise RuntimeError(answer.stderr)
        document: dict[str, Any] = json.loads(answer.stdout)
        return document

    def ticks(self) -> None:
        """Wait for some ticks of the sensors."""
        time.sleep(4 * float(self.stack.environ["ABALONE_SENSOR_SECONDS"]))


def main(arguments: Sequence[str] = ()) -> None:
    """Go through the week twice, with the animals of a survey; by default the base survey."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleet_week", description=__doc__)
    parser.add_argument("--data", type=Path, metavar="PATH", help="a survey file")
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args(arguments)
    _let_root_be_refused()
    animals = Animals.in_columns(survey_columns(chosen.data))
    week = FleetWeek.drawn_from(animals, seed=chosen.seed)
    print()
    with tempfile.TemporaryDirectory() as folder, Address.of(week.base.file()) as address:
        clean = _clean_week(week, Path(folder) / "clean", address)
        _print_week(week, Path(folder) / "fleet", address, clean)


def _let_root_be_refused() -> None:
    """Let the processes that are started from here obey files' permissions, also root's."""
    libc = ctypes.CDLL(None)
    for capability in _READ_ALL:
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # refused to others, who need it not


def _environ(address: Address) -> dict[str, str]:
    return {**quick_daemon(), "ABALONE_RAW_URI": address.uri, "ABALONE_SENSOR_SECONDS": "2"}


def _clean_week(week: FleetWeek, home: Path, address: Address) -> Mapping[str, float]:
    """The error after each day of a platform that gets the clean files only."""
    with running_stack(home, _environ(address)) as stack:
        at = Week(week, stack)
        for day in range(1, DAYS + 1):
            for sent in week.clean:
                if sent.day == day:
                    stack.land(sent.name, sent.data)
            at.rest(f"day {day}")
    return at.errors


def _print_week(week: FleetWeek, home: Path, address: Address, clean: Mapping[str, float]) -> None:
    started = time.monotonic()
    with running_stack(home, _environ(address)) as stack:
        at, crews = Week(week, stack), Crews(week, home / "landing_zone")
        for day in range(1, DAYS + 1):
            crews.send(day)
            if day == DAYS:
                _grow(at, crews)
            at.rest(f"day {day}")
        with crews.unmounted(mount_point=False):
            at.ticks()
        with crews.unmounted(mount_point=True):
            at.ticks()
            at.statuses["away"] = at.status()
        address.breaks = True
        refetched = stack.launch_job("release")
        stack.await_(lambda: not stack.in_flight(), "the end of the release with the page")
        at.statuses["page"], address.breaks = at.status(), False
        at.statuses["page"]["run"] = stack.run(refetched)["status"]
        crews.mend()
        crews.correct()
        lose_day(stack.lake, LOST_DAY)
        stack.await_release()
        at.rest("mended")
        runs = stack.runs()
        at.ticks()
        quiet = len(stack.runs()) == len(runs)
        ended = at.status()
        _print_files(week, stack, ended)
        _print_events(at, quiet=quiet)
        _print_errors(at.errors, clean)
        counted = {job: sum(run["jobName"] == job for run in runs) for job in JOBS}
        print(
            f"\n{counted['ingest_surveys']} ingestion runs and {counted['release']} releases in "
            f"{time.monotonic() - started:.0f} s."
        )


def _grow(at: Week, crews: Crews) -> None:
    """Write the rest of the file that grows, and see that none of it is taken in meanwhile."""
    name = at.week.the(GROWING).name
    taken = False
    for _ in range(ODD_ANIMALS // GROWTH_ROWS - 1):
        time.sleep(GROWTH_SECONDS)
        crews.write_rows(GROWTH_ROWS)
        files = [each for day in at.stack.lake.manifest().days.values() for each in day.files]
        taken = taken or any(each.name == name for each in files)
    at.statuses["growing"] = {"taken": taken}


def _print_files(week: FleetWeek, stack: Stack, status: Mapping[str, Any]) -> None:
    """Print what became of each file, and of the clean ones together."""
    files = account(week, stack.lake)
    heads = ("file", "records", "in `new_surveys`", "quarantined", "held", "refused", "said of it")
    print(f"| {' | '.join(heads)} |\n{'| --- ' * len(heads)}|")
    clean = [file for file in files if file.sent.kind is None]
    odd = {file.sent.kind.what: [file] for file in files if file.sent.kind}
    for what, of in {f"{len(clean)} clean files": clean, **odd}.items():
        numbers = [sum(file.sent.records for file in of)]
        numbers += [sum(file.rows for file in of), sum(file.quarantined for file in of)]
        numbers += [sum(file.held for file in of), sum(file.refused for file in of)]
        told = next((file.told for file in of if file.told), "")
        print(f"| {what} | {' | '.join(map(str, numbers))} | {told} |")
    for name, what in ((LINK, "a link"), (FOLDER, "a folder")):
        print(f"| {what} | | | | | | left there: {status['stray_files'][name]} |")
    missing = len(week.sent) - len(files)
    lost = sum(not file.is_conserved for file in files)
    merged, right = merged_rows(stack.lake), week.merged
    wrong, absent = len(set(merged) - right), len(right - set(merged))
    print(
        f"\nFiles that are not listed: {missing}; with records that are not in exactly one place: "
        f"{lost}. `merged_dataset`: {len(merged)} rows, {wrong} wrong ones, {absent} missing."
    )
    listed = {file.sent.name for file in files if file.outcome == "held"}
    print(
        f"`abalone status` lists {len(status['held_files'])} files as held, "
        f"{len(status['unreadable_files'])} as no survey and {len(status['stray_files'])} as "
        f"strays; those that the lake holds back are the same: "
        f"{listed == status['held_files'].keys()}."
    )


def _print_events(at: Week, *, quiet: bool) -> None:
    last = at.statuses[f"day {DAYS}"]
    print("\n| what befell the platform | seen |\n| --- | --- |")
    grew = "taken in too early" if at.statuses["growing"]["taken"] else "taken in when it was whole"
    print(f"| a file that grows | {grew} |")
    problem = next(each for each in last["unreadable_files"].values() if "cannot read" in each)
    print(f"| a file without permissions | {problem.rpartition('/')[2]} |")
    away = at.statuses["away"]
    kept = away["totals"] == last["totals"]
    print(
        f"| no landing zone, then an empty one | {len(away['vanished_days'])} days vanished, not "
        f"believed; the lake's rows are the same: {kept} |"
    )
    page = at.statuses["page"]
    print(f"| a page for the base survey | run: {page['run']}; {page['base_refused']} |")
    print(f"| quiet at the end | {quiet} |")


def _print_errors(errors: Mapping[str, float], clean: Mapping[str, float]) -> None:
    print("\n| model after | RMSE on clean animals | clean files only | ratio |")
    print("| --- | --- | --- | --- |")
    for moment, error in errors.items():
        beside = clean.get(moment, clean[f"day {DAYS}"])
        print(f"| {moment} | {error:.3f} | {beside:.3f} | {error / beside:.3f} |")


if __name__ == "__main__":
    main(sys.argv[1:])
