"""Running it: health, migrations, the parent process with its workers, stores that go and come back."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from app_server import RunningApp, eventually
from conftest import KEY
from engine_double import EngineDouble, Script
from httpx_sse import connect_sse
from stores import Postgres, RedisServer, free_port

from rackwright_app import __version__
from rackwright_app.database.migrate import migrate
from rackwright_app.settings import Settings


def test_health_when_all_is_well(app: RunningApp, engine: EngineDouble) -> None:
    answers = [httpx.get(f"{app.url}/health") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {200}
    checks = {"database": "ok", "redis": "ok", "engine": "ok", "audit": "ok"}
    assert answers[-1].json() == {"status": "ok", "version": __version__, "checks": checks}
    assert engine.probes == 1


def test_health_without_an_engine_is_degraded(app: RunningApp, engine: EngineDouble) -> None:
    engine.stop()
    answer = httpx.get(f"{app.url}/health")
    assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
    assert answer.json()["checks"]["engine"] == "failed"


@pytest.mark.parametrize("name", ["database", "redis"])
def test_health_without_a_store_is_unavailable(
    settings: Settings, start_app: Callable[[Settings], RunningApp], name: str
) -> None:
    away = getattr(settings, name).model_copy(update={"port": free_port()})
    answer = httpx.get(f"{start_app(settings.model_copy(update={name: away})).url}/health", timeout=20)
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")
    assert answer.json()["checks"][name] == "failed"


def test_health_says_when_the_tables_are_missing(
    settings: Settings, start_app: Callable[[Settings], RunningApp], postgres: Postgres
) -> None:
    with postgres.connect() as connection:
        connection.execute("CREATE DATABASE bare")
    app = start_app(settings.model_copy(update={"database": postgres.settings("bare")}))
    assert httpx.get(f"{app.url}/health").json()["checks"]["database"] == "failed"


def test_stores_may_go_and_come_back(
    client: httpx.Client, app: RunningApp, postgres: Postgres, redis_server: RedisServer
) -> None:
    assert client.post("/api/chat", json={"message": "Hello", "stream": False}).status_code == 200
    postgres.stop()
    redis_server.stop()
    assert client.post("/api/chat", json={"message": "Hello"}).status_code == 503
    redis_server.start()
    assert client.post("/api/chat", json={"message": "Hello"}).status_code == 503
    postgres.start()
    postgres.wait_for_sql()
    eventually(lambda: httpx.get(f"{app.url}/health").status_code == 200, seconds=15)
    assert client.post("/api/chat", json={"message": "Hello", "stream": False}).status_code == 200


def test_migrations_run_once_however_many_start(postgres: Postgres) -> None:
    with postgres.connect() as connection:
        connection.execute("CREATE DATABASE fresh")
    outcomes: list[tuple[str | None, str | None]] = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(migrate(postgres.settings("fresh"))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    head = "0004"
    assert sorted(outcomes, key=str) == [(head, head)] * 3 + [(None, head)]
    with postgres.connect("fresh") as connection:
        row = connection.execute("SELECT count(*) AS sessions FROM sessions").fetchone()
    assert row == {"sessions": 0}


class Service:
    """The whole service: parent, workers, port of the metrics."""

    def __init__(self, directory: Path, settings: Settings) -> None:
        self.api, self.metrics = free_port(), free_port()
        config = {
            "workers": 2,
            "shutdown_seconds": 5,
            "api": {"port": self.api},
            "metrics": {"port": self.metrics},
            "tokens": {"keys": [{"id": "first", "secret": KEY}]},
            "audit": {"path": str(directory / "audit.log")},
            "database": settings.database.model_dump(mode="json", exclude={"password"}),
            "redis": settings.redis.model_dump(mode="json", exclude={"password"}),
        }
        (directory / "secrets.json").write_text(json.dumps(config))
        self.engine, self.urls = directory / "engine.toml", [str(url) for url in settings.engine.urls]
        self.ask_for("double")
        (directory / "run").mkdir()
        self.log = directory / "log"
        environment = {
            **os.environ,
            "CREDENTIALS_DIRECTORY": str(directory),
            "RACKWRIGHT_APP_CONFIG": str(directory / "app.toml"),
            "RUNTIME_DIRECTORY": str(directory / "run"),
            "PYTHONWARNINGS": "error",
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "rackwright_app", "serve"], env=environment, stdout=log, stderr=log
            )
        eventually(self.answers, seconds=90)

    def ask_for(self, model: str) -> None:
        """Write which model is asked for, as the role does."""
        self.engine.write_text(f"[engine]\nurls = {json.dumps(self.urls)}\nmodel = {json.dumps(model)}\n")

    def answers(self) -> bool:
        assert self.process.poll() is None, self.log.read_text()
        try:
            return httpx.get(f"http://127.0.0.1:{self.api}/health").status_code == 200
        except httpx.TransportError:
            return False

    def figures(self) -> str:
        return httpx.get(f"http://127.0.0.1:{self.metrics}/metrics").text

    def workers(self) -> set[int]:
        listed = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return {int(pid) for pid in listed if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()}

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)


@pytest.fixture
def service(tmp_path: Path, settings: Settings) -> Iterator[Service]:
    service = Service(tmp_path, settings)
    yield service
    service.stop()


def test_workers_are_counted_together_and_replaced_without_a_gap(
    service: Service, engine: EngineDouble, token: Callable[..., str]
) -> None:
    headers = {"Authorization": f"Bearer {token()}"}
    address = f"http://127.0.0.1:{service.api}"
    for _ in range(10):
        body = {"message": "Hello", "stream": False}
        assert httpx.post(f"{address}/api/chat", json=body, headers=headers).status_code == 200
    asked = 'rackwright_app_requests_total{method="POST",route="/api/chat",status="200"} 10.0'
    assert asked in service.figures()
    assert "rackwright_app_open_streams 0.0" in service.figures()
    assert httpx.get(f"{address}/metrics").status_code == 404

    # A stream that is being written ends in peace while its worker is replaced.
    service.ask_for("another")
    first = service.workers()
    engine.script = Script(pieces=["piece "] * 20, pause_seconds=0.1)
    with (
        httpx.Client(base_url=address, headers=headers, timeout=20) as client,
        connect_sse(client, "POST", "/api/chat", json={"message": "Hello"}) as source,
    ):
        events = source.iter_sse()
        assert next(events).event == "session"
        service.process.send_signal(signal.SIGHUP)
        names = [event.event for event in events]
    assert names == ["token"] * 20 + ["done"]
    eventually(lambda: len(service.workers()) == 2 and not service.workers() & first, seconds=90)
    assert service.answers()
    assert {question["model"] for question in engine.questions} == {"double"}
    body = {"message": "Hello", "stream": False}
    assert httpx.post(f"{address}/api/chat", json=body, headers=headers).status_code == 200
    assert engine.questions[-1]["model"] == "another"

    service.stop()
    assert service.process.returncode == 0
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert {"event", "level", "time"} <= set.intersection(*(set(line) for line in lines))
    assert not [line for line in lines if line["level"] in ("error", "critical", "warning")]
    assert "Hello" not in service.log.read_text()


def test_a_kept_connection_is_told_to_end_before_the_service_does(
    service: Service, token: Callable[..., str]
) -> None:
    """A proxy that does not hear of it sends its next request into a connection that closes."""
    address, headers = f"http://127.0.0.1:{service.api}", {"Authorization": f"Bearer {token()}"}
    with httpx.Client(base_url=address, headers=headers) as client:
        assert "connection" not in client.get("/api/auth/me").headers
        service.process.terminate()
        eventually(lambda: client.get("/api/auth/me").headers.get("connection") == "close", seconds=1.5)
        # Whoever comes anew is served, too, as long as the port is open.
        assert httpx.get(f"{address}/health").headers["connection"] == "close"
    assert service.process.wait(15) == 0


def test_who_has_come_and_not_asked_yet_is_answered_while_workers_are_replaced(service: Service) -> None:
    """A handshake takes its time; on a busy machine a long one."""
    first, told = service.workers(), []
    replaced = threading.Event()

    def come_again() -> None:
        while not replaced.is_set():
            with socket.create_connection(("127.0.0.1", service.api), timeout=20) as connection:
                time.sleep(0.2)
                try:
                    connection.sendall(b"GET /health HTTP/1.1\r\nHost: app\r\nConnection: close\r\n\r\n")
                    told.append(connection.recv(12))
                except OSError as error:
                    told.append(repr(error).encode())

    callers = [threading.Thread(target=come_again) for _ in range(8)]
    for caller in callers:
        caller.start()
    service.process.send_signal(signal.SIGHUP)
    try:
        eventually(lambda: len(service.workers()) == 2 and not service.workers() & first, seconds=90)
    finally:
        replaced.set()
        for caller in callers:
            caller.join()
    assert set(told) == {b"HTTP/1.1 200"}


def test_an_answer_is_finished_before_the_service_stops(
    service: Service,
    engine: EngineDouble,
    token: Callable[..., str],
    database: psycopg.Connection[dict[str, str]],
) -> None:
    engine.script = Script(pieces=["piece "] * 10, pause_seconds=0.1)
    address = f"http://127.0.0.1:{service.api}"
    with (
        httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token()}"}, timeout=20) as client,
        connect_sse(client, "POST", "/api/chat", json={"message": "Hello"}) as source,
    ):
        events = source.iter_sse()
        assert next(events).event == "session"
        service.process.terminate()
        assert [event.event for event in events] == ["token"] * 10 + ["done"]
    assert service.process.wait(10) == 0
    assert database.execute("SELECT status FROM turns").fetchall() == [{"status": "complete"}]
