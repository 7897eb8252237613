"""Run benchmarks by name, or all of them, and print their tables in Markdown."""

from __future__ import annotations

import argparse
import platform
import sys
from importlib import import_module, metadata

NAMES = (
    "loading",
    "release",
    "payload",
    "worker_start",
    "landing",
    "ticks",
    "backfill",
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
    names = parser.parse_args().names or list(NAMES)
    if unknown := set(names) - set(NAMES):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("dagster", "polars"))
    print(f"Python {platform.python_version()}, {versions}, {platform.machine()}", flush=True)
    for name in names:
        print(f"\n## {name}\n", flush=True)
        import_module(f"benchmarks.{name}").main()
        sys.stdout.flush()


if __name__ == "__main__":
    main()
