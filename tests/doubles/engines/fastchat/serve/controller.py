"""A double of `python3 -m fastchat.serve.controller`."""

from __future__ import annotations

import threading
import time
import urllib.error
from types import SimpleNamespace
from typing import Any

import uvicorn
from common import Handler, Json

from fastchat.called import called, post, seconds

EXPIRATION = seconds("FASTCHAT_CONTROLLER_HEART_BEAT_EXPIRATION", 90)


class Controller:
    """Who is there, and with which models."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.workers: dict[str, Json] = {}
        # No daemon, as in FastChat: it keeps the program from ending.
        threading.Thread(target=self._forget).start()

    def register(self, name: str, check: bool, status: Json | None) -> bool:
        """Note a worker and what it says of itself; without that it is asked."""
        try:
            status = status or post(f"{name}/worker_get_status", timeout=5)
        except (OSError, urllib.error.URLError):
            return False
        assert status is not None
        with self.lock:
            self.workers[name] = {**status, "check": check, "beat": time.time()}
        return True

    def refresh(self) -> None:
        """Ask all workers, and forget those that do not answer."""
        with self.lock:
            old, self.workers = dict(self.workers), {}
            for name, info in old.items():
                self.register(name, info["check"], None)

    def models(self) -> list[str]:
        """Return the names of all models."""
        with self.lock:
            return list({name for info in self.workers.values() for name in info["model_names"]})

    def address(self, model: str) -> str:
        """Return the worker with the shortest queue, or nothing."""
        with self.lock:
            serving = {name: info for name, info in self.workers.items() if model in info["model_names"]}
            if not serving:
                return ""
            chosen = min(
                serving, key=lambda name: float(serving[name]["queue_length"]) / serving[name]["speed"]
            )
            self.workers[chosen]["queue_length"] += 1
            return chosen

    def beat(self, name: str, length: int) -> bool:
        """Note that a worker lives; False where it is not known."""
        with self.lock:
            if name in self.workers:
                self.workers[name] |= {"queue_length": length, "beat": time.time()}
            return name in self.workers

    def _forget(self) -> None:
        while True:
            time.sleep(EXPIRATION)
            with self.lock:
                old = [
                    name
                    for name, info in self.workers.items()
                    if info["check"] and info["beat"] < time.time() - EXPIRATION
                ]
                for name in old:
                    del self.workers[name]


controller: Any = None


def _register(_: Handler, body: Json) -> Json:
    status = body.get("worker_status")
    controller.register(body["worker_name"], body["check_heart_beat"], status)
    return {}


def _refresh(_: Handler, __: Json) -> Json:
    controller.refresh()
    return {}


class App(Handler):
    """Its API."""


App.routes = {
    ("GET", "/test_connection"): lambda handler, _: handler.send(200, b'"success"'),
    ("POST", "/register_worker"): _register,
    ("POST", "/refresh_all_workers"): _refresh,
    ("POST", "/list_models"): lambda *_: {"models": controller.models()},
    ("POST", "/get_worker_address"): lambda _, body: {"address": controller.address(body["model"])},
    ("POST", "/receive_heart_beat"): lambda _, body: {
        "exist": controller.beat(body["worker_name"], body["queue_length"])
    },
}


def create_controller() -> tuple[SimpleNamespace, Controller]:
    """Read the arguments."""
    return called("controller", port="21001"), Controller()


if __name__ == "__main__":
    args, controller = create_controller()
    uvicorn.run(App, host=args.host, port=args.port, log_level="info")
