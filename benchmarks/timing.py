"""What every benchmark measures by: processes, sides that take turns, and what came of them.

A benchmark module has ``measure(options) -> Measured``. Sides are measured in turn, so that a drift
of the machine hits all of them, and are compared turn by turn. A side that fails is told of, with
its reason, and stops none of the others.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import threading
import time
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

OURS: Final = "ours"
_LOOK_SECONDS: Final = 0.01
RESULTS: Final = Path(__file__).parent / "results"
VERSIONED: Final = ("dagster", "polars", "numpy", "xgboost-cpu", "duckdb", "pandas")


def this_machine() -> dict[str, str | int | float]:
    """What numbers depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cores": os.cpu_count() or 0,
        "memory_gib": round(memory, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: _version(name) for name in VERSIONED},
    }


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"


@dataclass(frozen=True)
class Options:
    """What a user asks of a benchmark.

    Attributes:
        n: How often each side is measured; 0 takes the benchmark's own number.
        quick: Small sizes and few turns, to see that it works: nothing is written.
        long: The sizes that take many minutes, too.
        against: Another checkout of the platform, to take part where a benchmark knows how.
    """

    n: int = 0
    quick: bool = False
    long: bool = False
    against: Path | None = None

    def turns(self, default: int) -> int:
        """How often to measure."""
        return self.n or (1 if self.quick else default)


@dataclass
class Row:
    """One side of one case.

    Attributes:
        case: What both sides were given, such as ``10,000 rows``; may be empty.
        of: Who: `OURS` or the name of a peer.
        values: Of each measure, named with its unit such as ``CPU s``, a number for each turn.
        error: Why it has no numbers, or no more of them.
    """

    case: str
    of: str
    values: dict[str, list[float]] = field(default_factory=dict)
    error: str = ""


@dataclass
class Measured:
    """What a benchmark has measured.

    Attributes:
        name: The benchmark's, its module's and its file's.
        rows: In the order in which they are shown.
        versions: Of what took part, beside our own packages.
        notes: What a reader must know of this measurement, a sentence each.
        measured_at: ISO 8601 in UTC.
        machine: Cores, memory, processor, system, Python.
        load: Load average of one minute, before and after.
    """

    name: str
    rows: list[Row] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    measured_at: str = field(default_factory=lambda: datetime.now(UTC).isoformat("T", "seconds"))
    machine: dict[str, str | int | float] = field(default_factory=this_machine)
    load: list[float] = field(default_factory=lambda: [round(os.getloadavg()[0], 2)])

    def alternate(
        self,
        sides: Mapping[str, Callable[[], Mapping[str, float]]],
        n: int,
        *,
        case: str = "",
        warm_ups: int = 1,
    ) -> None:
        """Measure the sides in turn.

        Args:
            sides: By name; each call is one measurement, which gives a number for each measure.
            n: Turns that count.
            case: What they are given.
            warm_ups: Turns before, which do not count.
        """
        rows = {name: Row(case, name) for name in sides}
        self.rows += rows.values()
        for turn in range(-warm_ups, n):
            for name, side in sides.items():
                row = rows[name]
                if row.error:
                    continue
                try:
                    found = side()
                except Exception as error:  # noqa: BLE001 - told of; the other sides go on
                    row.error = f"turn {turn + 1}: {_reason(error)}"
                    print(f"{self.name}: {case} {name}: {row.error}", file=sys.stderr, flush=True)
                    continue
                for measure, value in found.items() if turn >= 0 else ():
                    row.values.setdefault(measure, []).append(round(value, 6))

    def add(
        self, of: str, values: Mapping[str, Sequence[float]], *, case: str = "", error: str = ""
    ) -> None:
        """Note a side that was measured by other means, in turn with the others."""
        rounded = {name: [round(value, 6) for value in each] for name, each in values.items()}
        self.rows.append(Row(case, of, rounded, error))

    def save(self, folder: Path = RESULTS) -> Path:
        """Write it as JSON, over what was measured before."""
        self.load.append(round(os.getloadavg()[0], 2))
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}.json"
        path.write_text(json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n", "utf-8")
        return path

    @classmethod
    def read(cls, path: Path) -> Measured:
        """What was written by `save`."""
        document = json.loads(path.read_text("utf-8"))
        return cls(**{**document, "rows": [Row(**row) for row in document["rows"]]})


def process_cost(
    command: Sequence[str | Path],
    environ: Mapping[str, str] | None = None,
    *,
    cwd: Path | None = None,
) -> dict[str, float]:
    """Run a process to its end: its CPU, its children's included, wall time, and peak memory.

    Raises:
        subprocess.CalledProcessError: It failed; what it said is in the error.
    """
    started = time.perf_counter()
    process = subprocess.Popen(
        [str(part) for part in command],
        env={**os.environ, **(environ or {})},
        cwd=cwd,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    with _watched_memory(process.pid) as peak:
        said = process.stderr.read()
        process.stderr.close()
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, stderr=said)
    return {
        "CPU s": usage.ru_utime + usage.ru_stime,
        "wall s": time.perf_counter() - started,
        "peak MiB": (max(peak) if peak else usage.ru_maxrss) / 1024,
    }


@contextmanager
def _watched_memory(pid: int) -> Iterator[list[int]]:
    """The peak memory of a process so far, KiB, looked up all the time; empty but on Linux.

    Linux counts what its parent held as the child's own in ``ru_maxrss``, since the child began in
    the parent's memory.
    """
    peaks: list[int] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_LOOK_SECONDS):
            with suppress(OSError, StopIteration, ValueError):
                status = Path(f"/proc/{pid}/status").read_text().splitlines()
                line = next(line for line in status if line.startswith("VmHWM"))
                peaks.append(int(line.split()[1]))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peaks
    finally:
        ended.set()
        watcher.join()


def python_cost(
    arguments: Sequence[str | Path], environ: Mapping[str, str] | None = None
) -> dict[str, float]:
    """`process_cost` of this interpreter."""
    return process_cost([sys.executable, *arguments], environ)


def _reason(error: Exception) -> str:
    said = getattr(error, "stderr", None)
    if isinstance(said, bytes):
        said = said.decode(errors="replace")
    last = said.strip().splitlines()[-1:] if isinstance(said, str) else []
    return " ".join([f"{type(error).__name__}: {error}".replace("\n", " ")[:300], *last])


def middle(values: Sequence[float]) -> float:
    """The median."""
    return statistics.median(values)


def ratio(ours: Sequence[float], other: Sequence[float]) -> float:
    """Median of the turns' ratios: what drifts with the machine cancels.

    Raises:
        ValueError: There is no turn that both took part in.
    """
    pairs = [a / b for a, b in zip(ours, other, strict=False) if b]
    if not pairs:
        raise ValueError("no turn has both")
    return statistics.median(pairs)
