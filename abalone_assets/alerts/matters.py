"""Matters that somebody should know of, and what is news of them since the last message.

Level-triggered: what is so is compared with what was told, so a lost tick, a restarted daemon or a
mail server that was away changes nothing but the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Self

from abalone_assets.errors import StorageError
from abalone_assets.storage.records import record_of

if TYPE_CHECKING:
    from abalone_assets.storage.object_store import ObjectStore

TOLD_KEY: Final = "alerts.json"
FORMAT: Final = 1

LOOK_SECONDS: Final = 60
"""Between two looks at what is so."""

QUIET: Final = timedelta(minutes=10)
"""Between two messages, so that whatever happens sends six an hour at most."""

LISTED: Final = 20
"""Matters that a message lists of each kind; it says how many more there are."""


@dataclass(frozen=True)
class Matter:
    """Something that somebody should know of as long as it is so.

    Attributes:
        key: What it is about; as long as it is there, the matter is not over.
        title: It in a few words.
        text: It in one sentence, with what to do.
        instance: Which one of its kind: another one under the same key is news again.
    """

    key: str
    title: str
    text: str
    instance: str = ""


@dataclass(frozen=True)
class Situation:
    """What is so now.

    Attributes:
        matters: Each of another key.
        undecided: Keys of which nobody can say yet; they stay as they were told.
    """

    matters: tuple[Matter, ...] = ()
    undecided: frozenset[str] = frozenset()

    @classmethod
    def joined(cls, parts: Iterable[Situation]) -> Self:
        """Several looks as one."""
        looks = list(parts)
        return cls(
            tuple(matter for look in looks for matter in look.matters),
            frozenset().union(*(look.undecided for look in looks)),
        )


@dataclass(frozen=True)
class ToldMatter:
    """A matter as it was told; ``since`` is ISO time, UTC."""

    title: str
    instance: str
    since: str


@dataclass(frozen=True)
class Told:
    """What was told and is not over.

    Attributes:
        format: Of the document.
        matters: By key.
        sent_at: When the last message was sent, ISO time, UTC; empty before the first.
    """

    format: int = FORMAT
    matters: Mapping[str, ToldMatter] = field(default_factory=dict)
    sent_at: str = ""

    def quiet_until(self, now: datetime) -> datetime | None:
        """When the next message may be sent; None for at once.

        A clock that was set back holds no message back.
        """
        if not self.sent_at:
            return None
        sent = datetime.fromisoformat(self.sent_at)
        return sent + QUIET if sent <= now < sent + QUIET else None


@dataclass(frozen=True)
class News:
    """What differs from what was told.

    Attributes:
        new: Matters that were not told, or others of their kind.
        over: Those that were told and are no more.
    """

    new: tuple[Matter, ...]
    over: tuple[ToldMatter, ...]

    def __bool__(self) -> bool:
        return bool(self.new or self.over)

    @property
    def title(self) -> str:
        """The message's subject."""
        if len(self.new) == 1 and not self.over:
            return f"abalone: {self.new[0].title}"
        if len(self.over) == 1 and not self.new:
            return f"abalone: over: {self.over[0].title}"
        counts = {"new": len(self.new), "over": len(self.over)}
        return f"abalone: {', '.join(f'{count} {kind}' for kind, count in counts.items() if count)}"

    @property
    def text(self) -> str:
        """The message's text, plain."""
        new = [f"- {each.text}" for each in self.new]
        over = [f"- {each.title} (told at {each.since[:16]} UTC)" for each in self.over]
        return "\n\n".join(
            "\n".join([heading, *_first(lines)])
            for heading, lines in (("New:", new), ("Over:", over))
            if lines
        )


def _first(lines: list[str]) -> list[str]:
    more = len(lines) - LISTED
    return lines if more <= 0 else [*lines[:LISTED], f"- and {more} more; `abalone status` has all"]


def read_told(store: ObjectStore) -> Told:
    """What was told.

    Raises:
        StorageError: The document is damaged, or the store refuses.
    """
    document = store.read_json(TOLD_KEY)
    if document is None:
        return Told()
    place, remedy = store.uri_of(TOLD_KEY), "delete it, and what is so now is told once more"
    told = record_of(Told, document, place, remedy=remedy, version=FORMAT)
    try:
        if told.sent_at and datetime.fromisoformat(told.sent_at).tzinfo is None:
            raise ValueError(told.sent_at)  # noqa: TRY301 - as one that is no time at all
    except ValueError as error:
        raise StorageError(f"{place}: sent_at: no time with its zone; {remedy}") from error
    return told


def news_of(told: Told, now: Situation) -> News:
    """What somebody should be told of."""
    keys = {matter.key for matter in now.matters}
    return News(
        tuple(matter for matter in now.matters if not _was_told(told, matter)),
        tuple(
            each
            for key, each in told.matters.items()
            if key not in keys and key not in now.undecided
        ),
    )


def _was_told(told: Told, matter: Matter) -> bool:
    before = told.matters.get(matter.key)
    return before is not None and before.instance == matter.instance


def told_after(told: Told, now: Situation) -> Told:
    """What is told once the news of this situation has been sent."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    kept = {key: each for key, each in told.matters.items() if key in now.undecided}
    current = {
        matter.key: told.matters[matter.key]
        if _was_told(told, matter)
        else ToldMatter(matter.title, matter.instance, at)
        for matter in now.matters
    }
    return Told(matters={**kept, **current}, sent_at=at)
