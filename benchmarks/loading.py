"""Loading the code location, against importing Dagster alone."""

from __future__ import annotations

from typing import Final

from benchmarks.timing import OURS, Measured, Options, python_cost

LOADED: Final = "import abalone_assets.definitions as module; module.defs().get_repository_def()"
DAGSTER: Final = "import dagster"
AT_ONCE: Final = "; import os; os._exit(0)"
"""Ends a process without taking down what it has loaded."""


def measure(options: Options) -> Measured:
    """Definitions built and resolved, against ``import dagster``; whole processes."""
    measured = Measured("loading")
    for case, end in {"until loaded": AT_ONCE, "whole process": ""}.items():
        sides = {
            name: lambda code=f"{code}{end}": python_cost(["-c", code])
            for name, code in {OURS: LOADED, DAGSTER: DAGSTER}.items()
        }
        measured.alternate(sides, options.turns(15), case=case)
    return measured
