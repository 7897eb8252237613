"""What interpreters of tests start with; nothing else would notice that they do not."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from abalone_assets_tests.support.quick_daemon import quick_daemon

CALM = "import gc; assert gc.get_threshold()[0] == 100_000, gc.get_threshold()"
KEPT = "import sys; assert not sys.dont_write_bytecode"
QUICK = "from dagster._daemon import sensor; assert sensor.MIN_INTERVAL_LOOP_TIME == 1"


@pytest.mark.parametrize(
    ("environ", "code"),
    [({}, f"{CALM}\n{KEPT}"), (quick_daemon(), f"{CALM}\n{KEPT}\n{QUICK}")],
    ids=["any", "of a quick daemon"],
)
def test_an_interpreter_that_a_test_starts_loses_no_time(
    environ: dict[str, str], code: str
) -> None:
    subprocess.run([sys.executable, "-c", code], env={**os.environ, **environ}, check=True)
