"""What `abalone status` knows: read from the registry, the lake and the landing zone."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from abalone_assets.cli.data_status import (
    Quarantine,
    Totals,
    UnagedAnimals,
    growing_files,
    out_of_reach,
    scan,
)
from abalone_assets.cli.instance import driver_of
from abalone_assets.cli.model_status import Approvals, DecisionOnVersion, Live, release_in_short
from abalone_assets.ingest.base_survey import last_refusal
from abalone_assets.ingest.memory import Patience, read_memory
from abalone_assets.ingest.open import open_landing_zone
from abalone_assets.ingest.reconcile import find_due
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.releases import Release
from abalone_assets.registry.open import open_registry
from abalone_assets.registry.record_rows import THE_GATE
from abalone_assets.settings.public_uri import public_uri

if TYPE_CHECKING:
    from abalone_assets.settings.platform import Settings


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
        unreadable_files: Ingested files that are no survey, or cannot be read now, and why.
        out_of_reach_files: Those of them that cannot be read now: what was read before counts.
        growing_files: Files that were still being written when a sensor last looked.
        unreadable_now: Files that a sensor could not read and tries again, and why.
        earlier_days: Days in the lake that no release holds: before ABALONE_FIRST_SURVEY_DAY.
        lost_days: Days whose rows were deleted from the lake by hand.
        held_files: Files that are held, and why: until somebody accepts or mends them.
        driver: What drives the sensors now: a command and its process, or the daemon where Dagster
            is deployed; None when nothing does.
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
    out_of_reach_files: dict[str, str]
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
        landing = scan(settings, zone, manifest, today)
        strays = {stray.file.name: stray.problem for stray in landing.strays}
        waiting = [stray.file.name for stray in landing.strays if stray.waits]
        release = lake.release()
        refused = last_refusal(lake.store)
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
            release_in_short=release_in_short(release, registry),
            totals=Totals.of(manifest),
            quarantine=Quarantine.of(lake, replace(manifest, days=kept)),
            waiting_files=waiting,
            stray_files={name: strays[name] for name in strays if name not in waiting},
            unreadable_files={file.name: file.problem for file in files if file.problem},
            out_of_reach_files=out_of_reach(files),
            growing_files=growing_files(landing, manifest, memory, Patience(**settings.patience)),
            unreadable_now={
                name: failed.problem for name, failed in memory.unreadable.items() if name in landed
            },
            earlier_days=lake.earlier_days(),
            lost_days=lost,
            held_files={file.name: file.held for file in files if file.held},
            driver=driver_of(settings),
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

    @property
    def animals_due(self) -> bool:
        """Whether animals without rings wait for a sensor, and not only for a model."""
        animals = self.animals
        if animals is None:
            return False
        return bool(animals.due_days or (animals.days_to_age and not animals.waiting_for_model))

    def next_step(self) -> str:
        """What the user would do now."""
        if self.vanished_days:
            return (
                "bring the landing zone back (is it mounted? is ABALONE_LANDING_ZONE_URI right?),"
                " or `abalone forget --missing` if these surveys were deleted on purpose"
            )
        return self._next_on_aws() if self.profile == "aws" else self._next_here()

    def _next_here(self) -> str:
        is_pending = self.due_days or self.release_due or self.deployment_due
        if self.driver and (is_pending or self.animals_due):
            return f"nothing to do: {self.driver} is at work on what is pending"
        if is_pending:
            return "`abalone dev` ingests, releases and deploys what is pending"
        if self.animals_due:
            return (
                "`abalone dev` goes on with the animals that wait: nothing drives the sensors of "
                "this home now"
            )
        return self._next_with_files() or self._next_at_rest()

    def _next_on_aws(self) -> str:
        if self.due_days or self.release_due or self.deployment_due or self.animals_due:
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

    @property
    def refused_files(self) -> dict[str, str]:
        """Ingested files that are no survey, and why."""
        files = self.unreadable_files
        return {name: files[name] for name in files if name not in self.out_of_reach_files}

    def _next_with_files(self) -> str:
        """What to do about files that need somebody; empty when there are none."""
        if name := next(iter(self.held_files), None):
            return (
                f"land {name} again in mm / 200 and g / 200 (`abalone land --force`), or say that "
                f'it is right: `abalone accept {name} --because "…"`'
            )
        if name := next(iter(self.refused_files), None):
            return (
                f"mend {name} and land it again (`abalone land --force`), or delete it: nothing of "
                f"a refused file is used; `abalone status {name}` says what is wrong"
            )
        if name := next(iter(self.out_of_reach_files), None):
            return (
                f"have {name} read again: mend its permissions, or the disk that it lies on; what "
                "was read of it before counts until then"
            )
        return ""

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
