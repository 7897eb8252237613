"""``abalone dev``: the whole platform on this machine, until Ctrl-C."""

from __future__ import annotations

import socket
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

import click

from abalone_assets.cli.output import console, example

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from abalone_assets.local.code_server import CodeServerWatch
    from abalone_assets.local.driver_lock import DriverLock
    from abalone_assets.local.processes import Child
    from abalone_assets.settings.platform import Settings

HOST: Final = "127.0.0.1"
PROBE_SECONDS: Final = 5.0


@click.command(epilog=example("abalone dev", "abalone dev --port 3100 --endpoint-port 8123"))
@click.option(
    "--port",
    default=3000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="Port of the UI; 0 takes a free one.",
)
@click.option(
    "--endpoint-port",
    type=click.IntRange(0, 65535),
    help="Port of the endpoint; 0 takes a free one.  [default: 8080, ABALONE_ENDPOINT_PORT]",
)
@click.option("--verbose", is_flag=True, help="Show Dagster's log here instead of in dev.log.")
def dev(port: int, endpoint_port: int | None, *, verbose: bool) -> None:
    """Run the UI, the sensors and the endpoint server on this machine until Ctrl-C.

    Everything is kept in ABALONE_HOME, so the next start goes on where this one ends. When one
    process ends by itself, the others are stopped.
    """
    from abalone_assets.cli.serve import refuse_second_server
    from abalone_assets.local.driver import driven_error
    from abalone_assets.local.driver_lock import driver_lock
    from abalone_assets.local.instance import home_environment, prepare_instance
    from abalone_assets.local.processes import interrupted_by_signals

    with ExitStack() as stack:
        stack.enter_context(interrupted_by_signals())
        settings = stack.enter_context(home_environment())
        endpoint_port = settings.endpoint_port if endpoint_port is None else endpoint_port
        if not settings.home.is_dir():
            _usable_ports(settings, port, endpoint_port)  # a refusal leaves no home behind
        prepare_instance(settings)
        lock = stack.enter_context(driver_lock(settings, "abalone dev"))
        if lock is None:
            raise driven_error(settings)
        if lock.taken_over:
            left = ", ".join(map(str, lock.taken_over))
            console().print(f"Ended what a killed `abalone dev` had left behind: {left}")
        refuse_second_server(settings)
        port = _usable_ports(settings, port, endpoint_port)
        log = None if verbose else new_log(settings.dagster_home)
        _mend(settings)
        _run(settings, lock, port, endpoint_port, log)


def new_log(folder: Path) -> Path:
    """Where the log goes; that of the run before, which may say why it ended, is kept beside it."""
    log = folder / "dev.log"
    if log.exists():
        log.replace(folder / "dev.log.1")
    return log


def _mend(settings: Settings) -> None:
    """Bring up to date what an earlier end, or a copy of the home, left behind."""
    from abalone_assets.doctor.local import repair_local

    for finding in repair_local(settings, anew=False):
        if finding.outcome != "ok":
            console(stderr=True).print(f"{finding.found}", style="yellow")


def _run(
    settings: Settings, lock: DriverLock, port: int, endpoint_port: int, log: Path | None
) -> None:
    import dagster as dg

    from abalone_assets.cli.typed import Typed
    from abalone_assets.local.code_server import CodeServerWatch
    from abalone_assets.local.instance import (
        fail_orphaned_runs,
        make_pools,
        watching_environment,
    )
    from abalone_assets.local.processes import start_server, wait_for_server, wait_until

    out = console()
    out.print("Starting the endpoint server and Dagster (Ctrl-C stops both) …")
    with start_server(settings, endpoint_port, keeps=lock.descriptor) as server:
        lock.record([server])
        with dg.DagsterInstance.get() as instance:
            fail_orphaned_runs(instance)
            make_pools(instance)
            watching = watching_environment(settings, instance)
        with _start_dagster(settings, watching, lock, port, log) as dagster, _told_stop():
            lock.record([server, dagster])
            client = wait_for_server(settings, server)
            url = f"http://{HOST}:{port}"
            wait_until(lambda: _answers(url), dagster, "answers")
            out.print(f"UI        {url}", style="bold green")
            out.print(f"Endpoint  {client.url}", style="bold green")
            out.print(f"Pages     {client.url}/  (the Age Calculator, surveys, models, drift)")
            land = Typed.on(settings.home).command("land FILE")
            out.print(f"Surveys   {settings.landing_zone_uri}  (`{land}`)")
            if log is not None:
                out.print(f"Log       {log}")
            _supervise(settings, lock, [server, dagster], CodeServerWatch(dagster.pid, url))


@contextmanager
def _told_stop() -> Iterator[None]:
    """Say at once that Ctrl-C was heard: what follows takes some seconds."""
    try:
        yield
    except KeyboardInterrupt:
        console().print("Stopping … (Ctrl-C again does not wait for what is at work)")
        raise


def _start_dagster(
    settings: Settings,
    environment: dict[str, str],
    lock: DriverLock,
    port: int,
    log: Path | None,
) -> Child:
    from abalone_assets.local.instance import local_workspace
    from abalone_assets.local.processes import Child

    arguments = ["-W", "ignore:Function `dev_command`", "-m", "dagster", "dev"]
    arguments += ["--workspace", str(local_workspace()), "--host", HOST, "--port", str(port)]
    if settings.log_format == "json":
        arguments += ["--log-format", "json"]
    return Child(
        "Dagster (UI and daemon)",
        arguments,
        environment,
        log=log,
        keeps=lock.descriptor,
    )


def _supervise(
    settings: Settings, lock: DriverLock, children: Sequence[Child], watch: CodeServerWatch
) -> None:
    """Wait until a child ends by itself, or the home is deleted.

    Raises:
        ProcessError: One did, or it was.
    """
    from abalone_assets.local.processes import POLL_SECONDS, ProcessError

    while True:
        for child in children:
            code = child.exit_code()
            if code is not None:
                console(stderr=True).print(f"{child.name} ended: stopping the rest …")
                raise ProcessError(
                    f"{child.name} ended by itself (exit code {code}); {child.output_location()}"
                )
        if lock.is_gone:
            console(stderr=True).print(f"{settings.home} was deleted: stopping …")
            raise ProcessError(
                f"{settings.home}, or the Dagster folder in it, was deleted while `abalone dev` ran"
                " on it; start it again for a new home"
            )
        if watch.look():
            console(stderr=True).print("The process with the code was killed: it is loaded again")
        time.sleep(POLL_SECONDS)


def _answers(url: str) -> bool | None:
    import requests

    with requests.Session() as session:
        session.trust_env = False  # a proxy must not swallow calls to this machine
        try:
            return session.get(f"{url}/server_info", timeout=PROBE_SECONDS).ok or None
        except requests.RequestException:
            return None


def _usable_ports(settings: Settings, port: int, endpoint_port: int) -> int:
    """The UI's port, or a free one for 0; that of the endpoint is looked at, too.

    Raises:
        EndpointError: Another program uses one of them.
    """
    _usable_port(settings.endpoint_host, endpoint_port, "--endpoint-port")
    return _usable_port(HOST, port, "--port")


def _usable_port(host: str, port: int, option: str) -> int:
    """The port, or a free one for 0.

    Raises:
        EndpointError: Another program uses it.
    """
    from abalone_assets.errors import EndpointError
    from abalone_assets.serving.state import family_of

    try:
        with socket.create_server((host, port), family=family_of(host)) as listener:
            usable: int = listener.getsockname()[1]
    except OSError as error:
        raise EndpointError(
            f"cannot listen on port {port} of {host} ({error.strerror}); stop the program that uses"
            f" it or choose another {option} (0 picks a free one)"
        ) from error
    return usable
