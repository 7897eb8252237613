"""The services of ``deploy/compose.yaml`` as processes of this machine, without containers.

Commands and environment are the file's own. What the network and the image give is replaced: host
names, ports, paths, PostgreSQL.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import requests

from abalone_assets.lake.lake import Lake
from abalone_assets_tests.services.production.home import COMPOSE, DEPLOY, read

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from abalone_assets_tests.services.production.postgres import Database

HOST: Final = "127.0.0.1"
WAIT_SECONDS: Final = 180.0
STOP_SECONDS: Final = 60.0

POLL_SECONDS: Final = 0.5
HOSTS: Final = ("DAGSTER_CODE_LOCATION_HOST", "DAGSTER_GRPC_HOST", "DAGSTER_WEBSERVER_HOST")
PORTS: Final = ("DAGSTER_GRPC_PORT", "DAGSTER_WEBSERVER_PORT")
HOME_IN_IMAGE: Final = "/var/lib/abalone"
WORKSPACE_IN_IMAGE: Final = "/opt/abalone/workspace.yaml"


class ServiceError(Exception):
    """A service ended, or did not come to what was awaited."""


@dataclass
class Services:
    """The running services.

    Attributes:
        home: Their shared home.
        environment: What they have in common.
        folder: Where their output goes.
        processes: The long-running ones by name.
    """

    home: Path
    environment: dict[str, str]
    folder: Path
    processes: dict[str, subprocess.Popen[bytes]]

    @property
    def lake(self) -> Lake:
        return Lake(str(self.home / "lake"))

    def graphql(self, query: str, variables: Mapping[str, Any] | None = None) -> Any:
        url = f"http://{HOST}:{self.environment['DAGSTER_WEBSERVER_PORT']}/graphql"
        answer = requests.post(url, json={"query": query, "variables": variables or {}}, timeout=60)
        document = answer.json()
        if document.get("errors"):
            raise ServiceError(str(document["errors"]))
        return document["data"]

    def live_version(self) -> int | None:
        """The version that the endpoint answers with."""
        state = json.loads((self.home / "endpoint" / "server.json").read_text())
        version = requests.get(f"{state['url']}/endpoints/abalone", timeout=10).json()["version"]
        return None if version is None else int(version)

    def code_location_listens(self) -> bool:
        try:
            socket.create_connection((HOST, int(self.environment[PORTS[0]])), timeout=5).close()
        except OSError:
            return False
        return True

    def healthy(self, service: str) -> bool:
        """Whether the service's own health check says so."""
        kind, *check = _services()[service]["healthcheck"]["test"]
        if kind == "CMD-SHELL":
            check = ["sh", "-c", check[0].replace("$$", "$")]
        check = [part.replace(HOME_IN_IMAGE, str(self.home)) for part in check]
        checked = subprocess.run(check, env=self.environment, capture_output=True, check=False)
        return checked.returncode == 0

    def start(self, service: str) -> None:
        own = {"ABALONE_ENDPOINT_HOST": HOST, "ABALONE_ENDPOINT_PORT": "0"}
        with (self.folder / f"{service}.log").open("ab") as output:
            self.processes[service] = subprocess.Popen(
                _command(service),
                env={**self.environment, **(own if service == "endpoint" else {})},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def tend(self) -> list[str]:
        """Start again what has ended, as ``restart: unless-stopped`` does; the names of that.

        A container ends with its first process, and so do all others in it.
        """
        ended = [name for name, process in self.processes.items() if process.poll() is not None]
        for name in ended:
            _kill_group(self.processes[name].pid)
            self.start(name)
        return ended

    def stop(self) -> None:
        """End them as ``docker stop`` does, all at once, and whatever they leave behind."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        try:
            for process in self.processes.values():
                process.wait(timeout=STOP_SECONDS)
        finally:
            for process in self.processes.values():
                _kill_group(process.pid)
                process.wait()

    def await_(self, done: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS
        while not done():
            ended = [name for name, process in self.processes.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                raise ServiceError(f"waiting for {what}; ended: {ended}\n{self.tails()}")
            time.sleep(POLL_SECONDS)

    def tails(self) -> str:
        return "\n".join(
            f"--- {log.stem}\n{log.read_text(errors='replace')[-2000:]}"
            for log in sorted(self.folder.glob("*.log"))
        )


@contextmanager
def running_services(
    folder: Path, database: Database, environ: Mapping[str, str], surveys: Mapping[str, bytes]
) -> Iterator[Services]:
    """Land surveys, migrate, start the long-running services; at the end, stop them."""
    home = folder / "home"
    (folder / "dagster_home").mkdir()
    shutil.copy(COMPOSE, folder / "dagster_home")
    for made_by_image in ("landing_zone", "dagster"):
        (home / made_by_image).mkdir(parents=True)
    for name, data in surveys.items():
        (home / "landing_zone" / name).write_bytes(data)
    environment = _environment(home, database) | dict(environ)
    _migrate(environment, folder / "migrate.log")
    services = Services(home, environment, folder, {})
    try:
        services.start("code-location")
        services.await_(services.code_location_listens, "the code location listens")
        for name in ("daemon", "webserver", "endpoint"):
            services.start(name)
        yield services
    finally:
        services.stop()


def _environment(home: Path, database: Database) -> dict[str, str]:
    """The file's common environment, and that of the image, on this machine."""
    outer = {name: value for name, value in os.environ.items() if not name.startswith("ABALONE_")}
    binaries = str(Path(sys.executable).parent)
    common = read(DEPLOY / "compose.yaml")["x-platform"]["environment"]
    return {
        **outer,
        "PATH": f"{binaries}:{outer['PATH']}",
        **{name: _here(value, home) for name, value in common.items()},
        **database.environment,
        **dict.fromkeys(HOSTS, HOST),
        "DAGSTER_HOME": str(home.with_name("dagster_home")),
        **{name: str(_free_port()) for name in PORTS},
    }


def _here(value: str, home: Path) -> str:
    """A value of the image's environment with its folders on this machine."""
    if value.startswith(HOME_IN_IMAGE):
        return str(home) + value.removeprefix(HOME_IN_IMAGE)
    return value


def _services() -> dict[str, Any]:
    services = read(DEPLOY / "compose.yaml")["services"]
    assert isinstance(services, dict)
    return services


def _command(service: str) -> list[str]:
    """The service's command; its program is found by the environment's ``PATH``."""
    workspace = str(DEPLOY / "workspace.yaml")
    command = _services()[service]["command"]
    return [workspace if part == WORKSPACE_IN_IMAGE else part for part in command]


def _migrate(environment: dict[str, str], log: Path) -> None:
    with log.open("wb") as output:
        subprocess.run(
            _command("migrate"), env=environment, stdout=output, stderr=output, check=True
        )


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])
