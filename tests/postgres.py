"""A throw-away PostgreSQL server on a loopback port, for the tests that run on both stores."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg

STARTS_WITHIN = 30.0  # seconds


class NotInstalled(Exception):
    """PostgreSQL's server programs are not on this machine."""


@dataclass(frozen=True)
class Cluster:
    """A running server; every test takes a database of its own from it."""

    port: int

    def url(self, database: str) -> str:
        """SQLAlchemy URL of one database."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def _execute(self, statement: str) -> None:
        with psycopg.connect(host="127.0.0.1", port=self.port, user="postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    @contextlib.contextmanager
    def database(self, template: str = "template1") -> Iterator[str]:
        """Yield the URL of a copy of the database `template`, by default an empty one, and drop it afterwards."""
        name = f"t{uuid4().hex}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        try:
            yield self.url(name)
        finally:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")


def _program(name: str) -> str:
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    found = shutil.which(name) or (str(versions[0]) if versions else None)
    if found is None:
        raise NotInstalled(f"{name} was not found; on Debian: apt-get install postgresql")
    return found


def _account() -> str | None:
    """PostgreSQL refuses to run as root, so root lends it the account that its package made."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam("postgres").pw_name
    raise NotInstalled("tests run as root, and there is no account `postgres` for the server to run as")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait(cluster: Cluster, server: subprocess.Popen[bytes], log: Path) -> None:
    give_up = time.monotonic() + STARTS_WITHIN
    while True:
        try:
            cluster._execute("SELECT 1")
            return
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > give_up:
                raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}") from None
            time.sleep(0.02)


@contextlib.contextmanager
def running() -> Iterator[Cluster]:
    """Start a server without durability, yield it, stop it by its pid. Raises NotInstalled."""
    initdb, postgres, account = _program("initdb"), _program("postgres"), _account()
    home = Path(tempfile.mkdtemp(prefix="reprise-pg-"))
    if account:
        shutil.chown(home, account)
    try:
        data, log = home / "data", home / "log"
        subprocess.run(
            [initdb, "--pgdata", data, "--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync"],
            check=True,
            capture_output=True,
            user=account,
            cwd=home,
        )
        cluster = Cluster(_free_port())
        settings = [
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
            "max_connections=40",
            "autovacuum=off",
        ]
        options = [part for setting in settings for part in ("-c", setting)]
        address = ["-h", "127.0.0.1", "-p", str(cluster.port), "-k", str(home)]
        with log.open("wb") as output:
            server = subprocess.Popen(
                [postgres, "-D", data, *address, *options], stdout=output, stderr=output, user=account, cwd=home
            )
        try:
            _wait(cluster, server, log)
            yield cluster
        finally:
            server.terminate()
            server.wait()
    finally:
        shutil.rmtree(home)
