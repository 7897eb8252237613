"""What takes space, thing by thing, and why it is kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

GRACE: Final = timedelta(days=1)
"""What is younger may be in the hands of a run, or about to be named by a record."""

YOUNG: Final = "less than a day old"


@dataclass(frozen=True)
class Thing:
    """Something that takes space.

    Attributes:
        name: Its key, id or path.
        size: Bytes.
        kept: Why it is kept; empty when it may go.
        is_unsure: Whether it is kept because what tells that it may go is damaged: somebody is to
            do what ``kept`` says.
    """

    name: str
    size: int
    kept: str = ""
    is_unsure: bool = False


@dataclass(frozen=True)
class Kind:
    """All things of one kind.

    Attributes:
        name: In the plural.
        things: All of them.
        remove: Removes one, unless it is needed by now; says whether it did.
    """

    name: str
    things: Sequence[Thing]
    remove: Callable[[Thing], bool]

    @property
    def surplus(self) -> list[Thing]:
        """Those that may go."""
        return [thing for thing in self.things if not thing.kept]

    @property
    def kept(self) -> list[Thing]:
        """Those that stay."""
        return [thing for thing in self.things if thing.kept]

    @property
    def warnings(self) -> list[str]:
        """What somebody is to mend, so that more may go."""
        return [thing.kept for thing in self.things if thing.is_unsure]

    def free(self) -> list[Thing]:
        """Remove what may go; gives what went.

        Raises:
            StorageError: A store refuses; what went before is gone.
        """
        return [thing for thing in self.surplus if self.remove(thing)]

    def to_document(self) -> dict[str, Any]:
        """Counts and bytes of what may go and what stays, and how many stay for which reason."""
        return {
            "kind": self.name,
            "count": len(self.surplus),
            "bytes": bytes_of(self.surplus),
            "kept_count": len(self.kept),
            "kept_bytes": bytes_of(self.kept),
            "kept_because": dict(Counter(thing.kept for thing in self.kept)),
        }


def bytes_of(things: Sequence[Thing]) -> int:
    """What they take together."""
    return sum(thing.size for thing in things)
