"""The scenario's machines, and its log server as whoever searches meets it."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from machines import Machines
from telling import tell
from watched import Watched

__all__ = ["tell"]

UNIT = "rackwright-log-server.service"
SHIPPER = "rackwright-log-shipper.service"
LINES_AT = "/var/lib/rackwright-log-server/lines"
SETTINGS = "/etc/rackwright/log-server/settings.json"


@dataclass(frozen=True)
class Line:
    """One line as a search finds it."""

    time: str
    zone: str
    host: str
    service: str
    text: str


class LogServer:
    """The log server of the scenario."""

    def __init__(self, machines: Machines) -> None:
        self.machines = machines

    def inside(self, script: str, *, data: str = "") -> str:
        """Run a script on its host."""
        return self.machines.inside("ops1", script, data=data)

    def found(self, grep: str, since: timedelta = timedelta(hours=1), limit: int = 200_000) -> list[Line]:
        """Ask its program for lines, in their order."""
        began = (datetime.now(UTC) - since).isoformat()
        question = json.dumps({"since": began, "grep": grep, "limit": limit})
        answer = json.loads(self.inside(f"rackwright-log-search {SETTINGS}", data=question))
        names = ("time", "zone", "host", "service", "text")
        return [Line(**{name: line[name] for name in names}) for line in answer["lines"]]

    def wait(self, grep: str, count: int, seconds: float) -> list[Line]:
        """Wait for so many lines; return them, as many as came."""
        ended = time.monotonic() + seconds
        while True:
            found = self.found(grep)
            if len(found) >= count or time.monotonic() > ended:
                return found
            time.sleep(3)

    def metric(self, name: str) -> float:
        """One of its metrics, as the node exporter's collector reads it."""
        told = self.inside("cat /var/lib/prometheus/node-exporter/rackwright-log-server.prom")
        values = dict(line.rsplit(" ", 1) for line in told.splitlines() if not line.startswith("#"))
        return float(values[f"rackwright_log_server_{name}"])

    def until(self, name: str, value: float, seconds: float = 60) -> None:
        """Wait until a metric has a value."""
        ended = time.monotonic() + seconds
        while (has := self.metric(name)) != value:
            assert time.monotonic() < ended, f"{name} is {has}"
            time.sleep(2)

    def stop(self) -> None:
        """It goes away."""
        self.inside(f"systemctl stop {UNIT}")

    def start(self) -> None:
        """It comes back."""
        self.inside(f"systemctl start {UNIT}")


@pytest.fixture(scope="session")
def machines() -> Machines:
    return Machines()


@pytest.fixture(scope="session")
def log_server(machines: Machines) -> LogServer:
    return LogServer(machines)


@pytest.fixture(scope="session")
def watched(machines: Machines, tell: Callable[[str], None]) -> Watched:
    """Who watches the site; of its alerts nobody is told."""
    return Watched(machines, tell)


def answered(watched: Watched, expr: str, seconds: float = 120) -> None:
    """Wait until a query of Prometheus has data."""
    ended = time.monotonic() + seconds
    while not watched.query(expr):
        assert time.monotonic() < ended, f"{expr}: {watched.pending()}"
        time.sleep(3)
