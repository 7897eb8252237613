"""What may happen at any write of the stores: a refusal, the end of the process, somebody else."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pytest

When = Literal["before", "after"]
REFUSES, KILLS = "refuses", "kills"


class Killed(BaseException):
    """The process is gone: no code of it runs any more."""


@dataclass(frozen=True)
class Strike:
    """What happens at one write.

    Attributes:
        number: Which write, from 0.
        when: Before or after its effect.
        does: ``refuses``, ``kills``, or the name of what others do in the meantime.
    """

    number: int
    when: When = "before"
    does: str = REFUSES


@dataclass
class Faults:
    """What happens at the writes from now on; nothing, until it is set.

    Attributes:
        strikes: By the number of the write, counted from when they were set.
        meanwhile: Does what a strike names.
        keys: What was to be written since.
        dead: Whether the process was killed: whatever it still writes has no effect.
        locks: How many lock files this process holds: others wait for them.
        waiting: What others do when there is none.
    """

    strikes: Sequence[Strike] = ()
    meanwhile: Callable[[str], object] = lambda _: None
    keys: list[str] = field(default_factory=list)
    dead: bool = False
    locks: int = 0
    waiting: list[str] = field(default_factory=list)

    def set(self, strikes: Sequence[Strike]) -> None:
        self.strikes, self.keys, self.dead = tuple(strikes), [], False
        self.locks, self.waiting = 0, []

    def around(self, key: str, write: Callable[[], Any]) -> Any:
        """Write, with what happens before and after it."""
        if self.dead:
            raise Killed
        number = len(self.keys)
        self.keys.append(key)
        self._strike(number, "before")
        done = write()
        self._strike(number, "after")
        return done

    def _strike(self, number: int, when: When) -> None:
        for strike in self.strikes:
            if (strike.number, strike.when) != (number, when):
                continue
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
            kept = self.strikes, self.keys
            self.strikes, self.keys = (), []
            try:
                self.meanwhile(does)
            finally:
                self.strikes, self.keys = kept


@dataclass(frozen=True)
class _Faulty:
    """An obstore whose writes meet the faults."""

    inner: Any
    faults: Faults

    def __getattr__(self, name: str) -> Any:
        call = getattr(self.inner, name)
        if name not in {"put", "delete"}:
            return call
        return lambda key, *arguments, **options: self.faults.around(
            str(key), lambda: call(key, *arguments, **options)
        )


def install_faults(patch: pytest.MonkeyPatch) -> Faults:
    """Let the writes of every store, and every rename, meet faults, which are to be set later."""
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
        Path, "replace", lambda path, to: faults.around(f"{to}", lambda: rename(path, to))
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
