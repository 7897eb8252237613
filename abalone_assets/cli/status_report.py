"""What `abalone status` knows: read from the registry, the lake and the landing zone."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

from abalone_assets.errors import StorageError
from abalone_assets.ingest.base_survey import last_refusal
from abalone_assets.ingest.landing_zone import Landing, LandingZone
from abalone_assets.ingest.memory import ANIMALS_MEMORY_KEY, Memory, Patience, read_memory
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.ingest.reconcile import find_due
from abalone_assets.lake.animals import Animals
from abalone_assets.lake.lake import Lake, Release
from abalone_assets.local.driver import Driver
from abalone_assets.local.instance import has_own_landing_zone
from abalone_assets.modeling.evaluation.decision_words import in_short, shortened
from abalone_assets.registry.open import open_registry
from abalone_assets.registry.overrides import Override
from abalone_assets.registry.record_rows import THE_GATE
from abalone_assets.registry.versions import UnknownVersionError, desired_of, version_decided_on
from abalone_assets.serving.live_version import EndpointState, endpoint_state
from abalone_assets.settings.public_uri import public_uri
from abalone_assets.survey import ANIMALS, SURVEYS, FileKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from abalone_assets.lake.manifest import Manifest
    from abalone_assets.registry.registry import ModelRegistry
    from abalone_assets.registry.versions import ModelVersion
    from abalone_assets.settings.platform import Settings

NEWEST: Final = 5


@dataclass(frozen=True)
class Live(EndpointState):
    """The endpoint, and what is known of the version that answers, else of the requested one.

    Attributes:
        endpoint: Its name.
        rmse: On the version's test split, in rings.
        standing: Who approved or rejected the version, such as ``approved by the gate``.
    """

    endpoint: str = field(kw_only=True)
    rmse: float | None = None
    standing: str | None = None

    @classmethod
    def of(cls, settings: Settings, registry: ModelRegistry) -> Self:
        """Ask the endpoint and the registry."""
        state = endpoint_state(settings)
        shown = state.version or state.requested_version
        known = registry.get(shown) if shown else None
        return cls(
            **vars(state),
            endpoint=settings.endpoint_name,
            rmse=known.evaluation.get("rmse") if known else None,
            standing=known.status if known else None,
        )


@dataclass(frozen=True)
class DecisionOnVersion(Override):
    """A decision of a person, or of ``the gate``, and the version that it is on.

    Attributes:
        in_short: Why, in a line.
    """

    version: int
    in_short: str


@dataclass(frozen=True)
class Approvals:
    """Which version should be live, and who decided what.

    Attributes:
        desired_version: The version that should be live, or None while none is approved.
        decided_by: The person's decision that made it so, or None while the gate did.
        last_decision: The newest decision on any version, or None before the first.
        overrides: The newest decisions of people, newest first.
    """

    desired_version: int | None
    decided_by: DecisionOnVersion | None
    last_decision: DecisionOnVersion | None
    overrides: list[DecisionOnVersion]

    @classmethod
    def of(cls, registry: ModelRegistry) -> Self:
        """Ask the registry."""
        candidates, latest = registry.candidates(), registry.latest()
        desired, decided_on = desired_of(candidates), version_decided_on(candidates)
        overrides = sorted(_overrides(candidates), key=lambda each: each.at, reverse=True)
        decisions = overrides if latest is None else [*overrides, _of_the_gate(latest)]
        return cls(
            desired_version=None if desired is None else desired.version,
            decided_by=None if decided_on is None else _overrides([decided_on])[-1],
            last_decision=max(decisions, key=lambda each: each.at, default=None),
            overrides=overrides[:NEWEST],
        )


def _overrides(versions: Sequence[ModelVersion]) -> list[DecisionOnVersion]:
    return [
        DecisionOnVersion(**vars(override), version=version.version, in_short=override.because)
        for version in versions
        for override in version.overrides
    ]


def _of_the_gate(version: ModelVersion) -> DecisionOnVersion:
    return DecisionOnVersion(
        approved=version.approved_by_gate,
        because=str(version.decision.get("reason", "no reason is recorded")),
        by=THE_GATE,
        at=version.created_at,
        version=version.version,
        in_short=in_short(version.decision, version.evaluation),
    )


@dataclass(frozen=True)
class Quarantine:
    """The quarantined rows of the survey days: how many broke each rule, and the newest few.

    These have a ``file``, ``line``, ``column``, ``rule`` and ``message``.
    """

    by_rule: dict[str, int]
    newest: list[dict[str, Any]]

    @classmethod
    def of(cls, lake: Lake, manifest: Manifest) -> Self:
        """Read the days that have any.

        Raises:
            StorageError: A day's rows cannot be read.
        """
        days = [day for day, entry in sorted(manifest.days.items()) if entry.quarantined]
        if not days:
            return cls({}, [])
        import polars as pl

        try:
            rows = pl.scan_parquet([lake.uri("quarantined_rows", day) for day in days], glob=False)
            counted = rows.group_by("rule").len().sort("len", "rule", descending=[True, False])
            newest = rows.tail(NEWEST).select(
                pl.col("source_file").alias("file"), "line", "column", "rule", "message"
            )
            return cls(dict(counted.collect().iter_rows()), newest.collect().to_dicts())
        except (OSError, pl.exceptions.PolarsError) as error:
            raise StorageError(
                f"quarantined_rows cannot be read; ingest its days again: {error}"
            ) from error


@dataclass(frozen=True)
class Totals:
    """What the lake has ingested.

    Attributes:
        days: Survey days with files.
        files: Their files.
        unreadable_files: Of these, files that are no survey.
        held_files: Of these, files that are held: off as a whole, and not accepted.
        held_rows: Their rows, which are in no table.
        rows: Rows in ``new_surveys``.
        quarantined: Rows in ``quarantined_rows``.
        base_survey: Where ``raw_abalone`` came from, or None before it was made.
        base_rows: Its rows.
        base_quarantined: Its quarantined rows.
    """

    days: int
    files: int
    unreadable_files: int
    rows: int
    quarantined: int
    base_survey: str | None
    base_rows: int
    base_quarantined: int
    held_files: int = 0
    held_rows: int = 0

    @classmethod
    def of(cls, manifest: Manifest) -> Self:
        """Add up the manifest."""
        days = [day for day in manifest.days.values() if day.files]
        raw, source = manifest.raw, None
        if raw:
            instead = f"the bundled simulated survey, instead of {raw.uri}"
            source = instead if raw.simulated else raw.uri
        return cls(
            days=len(days),
            files=sum(len(day.files) for day in days),
            unreadable_files=sum(file.problem is not None for day in days for file in day.files),
            rows=sum(day.rows for day in days),
            quarantined=sum(day.quarantined for day in days),
            base_survey=source,
            base_rows=raw.rows if raw else 0,
            base_quarantined=raw.quarantined if raw else 0,
            held_files=sum(len(day.held_files) for day in days),
            held_rows=sum(day.held_rows for day in days),
        )


@dataclass(frozen=True)
class UnagedAnimals:
    """The animals whose rings nobody counted, and how far their ages are.

    Attributes:
        files: Files of them in the lake.
        rows: Their animals.
        quarantined: Their quarantined rows.
        aged: Animals that have an age.
        due_days: Days whose files are not in the lake as they are.
        days_to_age: Days whose animals have no ages yet.
        waiting_for_model: Whether these wait because no model is live.
        refused_files: Files that could not be read, and why.
        vanished_days: Days whose files are gone in a way that is not believed.
    """

    files: int
    rows: int
    quarantined: int
    aged: int
    due_days: list[str]
    days_to_age: list[str]
    waiting_for_model: bool
    refused_files: dict[str, str]
    vanished_days: list[str]

    @classmethod
    def of(
        cls, settings: Settings, lake: Lake, zone: LandingZone, requested_version: int | None
    ) -> Self:
        """Look at the landing zone and the lake's records of them.

        Raises:
            StorageError: One of them cannot be read.
        """
        animals = Animals(lake)
        manifest = animals.manifest()
        today = datetime.now(UTC).date()
        landing = _scan(settings, zone, manifest, today, ANIMALS)
        memory = read_memory(lake.store, ANIMALS_MEMORY_KEY)
        due = find_due(landing, manifest, zone.read, memory=memory)
        days = [day for day in manifest.days.values() if day.files]
        to_age = animals.days_to_age(manifest)
        return cls(
            files=sum(len(day.files) for day in days),
            rows=sum(day.rows for day in days),
            quarantined=sum(day.quarantined for day in days),
            aged=sum(day.rows for day in animals.aged().values()),
            due_days=list(due.days),
            days_to_age=to_age,
            waiting_for_model=bool(to_age) and requested_version is None,
            refused_files={
                file.name: file.problem for day in days for file in day.files if file.problem
            },
            vanished_days=list(due.vanished),
        )


@dataclass(frozen=True)
class StatusReport:
    """The platform at one moment.

    Attributes:
        home: The home folder.
        profile: The profile.
        live: The endpoint.
        approvals: Which version should be live, and who decided what.
        due_days: Survey days whose files are not in the lake as they are.
        vanished_days: Days whose files are gone in a way that is not believed: the lake keeps them
            until they are back or forgotten.
        release_due: Whether the lake holds anything that was not released.
        release: How the last release ended, or None before the first.
        release_in_short: Why, in a line.
        totals: What the lake has ingested.
        quarantine: The rows that were put aside.
        waiting_files: Files in the landing zone of a day in the future; ingested when it comes.
        stray_files: Other files there that belong to no survey day, and why.
        unreadable_files: Ingested files that are no survey, and why.
        growing_files: Files that were still being written when a sensor last looked.
        unreadable_now: Files that a sensor could not read and tries again, and why.
        earlier_days: Days in the lake that no release holds: before ABALONE_FIRST_SURVEY_DAY.
        lost_days: Days whose rows were deleted from the lake by hand.
        held_files: Files that are held, and why: until somebody accepts or mends them.
        driver: The command that drives the sensors now, and its process; None when none does.
        base_refused: Why the base survey that was fetched last was not taken; None when it was.
        animals: The animals whose rings nobody counted.
    """

    home: str
    profile: str
    live: Live
    approvals: Approvals
    due_days: list[str]
    vanished_days: list[str]
    release_due: bool
    release: Release | None
    release_in_short: str
    totals: Totals
    quarantine: Quarantine
    waiting_files: list[str]
    stray_files: dict[str, str]
    unreadable_files: dict[str, str]
    growing_files: list[str]
    unreadable_now: dict[str, str]
    earlier_days: list[str]
    lost_days: list[str]
    held_files: dict[str, str]
    driver: str | None
    base_refused: str | None = None
    animals: UnagedAnimals | None = None

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Look at everything now."""
        lake, registry = Lake(settings.lake_uri), open_registry(settings)
        manifest = lake.manifest()
        zone = open_landing_zone(settings.landing_zone_uri)
        today = datetime.now(UTC).date()
        landing = _scan(settings, zone, manifest, today)
        strays = {stray.file.name: stray.problem for stray in landing.strays}
        waiting = [stray.file.name for stray in landing.strays if stray.waits]
        release = lake.release()
        driver, refused = Driver.of(settings), last_refusal(lake.store)
        memory = read_memory(lake.store)
        # Without patience: a file that is still being written is not in the lake either.
        due = find_due(landing, manifest, zone.read, memory=memory)
        landed = {file.name for files in landing.days.values() for file in files}
        files = [file for day in manifest.days.values() for file in day.files]
        lost = lake.lost_days(manifest)
        kept = {day: entry for day, entry in manifest.days.items() if day not in lost}
        live = Live.of(settings, registry)
        return cls(
            home=str(settings.home),
            profile=settings.profile,
            live=live,
            approvals=Approvals.of(registry),
            due_days=list(due.days),
            vanished_days=list(due.vanished),
            release_due=bool(manifest.raw or manifest.days) and lake.release_due(),
            release=release,
            release_in_short=_in_short(release, registry),
            totals=Totals.of(manifest),
            quarantine=Quarantine.of(lake, replace(manifest, days=kept)),
            waiting_files=waiting,
            stray_files={name: strays[name] for name in strays if name not in waiting},
            unreadable_files={file.name: file.problem for file in files if file.problem},
            growing_files=_growing(landing, manifest, memory, Patience(**settings.patience)),
            unreadable_now={
                name: failed.problem for name, failed in memory.unreadable.items() if name in landed
            },
            earlier_days=lake.earlier_days(),
            lost_days=lost,
            held_files={file.name: file.held for file in files if file.held},
            driver=str(driver) if driver and driver.lives else None,
            base_refused=f"{refused.reason} (at {refused.at[:19]})"
            if refused and refused.uri == public_uri(settings.raw_uri)
            else None,
            animals=UnagedAnimals.of(settings, lake, zone, live.requested_version),
        )

    @property
    def new_decision(self) -> DecisionOnVersion | None:
        """The last decision, unless the last release or what people want tells it already."""
        last, release = self.approvals.last_decision, self.release
        if last is None or last == self.approvals.decided_by:
            return None
        is_released = release is not None and release.version == last.version
        return None if last.by == THE_GATE and is_released else last

    @property
    def deployment_due(self) -> bool:
        """Whether another version should be live than the endpoint was asked for."""
        desired = self.approvals.desired_version
        return desired not in {None, self.live.requested_version}

    def next_step(self) -> str:
        """What the user would do now."""
        if self.vanished_days:
            return (
                "bring the landing zone back (is it mounted? is ABALONE_LANDING_ZONE_URI right?),"
                " or `abalone forget --missing` if these surveys were deleted on purpose"
            )
        return self._next_on_aws() if self.profile == "aws" else self._next_here()

    def _next_here(self) -> str:
        if self.due_days or self.release_due or self.deployment_due:
            if self.driver:
                return f"nothing to do: {self.driver} is at work on what is pending"
            return "`abalone dev` ingests, releases and deploys what is pending"
        return self._next_with_files() or self._next_at_rest()

    def _next_on_aws(self) -> str:
        if self.due_days or self.release_due or self.deployment_due:
            return "nothing to do: the sensors ingest, release and deploy what is pending"
        if told := self._next_with_files():
            return told
        if self.live.version is None and self.release is not None:
            return f"no version answers; the last release ended so: {self.release.reason}"
        return (
            "`abalone land FILE` lands a survey; sagemaker-runtime's invoke_endpoint asks the model"
        )

    def _next_at_rest(self) -> str:
        if self.release is None:
            return "`abalone demo` shows the whole platform with simulated surveys in seconds"
        if self.live.version is None:
            return self._next_without_answer(self.release)
        return "`abalone land FILE` lands a survey, `abalone predict` asks the model"

    def _next_with_files(self) -> str:
        """What to do about files that are held or refused; empty when there are none."""
        if not self.held_files:
            if not self.unreadable_files:
                return ""
            name = next(iter(self.unreadable_files))
            return (
                f"mend {name} and land it again (`abalone land --force`), or delete it: nothing of "
                f"a refused file is used; `abalone status {name}` says what is wrong"
            )
        name = next(iter(self.held_files))
        return (
            f"land {name} again in mm / 200 and g / 200 (`abalone land --force`), or say that it is"
            f' right: `abalone accept {name} --because "…"`'
        )

    def _next_without_answer(self, release: Release) -> str:
        if self.live.requested_version is None:
            reason = release.reason.rstrip(".")
            return (
                f"no model was good enough so far ({reason}); `abalone land FILE` adds data,"
                " `abalone approve VERSION` overrules the gate"
            )
        if self.live.url is not None:
            return self.live.problem or "the server loads the deployed version; look again soon"
        return "`abalone serve` (or `abalone dev`) makes the deployed version answer"

    def to_document(self) -> dict[str, Any]:
        """The report as a JSON document."""
        return {**asdict(self), "next": self.next_step()}


def _in_short(release: Release | None, registry: ModelRegistry) -> str:
    """Why a release ended as it did, in a line."""
    if release is None:
        return ""
    try:
        known = registry.get(release.version) if release.version else None
    except UnknownVersionError:
        known = None
    if known is None or not release.reason.startswith(str(known.decision.get("reason") or "\0")):
        return shortened(release.reason)  # a person's word, or a record that is gone
    told = in_short(known.decision, known.evaluation)
    return f"{told} But a person wants another live." if release.outcome == "overruled" else told


def _growing(landing: Landing, manifest: Manifest, memory: Memory, patience: Patience) -> list[str]:
    """The files that were not at rest when a sensor looked, and are not since."""
    tokens = {
        file.name: file.e_tag
        for day in landing.days.keys() & manifest.days.keys()
        for file in manifest.days[day].files
    }
    return sorted(
        file.name
        for files in landing.days.values()
        for file in files
        if file.name in memory.growing
        and not memory.is_at_rest(file, tokens.get(file.name), patience)
    )


def _scan(
    settings: Settings,
    zone: LandingZone,
    manifest: Manifest,
    today: date,
    kind: FileKind = SURVEYS,
) -> Landing:
    """What lies in the landing zone; nothing in a home where nothing has landed yet."""
    first = settings.first_survey_day
    new = has_own_landing_zone(settings) and not any(day.files for day in manifest.days.values())
    if new and not Path(settings.landing_zone_uri).exists():
        return Landing(first.isoformat(), today.isoformat(), {}, ())
    return zone.scan(first, today, kind=kind)
