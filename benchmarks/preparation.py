"""The preparation, of everything and of one new day, against Polars and DuckDB written by hand.

Each side in a process of its own, which imports what it needs before the clock starts. All read the
same Parquet files and write the same rows to the same four objects; the peers count and check
nothing. The animals are the base survey's, each many times, with noise that keeps their
proportions; one row in twenty repeats one of the file before.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from benchmarks.timing import OURS, Measured, Options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import polars as pl

SIZES: Final = (100_000, 1_000_000, 10_000_000)
LONG: Final = 100_000_000
FILE_ROWS: Final = 250_000
DAY_ROWS: Final = 2_740
"""A day's share of ten million rows in ten years."""

DAYS: Final = 3_650
FEW: Final = 40
MEASURED: Final = (
    *("length", "diameter", "height", "whole_weight"),
    *("shucked_weight", "viscera_weight", "shell_weight"),
)
NINE: Final = ("sex", *MEASURED, "rings")
SPLITS: Final = {"train_split": (0, 80), "validation_split": (80, 95), "test_split": (95, 100)}
NEW_DAY: Final = "one new day"
ANEW: Final = "everything anew"
APPENDED: Final = "Polars: anti-join, a file appended"


def measure(options: Options) -> Measured:
    """Sizes in turn: ours, both peers and, if given, another checkout of ours."""
    measured = Measured("preparation", versions={"pyarrow": metadata.version("pyarrow")})
    with tempfile.TemporaryDirectory(prefix="abalone-preparation-") as made:
        folder = Path(made)
        for rows in SIZES[:1] if options.quick else SIZES:
            inputs = _made(folder / f"{rows}", _surveys(rows))
            measured.alternate(
                _sides(inputs, options.against), options.turns(3), case=f"{rows:,} rows"
            )
            last = inputs
        many = _made(folder / "many", _many_days(20 if options.quick else DAYS))
        case = f"base survey and {DAYS:,} files of {FEW} rows"
        measured.alternate(_sides(many, options.against), options.turns(3), case=case)
        _measure_day(measured, last, options)
        if options.long:
            shutil.rmtree(last)
            inputs = _made(folder / f"{LONG}", _surveys(LONG))
            sides = {OURS: lambda: _side("ours", inputs)}
            measured.alternate(sides, 1, case=f"{LONG:,} rows", warm_ups=0)
    measured.notes += [
        "CPU and wall time are of the preparation, without imports; the peak is the process's.",
        "The peers neither look for missing values nor count repeats.",
    ]
    return measured


def _measure_day(measured: Measured, inputs: Path, options: Options) -> None:
    """One new day on what is prepared, against doing all of it again."""
    _side(ANEW, inputs)
    sides = {
        OURS: lambda: _side(NEW_DAY, inputs),
        f"ours, {ANEW}": lambda: _side(ANEW, inputs, "elsewhere"),
        APPENDED: lambda: _side(APPENDED, inputs),
    }
    rows = SIZES[0] if options.quick else SIZES[-1]
    measured.alternate(sides, options.turns(5), case=f"{DAY_ROWS:,} new rows on {rows:,}")


def _sides(inputs: Path, against: Path | None) -> dict[str, Callable[[], Mapping[str, float]]]:
    sides: dict[str, Callable[[], Mapping[str, float]]] = {
        OURS: lambda: _side("ours", inputs),
        "Polars": lambda: _side("Polars", inputs),
        "DuckDB": lambda: _side("DuckDB", inputs),
    }
    if against is not None:
        sides["ours, the other checkout"] = lambda: _side("ours", inputs, code=against)
    return sides


def _side(
    name: str, inputs: Path, outputs: str = "outputs", *, code: Path | None = None
) -> dict[str, float]:
    here = Path(__file__).parents[1]
    done = subprocess.run(
        [sys.executable, __file__, name, str(inputs), outputs],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (code or here, here)))},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


# What is prepared -------------------------------------------------------------------------------


def _made(folder: Path, surveys: Iterator[pl.DataFrame]) -> Path:
    """Write surveys below a folder, and two days that are not among them."""
    (folder / "inputs").mkdir(parents=True)
    for number, rows in enumerate(surveys):
        rows.write_parquet(folder / "inputs" / f"{number:05}.parquet")
    random = np.random.default_rng(1)
    for number in range(2):
        rows = _rows(DAY_ROWS, random, f"abalone.2099010{number + 1}120000")
        rows.write_parquet(folder / f"day{number}.parquet")
    return folder


def _surveys(rows: int) -> Iterator[pl.DataFrame]:
    import polars as pl

    random = np.random.default_rng(0)
    size = min(FILE_ROWS, rows // 10)
    before: pl.DataFrame | None = None
    for number in range(rows // size):
        name = f"abalone.{20100101 + number}120000"
        made = _rows(size, random, name)
        if before is not None:
            again = before.head(size // 20).with_columns(source_file=pl.lit(name))
            made = pl.concat([made.head(size - len(again)), again])
        yield made
        before = made


def _many_days(days: int) -> Iterator[pl.DataFrame]:
    random = np.random.default_rng(2)
    yield _rows(4_177, random, "abalone.data")
    for number in range(days):
        yield _rows(FEW, random, f"abalone.{20100101 + number}120000")


@cache
def _animals() -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Sexes, measurements and rings of the base survey's."""
    from abalone_assets.sample_data import base_survey

    animals = [line.split(",") for line in base_survey().read_text().split()]
    values = np.array([[float(value) for value in animal[1:8]] for animal in animals])
    return (
        np.array([animal[0] for animal in animals]),
        values,
        np.array([int(a[8]) for a in animals]),
    )


def _rows(count: int, random: np.random.Generator, source: str) -> pl.DataFrame:
    import polars as pl

    sexes, values, rings = _animals()
    drawn = random.integers(len(sexes), size=count)
    size = np.exp(random.normal(0, 0.05, (count, 1)))
    noise = np.exp(random.normal(0, 0.01, (count, 7)))
    made = np.rint(values[drawn] * np.where(np.arange(7) < 3, size, size**3) * noise * 1e4) / 1e4
    columns = {name: made[:, place] for place, name in enumerate(MEASURED)}
    return pl.DataFrame({"sex": sexes[drawn], **columns, "rings": rings[drawn]}).with_columns(
        source_file=pl.lit(source), line=pl.int_range(1, count + 1), origin=pl.lit("surveyed")
    )


# The sides, each in a process of its own --------------------------------------------------------


def inside(side: str, folder: Path, outputs: Path) -> dict[str, float]:
    """Prepare what lies in a folder, once, in this process."""
    if side == ANEW:
        shutil.rmtree(outputs, ignore_errors=True)
    outputs.mkdir(exist_ok=True)
    files = sorted(map(str, (folder / "inputs").iterdir()))
    modules, prepare = _PREPARE.get(side, _PREPARE["ours"])
    for module in modules:
        import_module(module)
    rows = _count(files)  # which the manifest knows
    if side == "ours":
        prepare = lambda files, outputs: _ours(files, outputs, rows=rows)  # noqa: E731
    elif side in {NEW_DAY, ANEW}:
        days = [str(folder / f"day{number}.parquet") for number in range(1 + (side == NEW_DAY))]
        prepare = lambda files, outputs: _ours(files, outputs, days)  # noqa: E731
    elif side == APPENDED:
        files = [str(folder / "day1.parquet")]
    cpu, wall = time.process_time(), time.perf_counter()
    prepare(files, outputs)
    return {
        "CPU s": time.process_time() - cpu,
        "wall s": time.perf_counter() - wall,
        "peak MiB": _peak_kib() / 1024,
    }


def _peak_kib() -> int:
    """This process's own; ``ru_maxrss`` counts what its parent held when it began, on Linux."""
    status = Path("/proc/self/status")
    if not status.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = next(each for each in status.read_text().splitlines() if each.startswith("VmHWM"))
    return int(line.split()[1])


def _count(files: list[str]) -> int:
    import pyarrow.parquet as pq

    return sum(pq.read_metadata(file).num_rows for file in files)


def _ours(files: list[str], outputs: Path, days: list[str] | None = None, *, rows: int = 0) -> None:
    from abalone_assets.etl import polars_engine
    from abalone_assets.etl.request import PrepareRequest

    def uri(name: str) -> str:
        return str(outputs / name / "data.parquet")

    request = PrepareRequest(
        tuple(files), uri("merged_dataset"), {name: uri(name) for name in SPLITS}
    )
    if days:
        request = replace(request, newest=tuple(days), older="these")
    if rows > SIZES[-1]:
        request = replace(request, rows=rows)
    polars_engine.prepare(request)


def _by_polars(files: list[str], outputs: Path) -> None:
    import polars as pl

    sexes = ((pl.col("sex") == sex).cast(pl.Int64) * i for i, sex in enumerate("MFI", start=1))
    fields: list[Any] = [pl.sum_horizontal(sexes), pl.col("rings")]
    fields += [(pl.col(name) * 10_000).round().cast(pl.Int64) for name in MEASURED]
    hashed: Any = fields[0]
    for each in [*fields[1:], pl.lit(0)]:
        hashed = (hashed * 1_103_515_245 + each) % (2**31 - 1)
    unique = (
        pl.scan_parquet(files)
        .group_by(NINE)
        .agg(pl.col("source_file").min(), pl.col("origin").max())
        .with_columns(row_hash=hashed)
        .sort("row_hash", *NINE)
        .with_columns(bucket=pl.col("row_hash") % 100)
        .drop("row_hash")
        .collect(engine="streaming")
    )
    unique.write_parquet(outputs / "merged_dataset.parquet")
    for name, (start, stop) in SPLITS.items():
        split = unique.lazy().filter(pl.col("bucket").is_between(start, stop - 1)).drop("bucket")
        split.sink_parquet(outputs / f"{name}.parquet")


def _by_duckdb(files: list[str], outputs: Path) -> None:
    import duckdb

    hashed = "(case sex when 'M' then 1 when 'F' then 2 else 3 end)::bigint"
    fields = ["rings::bigint", *(f"round({name} * 10000)::bigint" for name in MEASURED), "0"]
    for each in fields:
        hashed = f"(({hashed}) * 1103515245 + {each}) % 2147483647"
    nine = ", ".join(NINE)
    database = duckdb.connect()
    database.execute(
        f"create table merged as select * exclude row_hash, row_hash % 100 as bucket from (select "
        f"{nine}, min(source_file) as source_file, max(origin) as origin, {hashed} as row_hash "
        f"from read_parquet(?) group by all) order by row_hash, {nine}",
        [files],
    )
    database.execute(f"copy merged to '{outputs}/merged_dataset.parquet'")
    for name, (start, stop) in SPLITS.items():
        database.execute(
            f"copy (select * exclude bucket from merged where bucket between {start} and "
            f"{stop - 1}) to '{outputs}/{name}.parquet'"
        )


def _appended(files: list[str], outputs: Path) -> None:
    import polars as pl

    known = pl.scan_parquet(outputs / "merged_dataset" / "data.parquet").select(NINE)
    new = pl.scan_parquet(files).unique(NINE).join(known, on=NINE, how="anti")
    new.collect(engine="streaming").write_parquet(outputs / "appended.parquet")


_PREPARE: Final[dict[str, tuple[tuple[str, ...], Callable[[list[str], Path], None]]]] = {
    "ours": (("abalone_assets.etl.polars_engine", "pyarrow.parquet"), _ours),
    "Polars": (("polars",), _by_polars),
    "DuckDB": (("duckdb",), _by_duckdb),
    APPENDED: (("polars",), _appended),
}

if __name__ == "__main__":
    place = Path(sys.argv[2])
    print(json.dumps(inside(sys.argv[1], place, place / sys.argv[3])))
