"""The local Dagster instance: its folder, its configuration, runs that outlived their process."""

from __future__ import annotations

import glob
import os
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from abalone_assets import CODE_LOCATION
from abalone_assets.errors import AbaloneError
from abalone_assets.lake.holder import process_lives
from abalone_assets.settings.environment import variable
from abalone_assets.settings.platform import load_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    import dagster as dg

    from abalone_assets.settings.platform import Settings

CONFIG_NAME: Final = "dagster.yaml"
PROCESS_TAG: Final = ".dagster/abalone_pid"
"""Tag of a run that a process executes by itself, without Dagster's launcher: its identity. No page
shows a tag of this prefix: nobody needs it there."""

OLD_PROCESS_TAG: Final = "abalone/pid"
"""The same on runs that were in flight when the platform was updated."""

EVENT_BATCH_SIZE: Final = "1000"
"""Events of partitions that Dagster keeps until it stores them together: some 14 MB of them."""

POOLS: Final = ("training", "deployment", "mlflow", "ageing")
"""What runs of the platform wait for: two releases, or two deployments, never overlap."""

WATCH_SECONDS: Final = "4"
"""Less than the five seconds after which Dagster's daemon ticks again."""

WATCHING_SENSORS: Final = 2

_REVISION: Final = re.compile(rb"\A# abalone-assets local instance, revision ([0-9]+)\n")


class InstanceError(AbaloneError):
    """The local Dagster instance cannot be prepared, or others drive it."""


def local_workspace() -> Path:
    """The workspace file that names the code location as `abalone dev` loads it."""
    return Path(__file__).with_name("workspace.yaml")


def prepare_instance(settings: Settings) -> Path:
    """Make the home's Dagster folder and landing zone, and bring ``dagster.yaml`` up to date.

    A ``dagster.yaml`` that does not begin with our revision line is the user's own and stays.

    Returns:
        The Dagster folder, for ``DAGSTER_HOME``.

    Raises:
        InstanceError: A folder or the file cannot be written, or Dagster would not find the file.
    """
    home = settings.home
    if glob.escape(str(home)) != str(home):
        raise InstanceError(
            f"{home}: Dagster takes this path for a pattern and would silently ignore the"
            f" {CONFIG_NAME} in it; choose a home whose path has none of [ * ? (ABALONE_HOME, or"
            " --home of `abalone demo`)"
        )
    if unquote(str(home)) != str(home):
        raise InstanceError(
            f"{home}: Dagster's database takes a % with two hexadecimal digits behind it for a"
            f" character of its own and would look for {unquote(str(home))}; choose a home whose"
            " path has none (ABALONE_HOME, or --home of `abalone demo`)"
        )
    folder = settings.dagster_home
    config, packaged = folder / CONFIG_NAME, Path(__file__).with_name(CONFIG_NAME).read_bytes()
    try:
        make_home(home)
        folder.mkdir(parents=True, exist_ok=True)
        if not config.exists() or _revision(config.read_bytes()) < _revision(packaged):
            temporary = folder / f".{CONFIG_NAME}.{os.getpid()}"
            temporary.write_bytes(packaged)
            temporary.replace(config)
    except OSError as error:
        raise InstanceError(
            f"{folder}: cannot prepare the Dagster instance ({error.strerror}); set ABALONE_HOME to"
            " a folder that you may write to"
        ) from error
    make_landing_zone(settings)
    return folder


def make_home(home: Path) -> None:
    """Make a home that is missing, for this user alone, whatever the umask.

    One that is there keeps its mode: others may have been let in on purpose.

    Raises:
        OSError: It cannot be made.
    """
    home.parent.mkdir(parents=True, exist_ok=True)
    home.mkdir(mode=0o700, exist_ok=True)


def has_own_landing_zone(settings: Settings) -> bool:
    """Whether surveys land in the home's own folder, not in one that the user chose."""
    return settings.landing_zone_uri == str(settings.home / "landing_zone")


def make_landing_zone(settings: Settings) -> None:
    """Make the home's own landing zone when it is missing.

    One that the user chose is left alone: when it is missing, surveys would go unseen.

    Raises:
        InstanceError: The folder cannot be made.
    """
    if not has_own_landing_zone(settings):
        return
    try:
        Path(settings.landing_zone_uri).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InstanceError(
            f"{settings.landing_zone_uri}: cannot make the landing zone ({error.strerror}); set"
            " ABALONE_HOME to a folder that you may write to"
        ) from error


def instance_elsewhere(settings: Settings) -> Path | None:
    """The folder that ``DAGSTER_HOME`` names, where it is another than the home's own.

    Such an instance, as in PostgreSQL, has a daemon of its own, and may know other projects.
    """
    named = os.environ.get("DAGSTER_HOME")
    if not named or Path(named).expanduser().resolve() == settings.dagster_home:
        return None
    return Path(named).expanduser()  # as Dagster takes it


def workspace_of(folder: Path) -> Path | None:
    """The workspace of a deployed instance: in its folder, or beside it, as the image has it."""
    if not (folder / CONFIG_NAME).is_file():
        return None
    found = (place / "workspace.yaml" for place in (folder, folder.parent))
    return next((file for file in found if file.is_file()), None)


def is_deployed(settings: Settings) -> bool:
    """Whether a deployed Dagster drives this home: on AWS, or that of Compose.

    In the profile local it is the instance elsewhere, if its workspace has our code location. A
    ``DAGSTER_HOME`` that is exported for another project has not.
    """
    if settings.profile != "local":
        return True
    elsewhere = instance_elsewhere(settings)
    workspace = None if elsewhere is None else workspace_of(elsewhere)
    return workspace is not None and CODE_LOCATION.encode() in workspace.read_bytes()


def child_environment(settings: Settings) -> dict[str, str]:
    """The environment of a process that works on this home and its Dagster instance."""
    return {
        "DAGSTER_EVENT_BATCH_SIZE": EVENT_BATCH_SIZE,
        **os.environ,
        "ABALONE_HOME": str(settings.home),
        "DAGSTER_HOME": str(settings.dagster_home),
    }


def watching_environment(settings: Settings, instance: dg.DagsterInstance) -> dict[str, str]:
    """The same for Dagster's processes, whose ticks watch for work: see ``watch_seconds``.

    Not where somebody has set that, nor where ticks would wait for each other.
    """
    given, sensors = child_environment(settings), instance.get_settings("sensors")
    side_by_side = sensors.get("use_threads") and sensors.get("num_workers", 0) > WATCHING_SENSORS
    name = variable("watch_seconds")
    return {name: WATCH_SECONDS, **given} if side_by_side else given


@contextmanager
def home_environment(home: Path | None = None) -> Iterator[Settings]:
    """Make this process work on a home and its Dagster instance, for a while.

    Without a home, it is the one that the environment says.

    Yields:
        The settings in force.

    Raises:
        SettingsError: The environment is malformed.
    """
    before = dict(os.environ)
    if home is not None:
        os.environ["ABALONE_HOME"] = str(home.expanduser().resolve())
    try:
        settings = load_settings()
        os.environ.update(child_environment(settings))
        yield settings
    finally:
        os.environ.clear()
        os.environ.update(before)


def open_instance_for_demo(settings: Settings) -> dg.DagsterInstance:
    """The home's instance, without capturing what steps print.

    The capture starts two processes for each step, takes this process's output away meanwhile, and
    has nothing to record here: the events of the runs say it all.
    """
    import dagster as dg
    from dagster._core.instance.ref import InstanceRef

    no_capture = {
        "module": "dagster._core.storage.noop_compute_log_manager",
        "class": "NoOpComputeLogManager",
    }
    return dg.DagsterInstance.from_ref(
        InstanceRef.from_dir(str(settings.dagster_home), overrides={"compute_logs": no_capture})
    )


def make_pools(instance: dg.DagsterInstance) -> None:
    """Give the pools their limit of one run before the first run asks for them.

    Dagster's queue gives a new pool its default only after it has read the limits, so that two runs
    which wait for a new pool would enter it together. A limit that somebody has set stays.
    """
    storage = instance.event_log_storage
    known = {limit.name for limit in storage.get_pool_limits()}
    for pool in POOLS:
        if pool not in known:
            storage.set_concurrency_slots(pool, 1)


def fail_orphaned_runs(instance: dg.DagsterInstance) -> list[str]:
    """End the runs whose processes died before they did; say which.

    A run that a killed process left behind counts as in flight and would hold the sensors back.
    Dagster's local launcher cannot tell that a worker died, so its run monitoring does not.
    Whoever asks drives the home, so nobody else is starting a run's process just now.
    """
    import dagster as dg

    status = dg.DagsterRunStatus
    begun = [status.NOT_STARTED, status.STARTING, status.STARTED, status.CANCELING]
    in_flight = instance.get_runs(dg.RunsFilter(statuses=begun))
    orphans = [run for run in in_flight if _died(instance, run)]
    for run in orphans:
        instance.report_run_failed(run, "The process of this run ended before the run did.")
    return [run.run_id for run in orphans]


def process_of(run: dg.DagsterRun) -> str | None:
    """The identity of the process that executes a run by itself, as its tag says it."""
    return run.tags.get(PROCESS_TAG) or run.tags.get(OLD_PROCESS_TAG)


def _died(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the run says its processes, and none of them lives; or was to get one and has none.

    A tag alone decides: the engine's events repeat the id of its process, without the start. They
    have the processes that Dagster's launcher and executor recorded.
    """
    import dagster as dg

    identity = process_of(run)
    if identity is not None:
        return not process_lives(identity)
    logs = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT)
    events = [entry.dagster_event for entry in logs if entry.dagster_event]
    recorded = [event.engine_event_data.metadata.get("pid") for event in events]
    processes = {str(pid.value) for pid in recorded if pid}
    if not processes:
        return run.status is dg.DagsterRunStatus.STARTING
    return not any(map(process_lives, processes))


def _revision(config: bytes) -> float:
    """Our revision of a ``dagster.yaml``; infinite for a file of the user's own."""
    match = _REVISION.match(config)
    return int(match[1]) if match else float("inf")
