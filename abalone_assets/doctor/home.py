"""What `abalone doctor` finds of a local home's own troubles, and mends when it is asked to.

Each is something that was seen to go wrong: what a kill leaves, a share that went away, a home that
others can read.
"""

from __future__ import annotations

import stat
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from abalone_assets.doctor.finding import Finding, Outcome
from abalone_assets.errors import DamagedError, StorageError, counted
from abalone_assets.lake.animals import Animals
from abalone_assets.lake.holder import machine
from abalone_assets.lake.lake import Lake
from abalone_assets.lake.lease import LEASE_KEY, Lease, read_lease
from abalone_assets.lake.leftovers import leftovers, remove_leftovers
from abalone_assets.serving.local_endpoint import connect
from abalone_assets.serving.state import read_state, remove_state
from abalone_assets.storage.object_store import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from abalone_assets.serving.state import ServerState
    from abalone_assets.settings.platform import Settings

REPAIR: Final = "run `abalone doctor --repair`"
OTHERS: Final = stat.S_IRWXO


@dataclass(frozen=True)
class Trouble:
    """Something that is amiss.

    Attributes:
        subject: What.
        found: What it is like.
        remedy: What to do about it.
        mend: Does so, and says what was done; None where only a person can.
        outcome: How bad it is.
    """

    subject: str
    found: str
    remedy: str = REPAIR
    mend: Callable[[], str] | None = None
    outcome: Outcome = "warning"


def home_findings(settings: Settings) -> Iterator[Finding]:
    """What is amiss with the home; nothing of what is well."""
    for each in _troubles(settings):
        yield Finding(each.subject, each.outcome, each.found, each.remedy)


def repair_home(settings: Settings) -> Iterator[Finding]:
    """Mend what nobody's data depends on; says what was done, and what a person has to do."""
    for each in list(_troubles(settings)):
        if each.mend is None:
            continue
        subject = f"{each.subject} repaired"
        try:
            yield Finding(subject, "ok", each.mend())
        except (OSError, StorageError) as error:
            yield Finding(subject, "failed", str(error), "mend what it names, and repair again")


def _troubles(settings: Settings) -> Iterator[Trouble]:
    yield from _mode(settings.home)
    yield from _landing_zone(settings)
    yield from _leftovers(settings)
    yield from _lease(settings)
    yield from _server_state(settings.endpoint_state_file)
    yield from _history(settings)


def _mode(home: Path) -> Iterator[Trouble]:
    """A home that everybody on the machine may enter; to share it with a group is a choice."""
    try:
        mode = stat.S_IMODE(home.stat().st_mode)
    except OSError:  # not made yet; or not for us to see, which the finding on the home says
        return
    if mode & OTHERS:

        def close() -> str:
            home.chmod(mode & ~OTHERS)
            return f"{home}: closed to other users; its group has what it had"

        yield Trouble(
            "access to the home",
            f"{home}: every user of this machine may enter it (mode {mode:04o})",
            f"{REPAIR}, and let crews land in a folder that ABALONE_LANDING_ZONE_URI names",
            close,
        )


def _landing_zone(settings: Settings) -> Iterator[Trouble]:
    """A landing zone that went away; never made here: an empty one means deleted surveys."""
    root = ObjectStore(settings.landing_zone_uri).root
    remedy = "mount it, or bring it back from a copy; the lake keeps the rows meanwhile"
    try:
        if root is None or root.is_dir():
            return
    except OSError as error:
        yield _refused("landing zone", root, error, f"let this user enter it, or {remedy}")
        return
    lake = Lake(settings.lake_uri)
    try:
        known = (lake.manifest(), Animals(lake).manifest())
    except StorageError:
        return  # `abalone verify` says what is wrong with the manifest
    files = sum(each.files for manifest in known for each in manifest.summaries.values())
    if files:
        yield Trouble(
            "landing zone",
            f"{root}: no such folder, and the lake has the rows of {counted(files, 'file')} that "
            "lay there",
            remedy,
            outcome="failed",
        )


def _refused(subject: str, place: Path | None, error: OSError, remedy: str) -> Trouble:
    return Trouble(subject, f"{place}: {error.strerror}", remedy, outcome="failed")


def _leftovers(settings: Settings) -> Iterator[Trouble]:
    """What killed processes were writing."""
    roots = [ObjectStore(uri).root for uri in (settings.lake_uri, settings.registry_uri)]
    try:
        found = [path for root in roots if root is not None for path in leftovers(root)]
    except OSError as error:
        yield Trouble("leftovers", str(error), "let this user read and write it")
        return
    if found:

        def remove() -> str:
            removed = [path for root in roots if root for path in remove_leftovers(root)]
            return f"removed {counted(len(removed), 'file')} that killed processes were writing"

        yield Trouble(
            "leftovers",
            f"{counted(len(found), 'file')} that killed processes were writing, such as {found[0]}",
            mend=remove,
        )


def _lease(settings: Settings) -> Iterator[Trouble]:
    """A lease of a release that is over, or a record that is none."""
    store = Lake(settings.lake_uri).store
    try:
        lease = read_lease(store)
    except DamagedError as error:
        yield Trouble("release lease", str(error), "delete it while no release runs")
        return
    except StorageError as error:
        remedy = "mount it, or let this user read it; until then nothing is known of its data"
        yield Trouble("lake", str(error), remedy, outcome="failed")
        return
    if lease.holder and lease.is_abandoned:
        yield Trouble(
            "release lease",
            f"{lease} holds the lake, and its process has ended",
            f"nothing: the next release takes it; or {REPAIR}",
            lambda: _free(store, lease),
        )


def _free(store: ObjectStore, seen: Lease) -> str:
    def freed(document: object) -> dict[str, object]:
        # Another release may have taken it since: that one keeps it.
        mine = document == asdict(seen)
        return asdict(replace(seen, holder="", process="")) if mine else dict(document)  # type: ignore[call-overload]

    store.update_json(LEASE_KEY, freed)
    return f"the lease of run {seen.holder} is free"


def _server_state(path: Path) -> Iterator[Trouble]:
    """The address of an endpoint server that was killed, as far as that can be told from here."""
    state = read_state(path)
    if state is None or not _has_ended(path, state):
        return

    def remove() -> str:
        remove_state(path, state)
        return f"{path}: removed"

    yield Trouble(
        "endpoint state",
        f"{path} tells of a server at {state.url}, whose process {state.pid} has ended",
        mend=remove,
    )


def _has_ended(path: Path, state: ServerState) -> bool:
    """Whether a server has ended: of one in another container that shares the home nobody can tell.

    An older server did not say where it is, so it is asked.
    """
    if state.machine not in ("", machine()) or psutil.pid_exists(state.pid):
        return False
    return connect(state.endpoint, state_file=path) is None


def _history(settings: Settings) -> Iterator[Trouble]:
    """A lost database of Dagster's, where the home has its own."""
    folder = settings.dagster_home
    lake = Lake(settings.lake_uri)
    try:
        is_lost = folder.is_dir() and not any(folder.rglob("*.db")) and lake.release() is not None
    except OSError as error:
        yield _refused("Dagster's database", folder, error, "let this user read and write it")
        return
    except StorageError:
        return  # `abalone verify` says what is wrong with the record
    if is_lost:
        yield Trouble(
            "Dagster's database",
            f"{folder}: there is none, though the lake has been released from",
            "start `abalone dev`, which makes one, and run `abalone restore`: it shows again what "
            "the records tell; with PostgreSQL this is as it should be",
        )
