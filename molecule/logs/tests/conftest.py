"""The scenario's machines, and what its log store holds."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from machines import Machines
from telling import tell
from watched import Watched

__all__ = ["tell"]

# Runs on the store's host, as its administrator: pages through all that came, in the order in which it came.
READ = """
import base64, json, ssl, sys, urllib.request
password = open('/etc/rackwright/elasticsearch/elastic.password').read()
context = ssl.create_default_context(cafile='/etc/rackwright/tls/ca.pem')
after = int(sys.argv[2])
while True:
    body = json.dumps({'size': 5000, 'search_after': [after]}).encode()
    request = urllib.request.Request(f'https://{sys.argv[1]}:9200/ai-platform-*/_search', body, method='POST')
    request.add_header('Content-Type', 'application/json')
    request.add_header('Authorization', 'Basic ' + base64.b64encode(f'elastic:{password}'.encode()).decode())
    hits = json.load(urllib.request.urlopen(request, context=context))['hits']['hits']
    for hit in hits:
        line = hit['_source']
        names = line['host']['name'], line['service']['name']
        print(json.dumps([hit['sort'][0], *names, line['log'], line['message']]))
    if not hits:
        break
    after = hits[-1]['sort'][0]
"""


@dataclass(frozen=True)
class Line:
    """One line in the store; `number` is its place in the order in which lines came, `level` its own."""

    number: int
    host: str
    service: str
    stream: str
    position: int
    text: str
    level: str = ""


class LogStore:
    """The log store of the scenario."""

    def __init__(self, machines: Machines) -> None:
        self._machines = machines
        machines.inside("ops1", "cat > /run/read-lines.py", data=READ)

    def lines(self, after: int = 0) -> list[Line]:
        """All lines that came, in the order in which they came."""
        address = self._machines.addresses["ops1"]
        told = self._machines.inside("ops1", f"python3 /run/read-lines.py {address} {after}")
        found = [json.loads(line) for line in told.splitlines()]
        return [
            Line(number, host, service, log["stream"], log["position"], text, log.get("level", ""))
            for number, host, service, log, text in found
        ]

    def last(self) -> int:
        """The place of the last line."""
        return max((line.number for line in self.lines()), default=0)

    def wait(self, mark: str, count: int, seconds: float, after: int = 0) -> list[Line]:
        """Wait for lines with a mark; return them, as many as came."""
        ended = time.monotonic() + seconds
        found: list[Line] = []
        while True:
            fresh = self.lines(after)
            after = fresh[-1].number if fresh else after
            found += [line for line in fresh if mark in line.text]
            if len(found) >= count or time.monotonic() > ended:
                return found
            time.sleep(2)

    def stop(self) -> None:
        """The store goes away."""
        self._machines.inside("ops1", "docker stop -t 5 elasticsearch")

    def start(self) -> None:
        """The store comes back."""
        address = self._machines.addresses["ops1"]
        self._machines.inside(
            "ops1",
            "docker start elasticsearch; for try in $(seq 1 60); do"
            f" (exec 3<>/dev/tcp/{address}/9200) 2>/dev/null && exit 0; sleep 0.5; done; exit 1",
        )


@pytest.fixture(scope="session")
def machines() -> Machines:
    return Machines()


@pytest.fixture(scope="session")
def log_store(machines: Machines) -> LogStore:
    return LogStore(machines)


@pytest.fixture(scope="session")
def watched(machines: Machines, tell: Callable[[str], None]) -> Watched:
    """Who watches the site; of its alerts nobody is told."""
    return Watched(machines, tell)


Writer = Callable[[str, str, int], None]
