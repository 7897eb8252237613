"""The names of one kind in a landing zone, kept from one look to the next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from abalone_assets.errors import SurveyError
from abalone_assets.survey import SURVEYS, FileKind, kind_of_file, landed_day

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from abalone_assets.ingest.landing_zone import LandingZone


@dataclass(frozen=True)
class SortedNames:
    """The names of one kind by day, an ISO date, and those of no kind and day, in order."""

    names: frozenset[str] = frozenset()
    days: Mapping[str, frozenset[str]] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    kind: FileKind = SURVEYS

    def now(self, names: frozenset[str]) -> SortedNames:
        """The same after some names have come or gone."""
        came, went = self._by_day(names - self.names), self._by_day(self.names - names)
        days = dict(self.days)
        for day in came.keys() | went.keys():
            left = (days.get(day, frozenset()) - went.get(day, set())) | came.get(day, set())
            days[day] = left
            if not left:
                del days[day]
        others = days.pop("", frozenset()) | frozenset(self.others) - went.get("", set())
        return SortedNames(names, days, tuple(sorted(others)), self.kind)

    def _by_day(self, names: Iterable[str]) -> dict[str, set[str]]:
        """The names of this kind by day, an ISO date; those of no kind and day by an empty one."""
        days: dict[str, set[str]] = {}
        for name in names:
            try:
                day = landed_day(name).isoformat()
            except SurveyError:
                days.setdefault("", set()).add(name)
                continue
            if kind_of_file(name) is self.kind:
                days.setdefault(day, set()).add(name)
        return days


@dataclass
class LandedNames:
    """The names in a landing zone by day, listed again only when the zone may differ.

    Then only names that came or went are looked at. Where the zone gives no sign of change, as on
    S3, names are listed each time.
    """

    zone: LandingZone
    kind: FileKind = SURVEYS
    _sign: str | None = field(default=None, init=False)
    _known: SortedNames = field(init=False)

    def __post_init__(self) -> None:
        """Nothing is known yet."""
        self._known = SortedNames(kind=self.kind)

    def sorted(self) -> SortedNames:
        """Files of this kind by day, and the names of no kind and day.

        Raises:
            StorageError: The landing zone cannot be read.
        """
        sign = self.zone.sign()
        if sign is None or sign != self._sign:
            # Replaced as a whole, so that threads need no lock.
            self._known, self._sign = self._known.now(frozenset(self.zone.list_names())), sign
        return self._known
