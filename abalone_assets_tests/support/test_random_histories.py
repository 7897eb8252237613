"""Random histories go the same way again, and each is in the ledger."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from abalone_assets_tests.support.ledger import VARIABLE, read_ledger, told_of
from abalone_assets_tests.support.random_histories import (
    Histories,
    History,
    integer,
    many,
    one_of,
    step,
    strikes,
)

if TYPE_CHECKING:
    from pathlib import Path


class Counted(History):
    of = "ingestion"
    runs, struck = 3, Counter({"kills before a write": 2})
    breaks = ""

    def __init__(self) -> None:
        self.seen: list[object] = []
        self.closed = False

    @step(weight=9, data=many(integer(0, 9), 2), name=one_of("ab"))
    def lands(self, data: list[int], name: str) -> None:
        self.seen.append((data, name))
        if self.breaks == "a step":
            raise ValueError("it broke")

    @step(when=lambda history: len(history.seen) > 3)
    def goes(self) -> None:
        assert len(self.seen) > 3
        self.seen.pop()

    def end(self) -> None:
        if self.breaks == "Ctrl-C":
            raise KeyboardInterrupt
        if self.breaks == "the end":
            raise AssertionError("not as it should be")

    def close(self) -> None:
        self.closed = True


def go_through(breaks: str = "", seed: int = 7, count: int = 4) -> list[Counted]:
    made: list[Counted] = []

    def make() -> Counted:
        made.append(Counted())
        made[-1].breaks = breaks
        return made[-1]

    try:
        Histories(make, "folder", 12).go_through(seed, count)
    finally:
        assert all(history.closed for history in made)
    return made


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "ledger.jsonl"
    monkeypatch.setenv(VARIABLE, str(file))
    return file


def test_a_seed_goes_the_same_way_again_and_another_one_does_not() -> None:
    first, again, other = (
        [history.seen for history in go_through(seed=seed)] for seed in (7, 7, 8)
    )
    assert first == again
    assert first != other
    assert len({str(seen) for seen in first}) == len(first)


def test_each_history_is_a_line_that_is_added_up(ledger: Path) -> None:
    go_through()
    with ledger.open("a") as file:
        file.write('{"of": "inge')  # the soak was killed here
    entries = read_ledger(ledger)
    assert [(each.seed, each.number) for each in entries] == [(7, number) for number in range(4)]
    assert all(6 <= sum(each.steps.values()) <= 12 or each.steps["goes"] for each in entries)
    lands, goes = (sum(each.steps.get(name, 0) for each in entries) for name in ("lands", "goes"))
    first, *others = told_of(entries)
    assert first.startswith(
        f"ingestion on folder: 4 histories, {lands + goes} steps, 12 runs, median "
    )
    assert others == [
        "  seeds: 7",
        "  faults: kills before a write 8",
        f"  steps: goes {goes}, lands {lands}",
        "  violations: 0",
    ]


@pytest.mark.parametrize(
    ("breaks", "told"),
    [
        ("a step", "ValueError: it broke"),
        ("the end", "AssertionError: not as it should be"),
    ],
)
def test_what_is_not_as_it_should_be_is_told_with_its_steps(
    ledger: Path, breaks: str, told: str
) -> None:
    with pytest.raises((ValueError, AssertionError)) as broken:
        go_through(breaks)
    assert broken.value.__notes__[0] == "history 0 of seed 7 on folder:"
    assert broken.value.__notes__[1].startswith("  lands(data=[")
    assert f"  history 0 of seed 7: {told}" in list(told_of(read_ledger(ledger)))


def test_one_that_ctrl_c_cut_short_is_none_that_settled(ledger: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        go_through("Ctrl-C")
    assert [each.outcome for each in read_ledger(ledger)] == ["cut short"]
    assert list(told_of(read_ledger(ledger))) == []


def test_strikes_are_of_every_kind_and_no_two_at_one_call() -> None:
    from random import Random

    draw = strikes(["deletes"], writes=3, reads=5)
    drawn = [draw(Random(number)) for number in range(400)]
    assert {len(each) for each in drawn} == {0, 1, 2}
    flat = [strike for each in drawn for strike in each]
    assert {each.does for each in flat} == {"kills", "refuses", "deletes"}
    assert {each.when for each in flat} == {"before", "after"}
    assert {each.number for each in flat if each.call == "write"} == {0, 1, 2}
    assert {each.number for each in flat if each.call == "read"} == {0, 1, 2, 3, 4}
    places = [{(strike.call, strike.number) for strike in each} for each in drawn]
    assert [len(each) for each in places] == [len(each) for each in drawn]


def test_without_a_file_nothing_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.chdir(tmp_path)
    go_through()
    assert list(tmp_path.iterdir()) == []
