"""From measurements to Markdown."""

from __future__ import annotations

import pytest

from benchmarks.tables import block, number, table
from benchmarks.timing import OURS, Measured


def measured() -> Measured:
    found = Measured("x", versions={"peer": "1.2"}, notes=["Cold."])
    found.measured_at, found.load = "2026-11-29T06:00:00+00:00", [0.31, 1.26]
    found.machine = {"cores": 2, "memory_gib": 24.0, "system": "Linux", "python": "3.11.7"}
    found.add(OURS, {"wall s": [1.0, 2.0, 3.0], "peak MiB": [100.0]}, case="small")
    found.add("peer", {"wall s": [2.0, 4.0, 12.0]}, case="small")
    found.add("broken", {}, case="small", error="turn 0: no | such")
    found.add(OURS, {"wall s": [5.0]}, case="large")
    return found


def test_a_line_for_each_side_of_each_case() -> None:
    assert table(measured()).splitlines() == [
        "| case |  | wall s | peak MiB | n | ours / this |",
        "| --- | --- | --- | --- | --- | --- |",
        "| small | ours | 2 (1 to 3) | 100 | 3 |  |",
        "| small | peer | 4 (2 to 12) |  | 3 | 0.50 |",
        "| small | broken | failed: turn 0: no / such |  | 0 |  |",
        "| large | ours | 5 |  | 1 |  |",
    ]


def test_the_caption_says_machine_load_versions_and_notes() -> None:
    where = "2026-11-29, 2 cores, 24.0 GiB, Linux, Python 3.11.7, load 0.3 to 1.3, peer 1.2."
    assert block(measured()).splitlines()[-2:] == [f"Median (least to most). {where}", "Cold."]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0, "0"),
        (0.09123, "0.0912"),
        (2.2, "2.2"),
        (441.4, "441"),
        (10_020.4, "10,000"),
        (882.0, "882"),
    ],
)
def test_numbers_have_three_digits(value: float, shown: str) -> None:
    assert number(value) == shown
