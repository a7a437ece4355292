"""Lines that tests write on a host, and what must have become of them in the store.

RACKWRIGHT_LOG_LINES and RACKWRIGHT_LOG_OUTAGE say how many lines are written while the store is away, and for
how many seconds it is.
"""

import os
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from machines import Machines


class Found(Protocol):
    """A line as a store has it."""

    @property
    def text(self) -> str:
        """What it says."""


LINES = int(os.environ.get("RACKWRIGHT_LOG_LINES", "100000"))
OUTAGE = float(os.environ.get("RACKWRIGHT_LOG_OUTAGE", "60"))

WRITE = """
import sys, time
mark, count, target = sys.argv[1], int(sys.argv[2]), sys.argv[3]
out = sys.stdout if target == '-' else open(target, 'a', buffering=1)
for number in range(count):
    # As slowly as a program that has something to say: rotation and restarts meet it in the middle.
    if number % 200 == 0: time.sleep(float(sys.argv[4]) if len(sys.argv) > 4 else 0)
    said = 'call 13812345678 or someone@example.com, key sk-abcdefghijklmnopqrstuvwx'
    print(f'{mark} {number:07d} {said}', file=out)
"""


def seconds_for(count: int) -> float:
    """For how long lines may be on their way, on a machine with much else to do."""
    return 60 + count / 250


def in_order_once(lines: Sequence[Found], mark: str, count: int) -> None:
    numbers = [int(line.text.split()[1]) for line in lines]
    twice = [number for number, times in Counter(numbers).items() if times > 1]
    missing = sorted(set(range(count)) - set(numbers))
    assert not missing, f"{mark}: {len(missing)} lines are missing, such as {missing[:5]}"
    assert not twice, f"{mark}: {len(twice)} lines came twice, such as {twice[:5]}"
    assert numbers == sorted(numbers), f"{mark}: out of order"
    assert all("138****5678" in line.text and "so***@example.com" in line.text for line in lines)
    assert not any("13812345678" in line.text or "sk-abc" in line.text for line in lines)


def write(machines: Machines, host: str, mark: str, count: int, target: str, pause: float = 0) -> None:
    run = f"python3 /run/write-lines.py {mark} {count} {target} {pause}"
    # An interval of 0 would leave journald its own limit, 10,000 lines in 30 seconds.
    free = "-p LogRateLimitIntervalSec=1s -p LogRateLimitBurst=1000000"
    machines.inside(host, f"systemd-run -q --unit=write-{mark} {free} {run}")


def written(machines: Machines, host: str, mark: str) -> None:
    machines.inside(host, f"while systemctl is-active -q write-{mark}; do sleep 0.5; done")
