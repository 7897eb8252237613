"""A private PostgreSQL from Debian's binaries: TLS, passwords, a free port, gone at the end."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import URL, NullPool, create_engine, text
from sqlalchemy.exc import OperationalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sqlalchemy import Connection

HOST: Final = "127.0.0.1"
USER, PASSWORD = "dagster", "correct horse/battery@staple"
NOBODY: Final = 65534
"""PostgreSQL refuses to run as root; Debian's ``nobody`` has an id but no rights."""

START_SECONDS: Final = 30.0
ATTEMPTS: Final = 3
SETTINGS: Final = {
    "listen_addresses": f"'{HOST}'",
    "unix_socket_directories": "''",
    "ssl": "on",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "60",
    "shared_buffers": "'16MB'",
}
_numbers = count()


class PostgresError(Exception):
    """The server did not start."""


@dataclass
class Cluster:
    """A server, which may be killed.

    Attributes:
        binaries: Folder of the programs.
        folder: Where its data and its log are.
        process: Its first process.
        port: Its port on 127.0.0.1.
        certificate: The authority that signed the server's certificate, which is itself.
    """

    binaries: Path
    folder: Path
    process: subprocess.Popen[bytes]
    port: int
    certificate: Path

    def start_again(self) -> None:
        """Start it on its port, where it was killed."""
        self.process = _start(self.binaries, self.folder, self.port).process

    def create_database(self, like: str = "template1") -> Database:
        """A database of its own, empty or like another one that nobody is connected to."""
        name = f"dagster_{next(_numbers)}"
        with self.connect("postgres") as connection:
            connection.execute(text(f"create database {name} template {like}"))
        return Database(self, name)

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is connected to it."""
        with self.connect("postgres") as connection:
            connection.execute(text(f"drop database {name} with (force)"))

    @contextmanager
    def connect(self, database: str) -> Iterator[Connection]:
        """A connection that commits every statement."""
        url = URL.create("postgresql+psycopg2", USER, PASSWORD, HOST, self.port, database)
        engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            yield connection


@dataclass(frozen=True)
class Database:
    """A database for one Dagster instance."""

    cluster: Cluster
    name: str

    @property
    def environment(self) -> dict[str, str]:
        """What ``deploy/dagster.yaml`` reads to find it."""
        return {
            "DAGSTER_POSTGRES_HOST": HOST,
            "DAGSTER_POSTGRES_PORT": str(self.cluster.port),
            "DAGSTER_POSTGRES_USER": USER,
            "DAGSTER_POSTGRES_PASSWORD": PASSWORD,
            "DAGSTER_POSTGRES_DB": self.name,
        }

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        with self.cluster.connect(self.name) as connection:
            return [tuple(row) for row in connection.execute(text(sql))]


@contextmanager
def running_cluster(binaries: Path, **settings: str) -> Iterator[Cluster]:
    """Make a cluster in a temporary folder, start it, and remove it at the end.

    Args:
        binaries: Folder of the programs.
        settings: Of the server, in place of ``SETTINGS``.
    """
    folder = Path(tempfile.mkdtemp(prefix="abalone-postgres-"))
    try:
        _make(binaries, folder, {**SETTINGS, **settings})
        cluster = _start(binaries, folder)
        try:
            yield cluster
        finally:
            cluster.process.send_signal(signal.SIGQUIT)  # no checkpoint: nobody reads it again
            cluster.process.wait(timeout=START_SECONDS)
    finally:
        shutil.rmtree(folder)


def _make(binaries: Path, folder: Path, settings: Mapping[str, str]) -> None:
    data = folder / "data"
    folder.chmod(0o755)  # the server's user has to pass
    password_file = folder / "password"
    password_file.write_text(PASSWORD)
    data.mkdir()
    _own(data, password_file)
    command = [str(binaries / "initdb"), f"--pgdata={data}", f"--username={USER}"]
    command += [f"--pwfile={password_file}", "--auth=scram-sha-256", "--encoding=UTF8"]
    command += ["--locale=C", "--no-sync"]
    subprocess.run(command, check=True, capture_output=True, **_unprivileged())
    write_certificate(data)
    lines = [f"{name} = {value}\n" for name, value in settings.items()]
    (data / "postgresql.auto.conf").write_text("".join(lines))


def _start(binaries: Path, folder: Path, port: int | None = None) -> Cluster:
    """Start the server; another process may take the free port first, so try again."""
    log, data = folder / "log", folder / "data"
    for _ in range(ATTEMPTS):
        chosen = _free_port() if port is None else port
        with log.open("ab") as output:
            process = subprocess.Popen(
                [binaries / "postgres", "-D", data, "-p", str(chosen)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                **_unprivileged(),
            )
        cluster = Cluster(binaries, folder, process, chosen, data / "server.crt")
        if _answers(cluster):
            return cluster
        process.kill()
        process.wait()
    raise PostgresError(log.read_text(errors="replace"))


def _answers(cluster: Cluster) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while cluster.process.poll() is None and time.monotonic() < deadline:
        try:
            with cluster.connect("postgres"):
                return True
        except OperationalError:
            time.sleep(0.05)
    return False


def _unprivileged() -> dict[str, Any]:
    """Arguments of a process that root starts as somebody else."""
    if os.geteuid() != 0:
        return {}
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []}


def _own(*paths: Path) -> None:
    for path in paths:
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY)


def write_certificate(data: Path) -> None:
    """A key and a certificate for 127.0.0.1 that signs itself, in a server's folder."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, HOST)])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    key_file, certificate_file = data / "server.key", data / "server.crt"
    key_file.touch(mode=0o600)
    key_file.write_bytes(key.private_bytes(pem, private, serialization.NoEncryption()))
    certificate_file.write_bytes(certificate.public_bytes(pem))
    _own(key_file, certificate_file)


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as listener:
        return int(listener.getsockname()[1])
