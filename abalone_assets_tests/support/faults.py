"""What may happen at any call of the stores: a refusal, the end of the process, somebody else."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, Self

from abalone_assets.ingest import days
from abalone_assets.lake import kept_inputs
from abalone_assets.resources import storage
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import pytest

When = Literal["before", "after"]
Call = Literal["write", "read"]
REFUSES, KILLS = "refuses", "kills"
CALLS: Final[Mapping[str, Call]] = {
    **dict.fromkeys(("put", "delete"), "write"),
    **dict.fromkeys(("get", "head", "list"), "read"),
}
"""Of an obstore."""


class Killed(BaseException):
    """The process is gone: no code of it runs any more."""


@dataclass(frozen=True)
class Strike:
    """What happens at one call of a store.

    Attributes:
        number: Which of its kind, from 0.
        when: Before or after its effect.
        does: ``refuses``, ``kills``, or the name of what others do in the meantime.
        call: Its kind.
    """

    number: int
    when: When = "before"
    does: str = REFUSES
    call: Call = "write"


@dataclass
class Faults:
    """What happens at the calls from now on; nothing, until it is set.

    Attributes:
        strikes: By the number of the call, counted from when they were set.
        meanwhile: Does what a strike names.
        calls: How many there were of each kind since.
        made: How many there were between the last two times that they were set.
        dead: Whether the process was killed: no call of it has an effect any more.
        locks: How many lock files this process holds: others wait for them.
        waiting: What others do when there is none.
        struck: How often each has happened, whenever they were set.
    """

    strikes: Sequence[Strike] = ()
    meanwhile: Callable[[str], object] = lambda _: None
    calls: Counter[Call] = field(default_factory=Counter)
    made: Counter[Call] = field(default_factory=Counter)
    dead: bool = False
    locks: int = 0
    waiting: list[str] = field(default_factory=list)
    struck: Counter[str] = field(default_factory=Counter)

    def set(self, strikes: Sequence[Strike]) -> None:
        self.made = self.calls
        self.strikes, self.calls, self.dead = tuple(strikes), Counter(), False
        self.locks, self.waiting = 0, []

    def around(self, kind: Call, call: Callable[[], Any]) -> Any:
        """Call, with what happens before and after it."""
        if self.dead:
            raise Killed
        number = self.calls[kind]
        self.calls[kind] += 1
        self._strike(kind, number, "before")
        done = call()
        self._strike(kind, number, "after")
        return done

    def _strike(self, kind: Call, number: int, when: When) -> None:
        for strike in self.strikes:
            if (strike.call, strike.number, strike.when) != (kind, number, when):
                continue
            self.struck[f"{strike.does} {when} a {kind}"] += 1
            if strike.does == KILLS:
                self.dead = True
                raise Killed
            if strike.does == REFUSES:
                raise OSError("the store refuses")
            self.waiting.append(strike.does)
            self._let_others()

    def locked(self, update: Callable[[], Any]) -> Any:
        """Do what a lock file is held for; what others do meanwhile, they do after it."""
        self.locks += 1
        try:
            done = update()
        finally:
            self.locks -= 1
        self._let_others()
        return done

    def _let_others(self) -> None:
        if self.locks or self.dead:
            return
        while self.waiting:
            does = self.waiting.pop()
            kept = self.strikes, self.calls
            self.strikes, self.calls = (), Counter()
            try:
                self.meanwhile(does)
            finally:
                self.strikes, self.calls = kept


@dataclass(frozen=True)
class _Faulty:
    """An obstore whose calls meet the faults."""

    inner: Any
    faults: Faults

    def __getattr__(self, name: str) -> Any:
        call, kind = getattr(self.inner, name), CALLS.get(name)
        if kind is None:
            return call
        return lambda *arguments, **options: self.faults.around(
            kind, lambda: call(*arguments, **options)
        )


class _InTurn:
    """What of a pool of threads is used, without threads."""

    def __init__(self, _: int) -> None:
        pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def map(self, work: Callable[..., Any], *values: Iterable[Any]) -> Iterator[Any]:
        return map(work, *values)

    def shutdown(self, *, cancel_futures: bool) -> None:
        pass


def install_faults(patch: pytest.MonkeyPatch) -> Faults:
    """Let the calls of every store, and every rename, meet faults, which are to be set later.

    What is done in threads is done one after the other, so that a number names one call.
    """
    for module in (days, kept_inputs, storage):
        patch.setattr(module, "ThreadPoolExecutor", _InTurn)
    faults, opened, rename = Faults(), ObjectStore.__dict__["_store"].func, Path.replace
    update = ObjectStore.update_json

    def update_json(store: ObjectStore, *arguments: Any, **options: Any) -> Any:
        def updated() -> Any:
            return update(store, *arguments, **options)

        return updated() if store.root is None else faults.locked(updated)

    patch.setattr(ObjectStore, "update_json", update_json)
    stores = cached_property(lambda store: _Faulty(opened(store), faults))
    stores.__set_name__(ObjectStore, "_store")
    patch.setattr(ObjectStore, "_store", stores)
    patch.setattr(
        Path, "replace", lambda path, to: faults.around("write", lambda: rename(path, to))
    )
    return faults


def correct(path: Path) -> None:
    """What a crew does that finds a wrong count of rings, or adds an empty line."""
    data = path.read_bytes()
    rings = b"8\n" if data[-2:-1] == b"7" else b"7\n"
    path.write_bytes(data[:-2] + rings if data[-2:-1].isdigit() else data + b"\n")


def each_of(paths: Iterable[Path], does: Callable[[Path], object]) -> None:
    """Do something to each of these files."""
    for path in paths:
        does(path)
