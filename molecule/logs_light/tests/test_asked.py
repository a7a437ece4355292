"""Who may bring lines and whose they are; `rackwright logs`; what it tells of itself."""

import json
import subprocess
import time

import pytest
from command import given, words_of
from conftest import SHIPPER, UNIT, LogServer, answered
from machines import PROJECT, Machines
from watched import Watched

from rackwright.dashboards.boards.logs import LOGS
from rackwright.dashboards.promql import filled

RUN = f"{int(time.time()):x}"
# Runs where the shipper is, with what that has.
SEND = """
import json, sys
sys.path.insert(0, "/usr/local/lib/rackwright/python")
from rackwright.logs.agent.relp import Relp
url, certificate, text = sys.argv[1:]
line = {"time": text.partition("|")[0], "id": "f" * 32, "service": "redis", "source": "file"}
line |= {"stream": "/x", "position": 1, "host": "ops1", "zone": "ops", "text": text}
message = b"<134>1 - - - - - - " + json.dumps(line).encode()
Relp([url], "/etc/rackwright/tls/ca.pem", certificate, 10).send([message])
"""


def sent(machines: Machines, certificate: str, text: str) -> str:
    machines.inside("data1", "cat > /run/send-line.py", data=SEND)
    url = f"relp://{machines.addresses['ops1']}:2514"
    return machines.inside("data1", f"python3 /run/send-line.py {url} {certificate} '{text}' 2>&1 || true")


def test_whose_a_line_is_its_address_tells(machines: Machines, log_server: LogServer) -> None:
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
    assert sent(machines, "/etc/rackwright/tls/node_exporter", f"{now}|forged-{RUN}") == ""
    found = log_server.wait(f"forged-{RUN}", 1, 30)
    assert [(line.zone, line.host) for line in found] == [("data", "data1")]


@pytest.mark.parametrize(
    "certificate", ["/etc/rackwright/tls/redis", "/run/of-nobody"], ids=["of another name", "of nobody"]
)
def test_whoever_shows_no_certificate_of_a_host_brings_nothing(
    machines: Machines, log_server: LogServer, certificate: str
) -> None:
    machines.inside(
        "data1",
        "mkdir -p /run/of-nobody && cd /run/of-nobody && openssl req -x509 -newkey rsa:2048 -nodes"
        " -keyout key.pem -out cert.pem -subj /CN=node-exporter.lab.rackwright.internal -days 2 2>/dev/null",
    )
    now = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime())
    assert "UndeliveredError" in sent(machines, certificate, f"{now}|stranger-{RUN}")
    time.sleep(3)
    assert log_server.found(f"stranger-{RUN}") == []
    assert machines.inside("ops1", f"systemctl is-active {UNIT}") == "active"


def test_lines_of_every_host_are_found_by_the_command(machines: Machines, log_server: LogServer) -> None:
    mark = f"command-{RUN}"
    for host in ("data1", "ops1"):
        machines.inside(host, f"logger -t asked -p user.warning '{mark} \x1b[31mcall 13812345678'")
    log_server.wait(mark, 2, 60)
    done = given("logs", "--grep", mark, "--json", "--since", "10m")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert {(line["host"], line["zone"], line["level"]) for line in lines} == {
        ("data1", "data", "warning"),
        ("ops1", "ops", "warning"),
    }
    assert all("138****5678" in line["text"] for line in lines)
    shown = given("logs", "--grep", mark, "--host", "data1")
    assert len(shown.stdout.splitlines()) == 1
    assert "  data1  system  warning  " in shown.stdout
    # What would steer a terminal is shown, not done.
    assert "\x1b" not in shown.stdout
    assert given("logs", "--grep", mark, "--service", "redis").stdout == ""
    assert "these are the latest 2" in given("logs", "--limit", "2").stderr


def test_the_command_follows(machines: Machines) -> None:
    words = words_of("logs", "--follow", "--grep", f"followed-{RUN}")
    with subprocess.Popen(words, cwd=PROJECT, stdout=subprocess.PIPE, text=True) as running:
        try:
            time.sleep(12)
            machines.inside("data1", f"logger followed-{RUN} one; sleep 8; logger followed-{RUN} two")
            assert running.stdout is not None
            told = [running.stdout.readline() for _ in range(2)]
        finally:
            running.kill()
    assert [line.split()[-1] for line in told] == ["one", "two"]


def test_bad_questions_are_refused() -> None:
    assert "is no regular expression" in given("logs", "--grep", "(").stderr
    assert "is no time" in given("logs", "--since", "yesterday").stderr


def test_it_tells_how_it_is(machines: Machines, log_server: LogServer) -> None:
    log_server.until("writable", 1)
    assert 0 < log_server.metric("used_bytes") < log_server.metric("limit_bytes")
    assert log_server.metric("waiting_bytes") < log_server.metric("waiting_limit_bytes")
    for host in ("data1", "ops1"):
        heard = log_server.metric(f'heard_timestamp_seconds{{source="{host}"}}')
        assert time.time() - heard < 300
    owners = machines.inside("ops1", f"ps -o user:30= -p $(systemctl show -p MainPID --value {UNIT})")
    assert owners == "rackwright-log-server"
    for host in ("data1", "ops1"):
        assert machines.inside(host, f"systemctl is-active {SHIPPER}") == "active"


def test_every_query_about_it_returns_data(watched: Watched) -> None:
    asked = [query.expr for _, query in LOGS.queries() if "log_server" in query.needs]
    assert asked
    for expr in asked:
        answered(watched, filled(expr))


def test_every_rule_about_it_is_in_force_and_silent(watched: Watched) -> None:
    rules = {rule["name"]: rule for group in watched.ask("rules")["groups"] for rule in group["rules"]}
    ours = ("LogServerCannotWrite", "LogServerQueueFills", "LogServerTooSmall", "LogSourceSilent")
    for name in ours:
        assert rules[name]["health"] == "ok", rules[name]
        assert rules[name]["state"] == "inactive", rules[name]
    answered(watched, "up{job='node_exporter', host='ops1'} == 1")
    answered(watched, "count(rackwright_logs_store_up == 1) == 2")
