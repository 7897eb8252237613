"""Work beside other work: at the same time, in order, and ended when somebody fails."""

from threading import Barrier, Event

import pytest

from abalone_assets.modeling.training.parallel import parallel_map


def test_works_on_as_many_at_once_as_there_are_threads() -> None:
    together = Barrier(3, timeout=30)
    assert sorted(parallel_map(lambda _: together.wait(), range(3), 3)) == [0, 1, 2]


def test_results_come_in_the_order_of_the_items() -> None:
    second_is_done = Event()

    def work(item: int) -> int:
        if item == 0:
            assert second_is_done.wait(30)
        else:
            second_is_done.set()
        return 10 * item

    assert list(parallel_map(work, [0, 1], 2)) == [0, 10]


@pytest.mark.parametrize("threads", [1, 2])
def test_after_a_failure_nothing_else_begins(threads: int) -> None:
    begun = []

    def work(item: int) -> None:
        begun.append(item)
        raise ValueError(item)

    with pytest.raises(ValueError, match=r"^0$"):
        list(parallel_map(work, range(1000), threads))
    assert len(begun) < 1000
