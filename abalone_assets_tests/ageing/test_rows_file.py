"""Rows that are written while the next ones are made."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from abalone_assets.ageing.rows_file import write_beside

if TYPE_CHECKING:
    from collections.abc import Iterator


def test_items_are_written_in_their_order() -> None:
    written: list[int] = []
    write_beside(range(200), written.append)
    assert written == [*range(200)]


def test_an_item_is_written_while_the_next_is_made_and_none_is_made_further_ahead() -> None:
    next_made, written = threading.Event(), list[int]()
    ahead: list[int] = []

    def items() -> Iterator[int]:
        yield 0
        next_made.set()
        for at in range(1, 20):
            ahead.append(at - len(written))
            yield at

    def write(at: int) -> None:
        assert next_made.wait(30)
        written.append(at)

    write_beside(items(), write)
    assert len(written) == 20
    assert max(ahead) <= 2  # what is being written, and what is made


def test_what_cannot_be_written_ends_it_and_so_does_what_cannot_be_made() -> None:
    made: list[int] = []

    def items() -> Iterator[int]:
        for at in range(100):
            made.append(at)
            yield at

    def refuse(_: int) -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        write_beside(items(), refuse)
    assert len(made) <= 3
    with pytest.raises(OSError, match="full"):  # also of the last
        write_beside([1], refuse)
    written: list[float] = []
    with pytest.raises(ZeroDivisionError):
        write_beside((1 / at for at in (2, 1, 0)), written.append)
    assert written == [0.5, 1.0]
