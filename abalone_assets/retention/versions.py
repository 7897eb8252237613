"""Archives of model versions: which are kept, and why. Records of versions are never removed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from abalone_assets.registry.versions import UnknownVersionError, champion_of, desired_of
from abalone_assets.retention.kind import GRACE, YOUNG, Kind, Thing
from abalone_assets.serving.live_version import named_versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion
    from abalone_assets.settings.platform import Settings


@dataclass(frozen=True)
class VersionRules:
    """Which versions keep their archives.

    Attributes:
        newest: How many of the newest, and of the newest that are approved.
        days: For how many days the last one that was approved on each of them is kept.
    """

    newest: int
    days: int


def reasons_to_keep(
    versions: Sequence[ModelVersion],
    needed: Mapping[int, str],
    rules: VersionRules,
    now: datetime,
) -> dict[int, str]:
    """The versions that keep their archive, and why.

    So there is always a way back: what was approved last, again and again, and what was live at the
    end of each of the last days.

    Args:
        versions: All, oldest first.
        needed: Those that somebody needs now, and why.
        rules: How many others are kept.
        now: With its time zone.
    """
    reasons = {each.version: f"one of the newest {rules.newest}" for each in _last(versions, rules)}
    approved = [each for each in versions if each.approved]
    by_approval = sorted(approved, key=_approved_at)
    lately = [each for each in by_approval if _approved_at(each) > now - timedelta(rules.days)]
    last_of_day = {_approved_at(each).date(): each for each in lately}
    for each in last_of_day.values():
        reasons[each.version] = f"approved last on a day of the last {rules.days}"
    for each in _last(by_approval, rules):
        reasons[each.version] = f"one of the newest {rules.newest} that are approved"
    for each in approved:
        if each.last_override is not None:
            reasons[each.version] = "approved by a person"
    return reasons | dict(needed)


def versions_needed(
    registry: ModelRegistry, settings: Settings, evaluated: Iterable[int] = ()
) -> dict[int, str]:
    """The versions that answer, should answer, or that the next model is held against.

    Args:
        registry: The registry.
        settings: The settings in force.
        evaluated: Versions that the last evaluation names: its report may still be to be drawn.

    Raises:
        EndpointError: AWS refuses to say what is live.
        StorageError: A record is damaged.
    """
    candidates = registry.candidates()
    live, named = named_versions(settings)
    desired, champion = desired_of(candidates), champion_of(live, candidates)
    needed = dict.fromkeys(evaluated, "compared with in the last evaluation")
    roots = {*named, *(each for each in (champion, desired and desired.version) if each)}
    for root in roots:
        try:
            reference = registry.reference_version(root)
        except UnknownVersionError:
            continue
        if reference:
            needed[reference] = "a reference for the next model"
    needed |= dict.fromkeys(named, "named by an endpoint, to serve or to return to")
    if champion:
        needed[champion] = "the champion"
    if desired:
        needed[desired.version] = "the version that should be live"
    return needed


def version_archives(
    registry: ModelRegistry, reasons: Mapping[int, str], settings: Settings, now: datetime
) -> Kind:
    """The archives in the registry, those of registrations that were cut short among them."""
    archives, known = registry.archives(), {each.version for each in registry.versions()}
    newest = max(archives, default=0)

    def reason(number: int) -> str:
        if number in known:
            return reasons.get(number, "")
        if number == newest or archives[number].last_modified > now - GRACE:
            return YOUNG  # and its number is never given again as long as it is the largest
        return ""

    def remove(thing: Thing) -> bool:
        number = int(thing.name)
        if number in versions_needed(registry, settings):  # a person may have decided meanwhile
            return False
        registry.remove_archive(number)
        return True

    things = [Thing(str(each), found.size, reason(each)) for each, found in archives.items()]
    return Kind("model archives in the registry", things, remove)


def _last(versions: Sequence[ModelVersion], rules: VersionRules) -> Sequence[ModelVersion]:
    return versions[-rules.newest :]


def _approved_at(version: ModelVersion) -> datetime:
    return version.last_approval or datetime.min.replace(tzinfo=UTC)
