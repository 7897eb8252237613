"""Hours of a real `abalone dev`: landings, bad rows, corrections and kills, and what they leave.

Every few seconds a survey of three animals lands; some have a bad row, some are written again,
corrected. Every minute a process, drawn at random, gets SIGKILL; a supervisor starts again what has
ended, and no hand mends anything. The endpoint is asked once a second. Now and then landings pause
until all is released and live: then every record must be in one place, counted file by file;
`abalone verify` must find nothing and the next ticks ask for nothing; and `abalone gc` runs, by a
clock two days ahead, as what is less than a day old stays. It ends at the first promise that was
not kept. What was seen goes to ``benchmarks/results/soak/`` and ``docs/images/soak.svg``.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Final, Self

import dagster as dg
import requests

from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.lake.lake import Lake
from abalone_assets.retention.kind import bytes_of
from abalone_assets.sample_data import base_survey
from abalone_assets.settings.platform import load_settings
from abalone_assets_tests.support.kills import SENSORS, Killed, KillError, kill_process
from abalone_assets_tests.support.platform import BASE_ROWS
from abalone_assets_tests.support.supervised_dev import supervised_dev
from benchmarks.growth import KEPT, kinds_after_two_days
from benchmarks.soak_samples import Pause, Sample, draw, memory_of, newest_version, sizes_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from abalone_assets.lake.manifest import Manifest

RESULT: Final = Path(__file__).parent / "results" / "soak" / "samples.json"
ROWS: Final = 3
BAD_SHARE: Final = 0.05
CORRECTED_SHARE: Final = 0.05
FILES_A_DAY: Final = 20
RECENT: Final = 40
"""Of how many of the newest files one is corrected."""

KILL_WEIGHTS: Final = {
    "worker": 8,
    "code server": 3,
    "daemon": 3,
    "webserver": 2,
    "endpoint": 3,
    "all of them": 1,
}


@dataclass
class Soaked(Killed):
    """A platform on which surveys land and whose processes are killed.

    Attributes:
        animals: Rows that have not landed yet.
        expected: Of each file the rows that obey the contract and those that do not, by name.
        counted: How often what was done.
    """

    animals: Iterator[str] = field(default_factory=lambda: iter(()))
    expected: dict[str, tuple[int, int]] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)
    drawn: random.Random = field(default_factory=random.Random)

    def land(self) -> None:
        """Land a survey, or write a recent one again."""
        rows = [next(self.animals) for _ in range(ROWS)]
        bad = self.drawn.random() < BAD_SHARE
        if bad:
            rows[self.drawn.randrange(ROWS)] = "X" + rows[0][1:]
        corrected = bool(self.expected) and self.drawn.random() < CORRECTED_SHARE
        data = ("\n".join(rows) + "\n").encode()
        if corrected:
            name = self.drawn.choice(list(self.expected)[-RECENT:])
            self._write_again(name, data)
        else:
            day, number = divmod(self.landed, FILES_A_DAY)
            month, day = divmod(day, 28)
            name = f"abalone.2024{month + 1:02}{day + 1:02}{number:02}0000"
            open_landing_zone(load_settings().landing_zone_uri).land(name, data)
            self.landed += 1
        self.expected[name] = (ROWS - bad, int(bad))
        self.counted["bad rows"] += bad
        self.counted["files written again" if corrected else "files landed"] += 1

    def _write_again(self, name: str, data: bytes) -> None:
        """As a crew does that copies a corrected file over the old one."""
        new = self.platform.home.parent / name
        new.write_bytes(data)
        new.replace(Path(load_settings().landing_zone_uri, name))

    def lost(self, manifest: Manifest) -> str:
        """Whatever is not counted file by file as it landed."""
        found = {
            file.name: (file.rows + file.held_rows, file.quarantined)
            for day in manifest.days.values()
            for file in day.files
        }
        wrong = {
            name: (found.get(name), self.expected.get(name))
            for name in sorted({*found, *self.expected})
            if found.get(name) != self.expected.get(name)
        }
        return (
            f"(found, expected) of {len(wrong)} files: {dict(list(wrong.items())[:5])}"
            if wrong
            else ""
        )

    def strike(self) -> bool:
        """Kill a process, drawn by weight; whether there was one."""
        (process,) = self.drawn.choices(list(KILL_WEIGHTS), list(KILL_WEIGHTS.values()))
        started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
        (run,) = self.instance.get_runs(started, limit=1) or self.instance.get_runs(limit=1)
        count = sum(map(kill_process, self.platform.pids(process, run)))
        if count:
            self.counted[f"{process} killed"] += 1
            print(f"{datetime.now(UTC):%T} killed: {process}", flush=True)
        return bool(count)

    def look(self, began: float) -> Sample:
        """How it is now."""
        settings = load_settings()
        manifest = Lake(settings.lake_uri).manifest()
        return Sample(
            round((time.monotonic() - began) / 60, 2),
            self.landed,
            sum(len(day.files) for day in manifest.days.values()),
            newest_version(settings),
            memory_of(settings.home),
            self._ticks(),
            sizes_of(settings.home),
        )

    def _ticks(self) -> dict[str, float]:
        seconds: dict[str, float] = {}
        for state in self.instance.all_instigator_state():
            if state.instigator_name not in SENSORS:
                continue
            ticks = self.instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=20)
            took = [tick.end_timestamp - tick.timestamp for tick in ticks if tick.end_timestamp]
            if took:
                seconds[state.instigator_name] = round(median(took), 3)
        return seconds


@dataclass
class Asking:
    """A client that asks the endpoint once a second."""

    home: Path
    counted: Counter[str] = field(default_factory=Counter)
    _ended: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        threading.Thread(target=self._ask, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()

    def _ask(self) -> None:
        state = self.home / "endpoint" / "server.json"
        while not self._ended.wait(1):
            try:
                url = json.loads(state.read_text())["url"]
                answer = requests.post(
                    f"{url}/endpoints/abalone/invocations",
                    data="M,0.455,0.365,0.095,0.514,0.2245,0.101,0.15",
                    headers={"Content-Type": "text/csv"},
                    timeout=10,
                )
                self.counted[f"answered {answer.status_code}"] += 1
            except (OSError, ValueError, requests.RequestException):
                self.counted["nobody answered"] += 1


@dataclass
class Soak:
    """A soak and what it has seen."""

    soaked: Soaked
    asking: Asking
    every: float
    kill_every: float
    pause_every: float
    samples: list[Sample] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    began: float = field(default_factory=time.monotonic)

    def run(self, minutes: float) -> None:
        """Land, kill and look until the time is over, and pause at the end of each part.

        Raises:
            KillError: A promise was not kept.
        """
        self.soaked.converge()
        end = self.began + 60 * minutes
        while (left := end - time.monotonic()) > 0:
            self._one_part(min(left, 60 * self.pause_every))
            self._pause()

    def _one_part(self, seconds: float) -> None:
        start = time.monotonic()
        land = kill = look = start
        while time.monotonic() < start + seconds:
            now = time.monotonic()
            if now >= land:
                self.soaked.land()
                land += self.every
            if now >= kill + self.kill_every and self.soaked.strike():
                kill = now
            if now >= look:
                self.samples.append(self.soaked.look(self.began))
                print(json.dumps(asdict(self.samples[-1])), flush=True)
                look = now + 60
            self.soaked.counted["processes started again"] += len(self.soaked.platform.tend())
            time.sleep(0.2)

    def _pause(self) -> None:
        began = time.monotonic()
        self.soaked.counted["processes started again"] += len(self.soaked.converge())
        seconds = round(time.monotonic() - began, 1)
        self.soaked.judge()
        settings = load_settings()
        kinds = kinds_after_two_days(self.soaked.instance, settings)
        for kind in kinds:
            kind.free()
        stays = {kind.name: round(bytes_of(kind.kept) / 1e6, 2) for kind in kinds}
        minute = round((time.monotonic() - self.began) / 60, 1)
        self.pauses.append(Pause(minute, seconds, newest_version(settings), stays))
        print(json.dumps(asdict(self.pauses[-1])), flush=True)

    def keep(self, said: str) -> None:
        """Write what was seen, as JSON and as a picture."""
        document = {
            "ended": said,
            "load": [round(each, 1) for each in os.getloadavg()],
            "counted": dict(self.soaked.counted + self.asking.counted),
            "pauses": [asdict(each) for each in self.pauses],
            "samples": [asdict(each) for each in self.samples],
        }
        RESULT.write_text(json.dumps(document, indent=1) + "\n")
        draw(self.samples, self.pauses)


def main() -> None:
    """Soak, and tell how it went; the exit code is 1 when a promise was not kept."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--every", type=float, default=5, help="seconds between two landings")
    parser.add_argument("--kill", type=float, default=60, help="seconds between two kills")
    parser.add_argument("--pause", type=float, default=15, help="minutes between two pauses")
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):  # a shell's `&` has the first one ignored
        signal.signal(number, signal.default_int_handler)
    drawn = random.Random(chosen.seed)
    said = "every promise was kept"
    with (
        tempfile.TemporaryDirectory() as folder,
        supervised_dev(Path(folder), KEPT) as dev,
        dg.DagsterInstance.get() as instance,
        Asking(dev.home) as asking,
    ):
        soaked = Soaked(dev, instance, animals=_animals(drawn), drawn=drawn)
        soaked.land()
        soak = Soak(soaked, asking, chosen.every, chosen.kill, chosen.pause)
        try:
            soak.run(chosen.minutes)
        except (KillError, KeyboardInterrupt) as error:
            said = f"{type(error).__name__}: {error}"
        soak.keep(said)
    sys.exit(0 if said == "every promise was kept" else said)


def _animals(drawn: random.Random) -> Iterator[str]:
    """Rows of the bundled survey that the base survey here lacks, each a little heavier than it."""
    rows = base_survey().read_text().splitlines()[BASE_ROWS:]
    for turn in range(1, 100):
        drawn.shuffle(rows)
        for row in rows:
            *before, shell, rings = row.split(",")
            yield ",".join([*before, f"{float(shell) + 0.0001 * turn:.4f}", rings])


if __name__ == "__main__":
    main()
