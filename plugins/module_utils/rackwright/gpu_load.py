"""Puts the GPUs of a host under load for a bounded time, and watches them meanwhile."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from ansible.module_utils.rackwright import command, gpu_reading

CONTAINER = "rackwright-burn-in"
# A card cools within seconds, so it is asked while the load runs, never after.
INTERVAL_S = 2.0
# Of timeout(1), and of a program that its second, unkind signal ended.
_STOPPED = (124, 137)
_GRACE_S = 10

Watched = dict[str, dict[str, Any]]


def run(image: str, arguments: list[str], seconds: int) -> dict[str, Any]:
    """Load all GPUs by a container, or by a program of the host, and say what became of both.

    Args:
        image: Image of a container that is on the host already; empty for a program of the host.
        arguments: Its command.
        seconds: When it is stopped; a load that lasts until then is good.

    Returns:
        ran, seconds, rc (0 when it had to be stopped), output (its end), gpus (what was seen of each GPU, by
        its PCI address: samples, temperature_c, power_w, utilisation_percent, clock_mhz, each the highest;
        slowdowns) and temperature_c (of the hottest).
    """
    started = time.monotonic()
    outcome, gpus = watch(
        lambda: _container(image, arguments, seconds) if image else _program(arguments, seconds)
    )
    return {
        "ran": True,
        "seconds": round(time.monotonic() - started),
        "rc": 0 if outcome.rc in _STOPPED else outcome.rc,
        "output": outcome.output[-2000:],
        "gpus": gpus,
        "temperature_c": max((gpu["temperature_c"] or 0 for gpu in gpus.values()), default=None),
    }


def _program(arguments: list[str], seconds: int) -> command.Outcome:
    # timeout(1) ends the whole process group: a program's children would keep the GPUs busy.
    stop = ["timeout", f"--kill-after={_GRACE_S}", str(seconds)]
    return command.run([*stop, *arguments], timeout=seconds + 3 * _GRACE_S)


def _container(image: str, arguments: list[str], seconds: int) -> command.Outcome:
    command.run(["docker", "rm", "--force", CONTAINER], timeout=60)
    start = ["docker", "run", "--rm", "--name", CONTAINER, "--pull", "never", "--network", "none"]
    try:
        return command.run([*start, "--device", "nvidia.com/gpu=all", image, *arguments], timeout=seconds)
    finally:
        command.run(["docker", "rm", "--force", CONTAINER], timeout=60)


def watch(load: Callable[[], command.Outcome]) -> tuple[command.Outcome, Watched]:
    """Run a load and keep the worst that was seen of each GPU meanwhile."""
    seen: Watched = {}
    over = threading.Event()

    def look() -> None:
        while True:
            asked = command.run(["nvidia-smi", "-q", "-x"], timeout=60)
            if over.is_set():
                return
            if asked.rc == 0:
                note(seen, asked.stdout)
            if over.wait(INTERVAL_S):
                return

    watcher = threading.Thread(target=look, daemon=True)
    watcher.start()
    try:
        outcome = load()
    finally:
        over.set()
        watcher.join()
    return outcome, seen


def note(seen: Watched, document: str) -> None:
    """Add one answer of nvidia-smi to what was seen; an answer that cannot be read adds nothing."""
    try:
        gpus = gpu_reading.gpus(document)["gpus"]
    except gpu_reading.UnreadableError:
        return
    for gpu in gpus:
        worst = seen.setdefault(gpu["pci_address"], {"model": gpu["model"], "samples": 0, "slowdowns": []})
        worst["samples"] += 1
        for key in ("temperature_c", "power_w", "utilisation_percent", "clock_mhz"):
            known = [value for value in (worst.get(key), gpu[key]) if value is not None]
            worst[key] = max(known, default=None)
        worst["slowdowns"] += [brake for brake in gpu["slowdowns"] if brake not in worst["slowdowns"]]
