"""A process of `abalone dev` is killed at a step's boundary, and no hand mends it.

At each boundary that a run records, one landing: its run comes there, the process gets SIGKILL, and
everything must be ingested, released and live in the end, with nothing left. Where `abalone dev`
ends with the process, it is started again, as a supervisor does. The suite kills a few; ``make
soak-kills`` all, so many times: ``TIMES=3``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import dagster as dg
import pytest

from abalone_assets_tests.support.kills import TIMES, Boundary, Killed, planned, summary
from abalone_assets_tests.support.supervised_dev import KINDS, supervised_dev

if TYPE_CHECKING:
    from collections.abc import Iterator

PROCESSES: Final = ("worker", *KINDS, "all of them")
SELECTED: Final = [
    ("worker", Boundary("ingest_surveys", "parse_survey_days", "STEP_START")),
    ("code server", Boundary("release", "trained_model", "STEP_START")),
    ("all of them", Boundary("release", "approved_model", "STEP_SUCCESS")),
]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    """A home that is this process's too, and the platform on it."""
    with (
        supervised_dev(tmp_path_factory.mktemp("killed")) as dev,
        dg.DagsterInstance.get() as instance,
    ):
        killed = Killed(dev, instance)
        try:
            yield killed
        finally:
            print(summary(killed.kills))  # noqa: T201 - what `make soak-kills` is run for


@pytest.mark.xdist_group("kills")
@pytest.mark.timeout(0 if TIMES else 1800)
def test_killed_at_a_boundary_it_converges_without_a_hand(killed: Killed) -> None:
    killed.kill_all(planned(PROCESSES, SELECTED))
