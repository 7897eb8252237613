"""Turns, failures and costs; no clock decides a test."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from benchmarks.timing import OURS, Measured, Options, process_cost, python_cost, ratio


def side(name: str, log: list[str], values: Iterator[float]) -> Callable[[], Mapping[str, float]]:
    def run() -> Mapping[str, float]:
        log.append(name)
        return {"wall s": next(values)}

    return run


def test_sides_take_turns_and_the_first_turn_warms_up() -> None:
    log: list[str] = []
    measured = Measured("x")
    sides = {
        OURS: side(OURS, log, iter([9.0, 1.0, 2.0])),
        "peer": side("peer", log, iter([9.0, 4.0, 8.0])),
    }
    measured.alternate(sides, 2, case="small")
    assert log == [OURS, "peer"] * 3
    ours, peer = measured.rows
    assert (ours.case, ours.of, ours.values) == ("small", OURS, {"wall s": [1.0, 2.0]})
    assert peer.values == {"wall s": [4.0, 8.0]}


def test_a_side_that_fails_is_told_of_and_the_others_go_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken() -> Mapping[str, float]:
        raise OSError("no such peer")

    log: list[str] = []
    measured = Measured("x")
    measured.alternate({"broken": broken, OURS: side(OURS, log, iter([9.0, 1.0]))}, 1)
    failed, ours = measured.rows
    assert failed.error == "turn 0: OSError: no such peer"
    assert ours.values == {"wall s": [1.0]}
    assert "no such peer" in capsys.readouterr().err


def test_a_side_that_fails_later_keeps_what_it_has_measured() -> None:
    def tired(left: Iterator[float] = iter([9.0, 1.0])) -> Mapping[str, float]:  # noqa: B008
        return {"wall s": next(left)}

    measured = Measured("x")
    measured.alternate({OURS: tired}, 3)
    assert measured.rows[0].values == {"wall s": [1.0]}
    assert measured.rows[0].error.startswith("turn 2: StopIteration")


def test_the_ratio_is_of_turns_and_not_of_medians() -> None:
    # The machine was ten times slower in the last turn, which both sides felt.
    assert ratio([1.0, 1.0, 10.0], [2.0, 2.0, 20.0]) == 0.5
    assert ratio([2.0, 3.0], [1.0]) == 2.0
    with pytest.raises(ValueError, match="no turn"):
        ratio([], [1.0])


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    measured = Measured("x", versions={"peer": "1.2"}, notes=["Cold."])
    measured.add(OURS, {"CPU s": [1.0, 2.0]}, case="a")
    measured.add("peer", {}, case="a", error="not installed")
    path = measured.save(tmp_path)
    assert path == tmp_path / "x.json"
    assert Measured.read(path) == measured
    assert len(json.loads(path.read_text())["load"]) == 2


def test_the_memory_of_who_measures_is_not_the_peers() -> None:
    held = b"x" * (400 * 2**20)  # zeros would take no memory
    cost = process_cost([sys.executable, "-c", "import time; time.sleep(0.1)"])
    assert cost["peak MiB"] < len(held) / 2**21


def test_a_process_costs_what_its_children_cost() -> None:
    busy = "import time\nwhile time.process_time() < 0.3: pass"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}], check=True)"
    cost = python_cost(["-c", parent])
    assert 0.3 <= cost["CPU s"] < 30
    assert cost["peak MiB"] > 1


def test_a_process_that_fails_says_why() -> None:
    with pytest.raises(subprocess.CalledProcessError) as raised:
        process_cost([sys.executable, "-c", "raise SystemExit('no data')"])
    assert raised.value.stderr == b"no data\n"


@pytest.mark.parametrize(
    ("options", "turns"),
    [(Options(), 5), (Options(n=2), 2), (Options(quick=True), 1), (Options(n=3, quick=True), 3)],
)
def test_the_user_says_how_often(options: Options, turns: int) -> None:
    assert options.turns(5) == turns
