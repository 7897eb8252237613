"""What a soak sees of its platform: versions, memory, sizes; and the picture of that."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from abalone_assets.registry.open import open_registry
from abalone_assets_tests.cli.support import processes_of
from abalone_assets_tests.support.kills import SENSORS
from abalone_assets_tests.support.supervised_dev import KINDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from abalone_assets.settings.platform import Settings

PICTURE: Final = Path(__file__).parents[1] / "docs" / "images" / "soak.svg"
MIB: Final = 2**20


@dataclass(frozen=True)
class Sample:
    """How the platform is at a moment.

    Attributes:
        minute: Since the start.
        landed: Files that have landed.
        ingested: Files that are in the lake.
        releases: Model versions.
        pss_mib: Proportional set size of each process, in MiB; of workers the sum.
        tick_s: Median seconds of the last ticks of each sensor.
        home_mb: Size of each part of the home, in MB.
    """

    minute: float
    landed: int
    ingested: int
    releases: int
    pss_mib: dict[str, float]
    tick_s: dict[str, float]
    home_mb: dict[str, float]


@dataclass(frozen=True)
class Pause:
    """What a pause saw: all was in its place.

    Attributes:
        minute: Since the start.
        seconds: From the last landing until all was released and live.
        releases: Model versions then.
        stays_mb: What `gc` left of each kind, in MB.
    """

    minute: float
    seconds: float
    releases: int
    stays_mb: dict[str, float]


def newest_version(settings: Settings) -> int:
    """The newest version's number; 0 where there is none."""
    newest = next(open_registry(settings).newest_first(), None)
    return newest.version if newest else 0


def memory_of(home: Path) -> dict[str, float]:
    """PSS by kind; the oldest process of a kind is the server, others are what it forked."""
    by_kind: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for found in processes_of(home):
        try:
            process = psutil.Process(found.pid)
            size = process.memory_full_info().pss / MIB
            started = process.create_time()
        except psutil.Error:
            continue
        kind = next(
            (kind for kind, marks in KINDS.items() if all(mark in found.command for mark in marks)),
            "others",
        )
        by_kind[kind].append((started, size))
    memory = {kind: min(each)[1] for kind, each in by_kind.items() if kind != "others"}
    memory["workers"] = sum(size for each in by_kind.values() for _, size in sorted(each)[1:])
    return {kind: round(size, 1) for kind, size in memory.items()}


def sizes_of(home: Path) -> dict[str, float]:
    """Megabytes of each part of a home."""
    sizes: Counter[str] = Counter()
    for folder, _, names in os.walk(home):
        parts = Path(folder).relative_to(home).parts
        for name in names:
            try:
                size = Path(folder, name).stat().st_size
            except FileNotFoundError:
                continue
            sizes[parts[0] if parts else "logs"] += size
    return {part: round(size / 1e6, 2) for part, size in sizes.items()}


def draw(samples: Sequence[Sample], pauses: Sequence[Pause]) -> None:
    """Draw memory, ticks, backlog and disk over the minutes, to ``PICTURE``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 7), layout="constrained")
    (memory, ticks), (backlog, disk) = figure.subplots(2, 2)
    minutes = [each.minute for each in samples]
    for kind in (*KINDS, "workers"):
        memory.plot(minutes, [each.pss_mib.get(kind) for each in samples], label=kind)
    memory.set_title("Memory of each process (PSS, MiB)")
    for sensor in SENSORS:
        ticks.plot(minutes, [each.tick_s.get(sensor) for each in samples], label=sensor)
    ticks.set_title("Time of a tick (s, median of 20)")
    backlog.plot(
        minutes, [each.landed - each.ingested for each in samples], label="files that wait"
    )
    backlog.set_title("Landed, but not ingested")
    parts = sorted({part for each in samples for part in each.home_mb})
    sizes = [[each.home_mb.get(part, 0) for each in samples] for part in parts]
    disk.stackplot(minutes, sizes, labels=parts)
    disk.set_title("The home (MB); gc runs at each pause")
    for axes in (memory, ticks, backlog, disk):
        axes.set_xlabel("minutes")
        axes.set_ylim(bottom=0)
        axes.legend(fontsize="small")
        for pause in pauses:
            axes.axvline(pause.minute, color="0.8", linewidth=0.8, zorder=0)
    figure.savefig(PICTURE)
