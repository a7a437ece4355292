"""The parent process: binds the sockets, keeps the workers alive, answers Prometheus.

Several workers share the port of the API. Each counts in files of its own; the parent adds them up, so that
one scrape shows the whole instance whichever workers live. The parent never runs the application, and the
port of the metrics does not depend on a busy worker.
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import click
import uvicorn
from prometheus_client import CollectorRegistry, Metric, make_asgi_app
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from starlette.types import ASGIApp
from uvicorn.supervisors.multiprocess import Multiprocess

from rackwright_app.logs import log_config
from rackwright_app.settings import Settings, settings_or_exit

_READY_SECONDS = 60
_KEEP_ALIVE_SECONDS = 75
"""Longer than a proxy keeps an idle connection (nginx: 60 s): this side never closes into a request."""
_FIRST_PASSED = 3
"""The number of the first descriptor that systemd passes (sd_listen_fds)."""
_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20"


def serve(settings: Settings) -> None:
    """Runs the service until it is told to stop.

    SIGTERM ends it: no new connection is taken, answers that are being written have ``shutdown_seconds`` to
    end. SIGHUP replaces the workers one by one, each only once its successor serves.

    Args:
        settings: The settings; the workers read them again for themselves.
    """
    # For the workers, whose counters choose their kind of storage on import; this process counts nothing.
    directory = _metrics_directory()
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(directory)
    api = uvicorn.Config(
        "rackwright_app.main:create_app",
        factory=True,
        host=settings.api.host,
        port=settings.api.port,
        workers=settings.workers,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        # Also how long a replaced worker's successor may take to start, on a busy machine too.
        timeout_worker_healthcheck=_READY_SECONDS,
        **_common(settings),
    )
    figures = uvicorn.Config(
        _metrics_app(directory),
        host=settings.metrics.host,
        port=settings.metrics.port,
        lifespan="off",
        **_common(settings),
    )
    with (
        closing(_passed_socket() or api.bind_socket()) as api_socket,
        closing(figures.bind_socket()) as metrics_socket,
    ):
        metrics_thread = threading.Thread(
            target=_serve_metrics, args=(figures, metrics_socket), name="metrics", daemon=True
        )
        metrics_thread.start()
        _Supervisor(api, figures, sockets=[api_socket]).run()


@click.command("serve")
def command() -> None:
    """Run the service."""
    serve(settings_or_exit())


class _Supervisor(Multiprocess):
    """Uvicorn's supervisor, which also tells systemd when the workers serve."""

    def __init__(self, api: uvicorn.Config, figures: uvicorn.Config, *, sockets: list[socket.socket]) -> None:
        super().__init__(api, sockets)
        self._figures = figures

    def handle_hup(self) -> None:
        # A renewed certificate: successors of the workers read it, this process's own port needs it told.
        figures = self._figures
        if figures.ssl is not None and figures.ssl_certfile is not None:
            figures.ssl.load_cert_chain(figures.ssl_certfile, figures.ssl_keyfile)
        super().handle_hup()

    def init_processes(self) -> None:
        super().init_processes()
        if all(process.wait_until_ready(_READY_SECONDS, self.should_exit) for process in self.processes):
            _notify("READY=1")


class _LivingWorkers(Collector):
    """Adds up what the workers counted, without the gauges of those that are no more."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._files: Collector = MultiProcessCollector(None, path=str(directory))  # type: ignore[no-untyped-call]

    def collect(self) -> Iterable[Metric]:
        for gauge in self._directory.glob("gauge_live*_*.db"):
            if not Path("/proc", gauge.stem.rpartition("_")[2]).exists():
                gauge.unlink(missing_ok=True)
        return self._files.collect()


def _passed_socket() -> socket.socket | None:
    """Returns the socket that systemd holds for us: requests wait in it while the service is replaced."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    passed = socket.socket(fileno=_FIRST_PASSED)
    passed.setblocking(False)
    passed.set_inheritable(True)
    return passed


def _common(settings: Settings) -> dict[str, Any]:
    tls = settings.tls
    return {
        "log_config": log_config(settings.log_level),
        "access_log": False,
        "server_header": False,
        # Whom to believe about the caller's address is decided in one place, ours.
        "proxy_headers": False,
        "timeout_keep_alive": _KEEP_ALIVE_SECONDS,
        "ssl_certfile": tls.certificate if tls else None,
        "ssl_keyfile": tls.key if tls else None,
        "ssl_ciphers": _CIPHERS if tls else None,
    }


def _metrics_directory() -> Path:
    runtime = os.environ.get("RUNTIME_DIRECTORY")
    directory = Path(runtime) / "metrics" if runtime else Path(tempfile.mkdtemp(prefix="rackwright-app-"))
    directory.mkdir(mode=0o750, exist_ok=True)
    # What workers of an earlier start counted is not ours to go on with: counters begin at zero, as after any
    # start.
    for left in directory.glob("*.db"):
        left.unlink()
    return directory


def _metrics_app(directory: Path) -> ASGIApp:
    registry = CollectorRegistry()
    registry.register(_LivingWorkers(directory))
    return make_asgi_app(registry)


def _serve_metrics(config: uvicorn.Config, bound: socket.socket) -> None:
    uvicorn.Server(config).run(sockets=[bound])


def _notify(state: str) -> None:
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.connect("\0" + address[1:] if address.startswith("@") else address)
        channel.sendall(state.encode())
