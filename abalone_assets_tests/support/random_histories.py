"""Random histories: steps that a seed chooses, one after the other, each history by itself.

A history is told by its seed and number, and goes the same way again. Nothing is shrunk or learnt
from the ones before, as Hypothesis' state machines do: these try few steps again and again, and in
most of their histories nothing lands.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar

from abalone_assets_tests.support.faults import KILLS, REFUSES, Strike
from abalone_assets_tests.support.ledger import CUT_SHORT, SETTLED, Entry, append

if TYPE_CHECKING:
    from abalone_assets_tests.support.faults import Call

_Value = TypeVar("_Value")
Draw = Callable[[Random], _Value]
"""Chooses an argument of a step."""

_MARK: Final = "drawn_step"


def one_of(values: Sequence[_Value]) -> Draw[_Value]:
    """Any of these."""
    return lambda random: random.choice(values)


def integer(first: int, last: int) -> Draw[int]:
    """A whole number, both ends included."""
    return lambda random: random.randint(first, last)


def many(values: Draw[_Value], count: int) -> Draw[list[_Value]]:
    """So many of these."""
    return lambda random: [values(random) for _ in range(count)]


def strikes(others: Sequence[str], *, writes: int, reads: int) -> Draw[list[Strike]]:
    """At most two, of any kind, at any of so many writes and reads."""

    def strike(random: Random) -> Strike:
        call: Call = random.choice(["write", "write", "read"])
        most = writes if call == "write" else reads
        does = random.choice([random.choice([KILLS, REFUSES]), random.choice(others)])
        return Strike(random.randrange(most), random.choice(["before", "after"]), does, call)

    def draw(random: Random) -> list[Strike]:
        drawn = [strike(random) for _ in range(random.choice([0, 1, 1, 2]))]
        return list({(each.call, each.number): each for each in drawn}.values())

    return draw


@dataclass(frozen=True)
class Step:
    """What may happen.

    Attributes:
        name: Of the method.
        drawn: What chooses each of its arguments.
        weight: How often it happens, against the others.
        when: Whether it can.
    """

    name: str
    drawn: dict[str, Draw[Any]]
    weight: int
    when: Callable[[Any], object]


def step(
    *, weight: int = 1, when: Callable[[Any], object] = lambda _: True, **drawn: Draw[Any]
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Make a method a step of its class's histories."""

    def mark(function: Callable[..., None]) -> Callable[..., None]:
        setattr(function, _MARK, Step(function.__name__, drawn, weight, when))
        return function

    return mark


class History:
    """One history, of which a class says the steps.

    Attributes:
        of: What it is a history of, such as ``ingestion``.
        runs: How many runs it took.
        struck: How often each fault struck.
    """

    of: ClassVar[str]

    @property
    def runs(self) -> int:
        raise NotImplementedError

    @property
    def struck(self) -> Counter[str]:
        raise NotImplementedError

    def end(self) -> None:
        """Settle, and make sure that all is as it should be."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of what it has open."""

    @classmethod
    def possible(cls) -> list[Step]:
        marked = (getattr(each, _MARK, None) for each in vars(cls).values())
        return [each for each in marked if each is not None]


@dataclass(frozen=True)
class Histories:
    """Many of one kind.

    Attributes:
        make: Begins one.
        store: Where lake and instance are.
        steps: The most steps of one; the least are half as many.
    """

    make: Callable[[], History]
    store: str
    steps: int

    def go_through(self, seed: int, count: int) -> None:
        """Go through so many histories of a seed.

        Raises:
            Exception: What was not as it should be; its notes tell the history.
        """
        for index in range(count):
            self._one(seed, index)

    def _one(self, seed: int, index: int) -> None:
        random, began = Random(f"{seed}/{index}"), time.perf_counter()
        history, taken = self.make(), list[str]()
        possible, outcome = history.possible(), CUT_SHORT
        weights = [each.weight for each in possible]
        try:
            for _ in range(random.randint(self.steps // 2, self.steps)):
                (chosen,) = random.choices(possible, weights)
                arguments = {name: draw(random) for name, draw in chosen.drawn.items()}
                if chosen.when(history):
                    taken.append(f"{chosen.name}({_shown(arguments)})")
                    getattr(history, chosen.name)(**arguments)
            history.end()
            outcome = SETTLED
        except Exception as error:
            outcome = f"{type(error).__name__}: {str(error)[:300]}"
            error.add_note(f"history {index} of seed {seed} on {self.store}:")
            for each in taken:
                error.add_note(f"  {each}")
            raise
        finally:
            steps = Counter(each.partition("(")[0] for each in taken)
            seconds = round(time.perf_counter() - began, 4)
            counts = dict(steps), dict(history.struck), history.runs
            append(Entry(history.of, self.store, seed, index, *counts, seconds, outcome))
            history.close()


def _shown(arguments: dict[str, Any]) -> str:
    shown = (f"{name}={each!r}" for name, each in arguments.items())
    return ", ".join(each if len(each) < 200 else f"{each[:200]}…" for each in shown)
