"""What a command costs before it does anything, against the libraries that it cannot do without."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

from abalone_assets.sample_data import base_survey
from benchmarks.timing import OURS, Measured, Options, python_cost

COMMANDS: Final = {
    "abalone --help": (["--help"], "click"),
    "abalone status --json": (["status", "--json"], "click, pydantic_settings, obstore"),
    "abalone land --dry-run FILE": (["land", "--dry-run"], "click, pydantic_settings, obstore"),
}
"""The arguments of each command, and what its peer imports."""


def measure(options: Options) -> Measured:
    """Each on an empty home, against an interpreter that imports the named libraries."""
    measured = Measured("commands")
    with tempfile.TemporaryDirectory() as folder:
        environ = {"ABALONE_HOME": str(Path(folder, "home"))}
        survey = Path(folder, "abalone.20250101120000")
        survey.write_bytes(b"".join(base_survey().read_bytes().splitlines(keepends=True)[:20]))
        for case, (arguments, libraries) in COMMANDS.items():
            command = [*arguments, *([str(survey)] if "land" in arguments else [])]
            sides = {
                OURS: lambda given=command: python_cost(
                    ["-m", "abalone_assets.cli", *given], environ
                ),
                f"import {libraries}": lambda code=f"import {libraries}": python_cost(["-c", code]),
            }
            measured.alternate(sides, options.turns(10), case=case)
    return measured
