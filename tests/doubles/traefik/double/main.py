"""The program: `traefik version`, or `traefik` with its static configuration as a file or as flags."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from double import told
from double.chain import seconds
from double.observed import AccessLog, Metrics, api
from double.requests import Request
from double.routed import Routed, nothing
from double.served import EntryPoint
from double.wire import Answer, say

VERSION = "3.7.9"


def log(level: str, message: str) -> None:
    """Say something, as Traefik does in JSON."""
    sys.stderr.write(
        json.dumps({"level": level, "message": message, "program": "contract double of Traefik"}) + "\n"
    )
    sys.stderr.flush()


async def unused(_: Request, answer: Answer) -> None:
    """What routers name that only have middlewares."""
    await say(answer, 418, "I'm a teapot")


class Program:
    """Everything that runs."""

    def __init__(self, static: dict[str, Any], known: Any) -> None:  # noqa: ANN401 - a tree of YAML's
        self._static, self._known = static, known
        self._log, self._metrics = AccessLog(static.get("accessLog")), Metrics()
        self._internal = {"noop@internal": unused, "ping@internal": nothing}
        prometheus = (static.get("metrics") or {}).get("prometheus")
        if prometheus is not None:
            self._internal["prometheus@internal"] = self._metrics
        self._points = {
            name: EntryPoint(name, settings, self._now, self._log, self._metrics)
            for name, settings in static["entryPoints"].items()
            if name != "traefik"
        }
        if (static.get("api") or {}).get("insecure"):
            own = static["entryPoints"].get("traefik") or {"address": ":8080"}
            self._points["traefik"] = EntryPoint(
                "traefik", own, self._now, self._log, self._metrics, self._asked
            )
        self._routed = self._made({})

    def _now(self) -> Routed:
        return self._routed

    async def _asked(self, request: Request, answer: Answer) -> None:
        await api(self._routed.told, request, answer)

    def _made(self, tree: dict[str, Any]) -> Routed:
        def up(service: str, url: str, works: bool) -> None:
            self._metrics.up[service, url] = works

        return Routed(tree, self._internal, list(self._points), up)

    def load(self) -> None:
        """Read the dynamic configuration; one that is refused leaves the former in force."""
        provider = self._static["providers"]["file"]
        try:
            tree = told.read(Path(provider["filename"]), self._known["dynamic"])
        except told.ToldError as error:
            log("error", f"Error while building configuration: {error}")
            return
        routed = self._made(tree)
        for kind, entries in routed.told.items():
            for name, entry in entries.items():
                for error in entry.get("error", ()):
                    log("error", f"{kind} {name}: {error}")
        self._routed.stop()
        self._routed = routed
        self._metrics.up.clear()
        self._metrics.loaded()
        routed.watch()

    async def run(self) -> None:
        """Serve until SIGTERM; HUP reads the dynamic configuration, USR1 opens the access log anew."""
        loop, over = asyncio.get_running_loop(), asyncio.Event()
        self.load()
        loop.add_signal_handler(signal.SIGTERM, over.set)
        loop.add_signal_handler(signal.SIGINT, over.set)
        loop.add_signal_handler(signal.SIGHUP, self.load)
        loop.add_signal_handler(signal.SIGUSR1, self._log.reopen)
        for point in self._points.values():
            point.listen()
        serving = [asyncio.create_task(point.serve()) for point in self._points.values()]
        _ready()
        log("info", f"Traefik {VERSION}, a contract double: it is not the real program")
        await over.wait()
        for task in serving:
            task.cancel()
        first = next(iter(self._static["entryPoints"].values()))
        grace = ((first.get("transport") or {}).get("lifeCycle") or {}).get("graceTimeOut") or "10s"
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds(grace)):
                while any(point.busy for point in self._points.values()):  # noqa: ASYNC110 - at the end alone
                    await asyncio.sleep(0.05)


def _ready() -> None:
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            notify.send(b"READY=1")


def main() -> int:
    """Run; the exit status is 1 for a configuration that is none."""
    arguments = sys.argv[1:]
    if arguments[:1] == ["version"]:
        sys.stdout.write(f"Version:      {VERSION}\nCodename:     contract double, not Traefik\n")
        return 0
    known = told.documented()
    try:
        files = [word.partition("=")[2] for word in arguments if word.lower().startswith("--configfile=")]
        if files:
            static = told.read(Path(files[0]), known["static"])
        else:
            static = told.of_flags(arguments, known["static"])
        program = functools.partial(Program, static, known)
        asyncio.run(_run(program))
    except (told.ToldError, KeyError, OSError) as error:
        log("error", f"command traefik error: {error}")
        return 1
    return 0


async def _run(made: functools.partial[Program]) -> None:
    await made().run()
