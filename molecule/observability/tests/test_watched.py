"""Two hosts are watched, by nobody else; what breaks reaches a webhook and a robot, until it is over."""

from __future__ import annotations

import json
import time

import pytest
from machines import Machines
from watched import Watched

SECONDS = 90
HERE = ("data1", "ops1")
# A double of DingTalk's robot, as it is documented: it wants a fresh signature, and says yes by a code.
ROBOT = """
import base64, hashlib, hmac, http.server, json, time, urllib.parse
class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))
        stamp = query.get("timestamp", "0")
        signed = hmac.new(b"SECtest", (stamp + "\\nSECtest").encode(), hashlib.sha256).digest()
        fresh = abs(time.time() * 1000 - int(stamp)) < 3600000
        good = fresh and query.get("sign") == base64.b64encode(signed).decode()
        with open("/run/alert-test-robot.jsonl", "a") as file:
            file.write(json.dumps({"good": good, "body": json.loads(body)}) + "\\n")
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"errcode": 0 if good else 310000}).encode())
    def log_message(self, *args):
        pass
http.server.ThreadingHTTPServer(("127.0.0.1", 9098), Handler).serve_forever()
"""
ASKS_WITHOUT = """
import ssl, sys, urllib.request
trust = ssl.create_default_context(cafile="/etc/rackwright/tls/ca.pem")
print(urllib.request.urlopen(sys.argv[1], context=trust, timeout=5).status)
"""


@pytest.fixture(scope="module", autouse=True)
def robot(machines: Machines) -> None:
    machines.inside("ops1", "cat > /run/alert-test-robot.py", data=ROBOT)
    machines.inside(
        "ops1",
        "systemctl is-active -q alert-test-robot || systemd-run -q --collect --unit=alert-test-robot"
        " /usr/bin/python3 /run/alert-test-robot.py",
    )


def test_every_target_of_the_hosts_answers(watched: Watched) -> None:
    up = {
        (entry["metric"]["job"], entry["metric"]["host"]): entry["value"][1] for entry in watched.query("up")
    }
    here = {key: value for key, value in up.items() if key[1] in HERE and key[0] != "probes"}
    assert set(here.values()) == {"1"}, here
    assert {job for job, host in here if host == "data1"} == {
        *("node_exporter", "process_exporter", "blackbox_exporter", "postgres_exporter", "redis_exporter")
    }
    assert {("prometheus", "ops1"), ("alertmanager", "ops1")} <= set(here)


def test_labels_say_where_it_is(watched: Watched, machines: Machines) -> None:
    labels = watched.query("pg_up")[0]["metric"]
    wanted = {
        "site": machines.site.name,
        "tier": "lab",
        "zone": "data",
        "host": "data1",
        "service": "postgresql",
    }
    assert wanted.items() <= labels.items()


@pytest.mark.parametrize(
    ("host", "port"),
    [("data1", 9100), ("data1", 9187), ("data1", 9121), ("data1", 9256), ("ops1", 9090), ("ops1", 9093)],
)
def test_a_caller_without_a_certificate_learns_nothing(machines: Machines, host: str, port: int) -> None:
    """From the host itself, where no firewall is in the way."""
    at = f"https://{machines.addresses[host]}:{port}/metrics"
    answer = machines.inside(host, f"python3 - {at} 2>&1 | tail -1", data=ASKS_WITHOUT, check=False)
    assert "certificate required" in answer.lower() or "handshake" in answer.lower(), answer


def test_exporters_listen_on_the_zones_address_alone(machines: Machines) -> None:
    for host in HERE:
        lines = machines.inside(host, "ss -Htln | awk '{print $4}'").splitlines()
        own = {line.rpartition(":")[0] for line in lines if line.rpartition(":")[2].startswith("9")}
        assert own <= {machines.addresses[host], "127.0.0.1"}, own


def test_every_rule_can_be_worked_out(watched: Watched) -> None:
    rules = [rule for group in watched.ask("rules")["groups"] for rule in group["rules"]]
    assert len(rules) > 30
    assert [rule["name"] for rule in rules if rule["health"] == "err"] == []


def test_hosts_that_are_away_are_told_and_explain_the_rest(watched: Watched) -> None:
    for host in ("app1", "edge1"):
        watched.wait_for("firing", 0, SECONDS, alertname="HostDown", host=host)
    told = {entry.labels["alertname"] for entry in watched.heard() if entry.labels.get("host") == "edge1"}
    assert "TargetDown" not in told


BROKEN = {
    "a stopped service": (
        "systemctl stop redis-server",
        "systemctl start redis-server",
        {"alertname": "ServiceDown", "service": "redis"},
    ),
    "a failed unit": (
        "systemd-run -q --unit=doomed /bin/false",
        "systemctl reset-failed doomed",
        {"alertname": "UnitFailed", "name": "doomed.service"},
    ),
    "a full disk": (
        (
            "mkdir -p /srv/full && mount -t tmpfs -o size=8M tmpfs /srv/full"
            " && (head -c 8M /dev/zero > /srv/full/file || true)"
            # Mounts of a container do not reach the exporter's view of them, as those of a machine do.
            " && systemctl restart prometheus-node-exporter"
        ),
        "umount /srv/full && systemctl restart prometheus-node-exporter",
        {"alertname": "HostDiskFull", "mountpoint": "/srv/full"},
    ),
}


def test_what_breaks_is_told_and_what_is_mended_is_over(watched: Watched, machines: Machines) -> None:
    """All at once, since each waits most of its time."""
    since = time.time()
    try:
        for broken, _, _ in BROKEN.values():
            machines.inside("data1", broken)
        for _, _, labels in BROKEN.values():
            watched.wait_for("firing", since, SECONDS, host="data1", **labels)
    finally:
        for _, mended, _ in BROKEN.values():
            machines.inside("data1", mended)
    mended_at = time.time()
    for _, _, labels in BROKEN.values():
        watched.wait_for("resolved", mended_at, SECONDS, host="data1", **labels)


def test_a_robot_hears_it_signed(machines: Machines) -> None:
    lines = machines.inside("ops1", "cat /run/alert-test-robot.jsonl").splitlines()
    heard = [json.loads(line) for line in lines]
    assert heard
    assert all(entry["good"] for entry in heard)
    assert any("Redis" in str(entry) or "redis" in str(entry) for entry in heard)
    # The relay alone knows the key.
    assert "access_token" not in machines.inside("ops1", "cat /etc/prometheus/alertmanager.yml")
