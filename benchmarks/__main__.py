"""Run benchmarks by name, or all of them: print their tables, and keep them as JSON."""

from __future__ import annotations

import argparse
import os
import platform
import sys
from importlib import import_module, metadata
from importlib.util import find_spec
from pathlib import Path

from benchmarks import peers
from benchmarks.tables import block
from benchmarks.timing import Measured, Options

NAMES = (
    "loading",
    "commands",
    "release",
    "payload",
    "chain",
    "worker_start",
    "landing",
    "ticks",
    "backfill",
    "captures",
    "drift",
    "preparation",
    "endpoint",
    "predict_file",
    "ageing",
    "gate",
    "synthesis",
    "quality",
    "plausibility",
    "fleet_week",
)


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of {', '.join(NAMES)}")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--n", type=int, default=0, help="turns of each side")
    parser.add_argument("--quick", action="store_true", help="see that it works; nothing is kept")
    parser.add_argument("--long", action="store_true", help="the sizes that take minutes, too")
    parser.add_argument("--against", type=Path, metavar="FOLDER", help="another checkout")
    # A module that was given a `main` of its own takes the rest.
    arguments, _ = parser.parse_known_args()
    names = arguments.names or [name for name in NAMES if find_spec(f"benchmarks.{name}")]
    if unknown := set(names) - set(NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if arguments.list:
        _list(names)
        return
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("dagster", "polars"))
    load = os.getloadavg()[0]
    where = f"{platform.machine()}, load {load:.1f}"
    print(f"Python {platform.python_version()}, {versions}, {where}", flush=True)
    options = Options(
        arguments.n, quick=arguments.quick, long=arguments.long, against=arguments.against
    )
    failed = [name for name in names if not _run(name, options)]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _run(name: str, options: Options) -> bool:
    """One benchmark: whether it could be run; what it says of a peer is in its table."""
    print(f"\n## {name}\n", flush=True)
    try:
        module = import_module(f"benchmarks.{name}")
        if not hasattr(module, "measure"):
            module.main()
            return True
        found = module.measure(options)
    except Exception as error:  # noqa: BLE001 - the other benchmarks go on
        print(f"{name} failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return False
    for measured in [found] if isinstance(found, Measured) else found:
        if not options.quick:
            print(f"{measured.save()}\n")
        print(f"{block(measured)}\n", flush=True)
    return True


def _list(names: list[str]) -> None:
    for name in names:
        if find_spec(f"benchmarks.{name}") is None:
            continue
        said = (import_module(f"benchmarks.{name}").__doc__ or "").strip().splitlines()
        print(f"{name:<14}{said[0] if said else ''}")
    print(f"\npeers with environments of their own: {', '.join(peers.names()) or 'none'}")


if __name__ == "__main__":
    main()
