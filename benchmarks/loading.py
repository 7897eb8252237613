"""Loading the code location against importing Dagster alone."""

from __future__ import annotations

from benchmarks.timing import compare, python_seconds

OURS = "import abalone_assets.definitions as module; module.defs().get_repository_def()"


def main() -> None:
    """Definitions built and resolved, against ``import dagster``; whole processes."""
    compare(
        lambda: python_seconds(["-c", OURS]),
        lambda: python_seconds(["-c", "import dagster"]),
        runs=10,
    )
