"""A watched site, as its tests see it: Prometheus' answers, and what reaches a webhook beside it."""

from __future__ import annotations

import json
import shlex
import time
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from machines import Machines

HOST = "ops1"
HEARD = "/run/alert-test-heard.jsonl"
ASK = """
import http.client, ssl, sys
address, port, path = sys.argv[1:4]
trust = ssl.create_default_context(cafile="/etc/rackwright/tls/ca.pem")
own = "/etc/rackwright/tls/prometheus"
trust.load_cert_chain(f"{own}/cert.pem", f"{own}/key.pem")
connection = http.client.HTTPSConnection(address, int(port), context=trust, timeout=20)
connection.request("GET", path)
print(connection.getresponse().read().decode())
"""
# What the overlay of the scenario names as the receiver of every severity.
WEBHOOK = """
import http.server, json, sys, time
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with open(sys.argv[1], "a") as file:
            for alert in told["alerts"]:
                file.write(json.dumps({"at": time.time(), **alert}) + "\\n")
        self.send_response(200)
        self.end_headers()
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", 9099), Handler).serve_forever()
"""


@dataclass(frozen=True)
class Heard:
    """One alert that reached the webhook: when (epoch seconds), firing or resolved, and its labels."""

    at: float
    status: str
    labels: dict[str, str]


class Watched:
    """The site of a scenario, and who watches it; `tell` says a measured figure to whoever runs the tests."""

    def __init__(self, machines: Machines, tell: Callable[[str], None]) -> None:
        self.machines, self._tell = machines, tell

    def ask(self, path: str) -> Any:  # noqa: ANN401 - as the API's path has it
        """Asks Prometheus' API, and returns the data of its answer."""
        words = f"{self.machines.addresses[HOST]} 9090 {shlex.quote(f'/api/v1/{path}')}"
        answer = json.loads(self.machines.inside(HOST, f"python3 - {words}", data=ASK))
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Returns the series that an expression gives now."""
        found: list[dict[str, Any]] = self.ask(f"query?query={urllib.parse.quote(expr)}")["result"]
        return found

    def listen(self) -> None:
        """Starts the webhook, unless it runs."""
        self.machines.inside(HOST, "cat > /run/alert-test-webhook.py", data=WEBHOOK)
        self.machines.inside(
            HOST,
            "systemctl is-active -q alert-test-webhook || systemd-run -q --collect --unit=alert-test-webhook"
            f" /usr/bin/python3 /run/alert-test-webhook.py {HEARD}",
        )

    def heard(self) -> list[Heard]:
        """Returns everything that reached the webhook, in order."""
        lines = self.machines.inside(HOST, f"cat {HEARD} 2>/dev/null || true").splitlines()
        entries = map(json.loads, lines)
        return [Heard(entry["at"], entry["status"], entry["labels"]) for entry in entries]

    def wait_for(self, status: str, since: float, seconds: float, **labels: str) -> Heard:
        """Waits until an alert with these labels has reached the webhook; says how long it took."""
        end = time.time() + seconds
        while True:
            for entry in self.heard():
                told = entry.labels
                if entry.status == status and entry.at >= since and labels.items() <= told.items():
                    if since:
                        self._tell(f"{told['alertname']}: {status} after {entry.at - since:.0f} s")
                    return entry
            assert time.time() < end, f"{labels}: not {status} within {seconds:g} s; {self.pending()}"
            time.sleep(2)

    def wait_until_quiet(self, seconds: float) -> None:
        """Waits until nothing of the site is told to be away."""
        end = time.time() + seconds
        while away := [name for name in self.pending() if "Down " in name or "Unreachable " in name]:
            assert time.time() < end, away
            time.sleep(3)

    def wait_until_over(self, seconds: float, labels: dict[str, str]) -> None:
        """Waits until no alert with these labels is pending or fires."""
        end = time.time() + seconds
        while [alert for alert in self.ask("alerts")["alerts"] if labels.items() <= alert["labels"].items()]:
            assert time.time() < end, f"{labels}: fires before anything was broken"
            time.sleep(3)

    def pending(self) -> list[str]:
        """Tells which alerts Prometheus sees, for a message."""
        return [f"{entry['labels']['alertname']} {entry['state']}" for entry in self.ask("alerts")["alerts"]]

    def provoke(self, machine: str, broken: str, mended: str, seconds: float, labels: dict[str, str]) -> None:
        """Breaks something; it is told within the time. Mends it; that it is over is told within the same.

        Args:
            machine: Where.
            broken: What breaks it.
            mended: What mends it, also when it was not told.
            seconds: The time.
            labels: Of the alert.
        """
        # Of what fires already nobody would be told again: a busy machine, for one, is not to be made busy.
        self.wait_until_over(seconds, labels)
        since = time.time()
        try:
            self.machines.inside(machine, broken)
            self.wait_for("firing", since, seconds, **labels)
        finally:
            self.machines.inside(machine, mended)
        self.wait_for("resolved", time.time(), seconds, **labels)
