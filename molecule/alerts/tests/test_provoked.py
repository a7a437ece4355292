"""Something breaks for real; the alert reaches a webhook within its time, and is over once that is mended."""

from __future__ import annotations

import time

import pytest
from machines import Machines
from watched import Watched

# A duration of the scenario (10 to 20 s), two scrapes, an evaluation, the group's wait; and a busy machine.
SECONDS = 90
# By a public name, as a user does: `address host path times token`.
ASK_EDGE = """
import http.client, socket, ssl, sys, time
address, host, path, times, token = sys.argv[1:6]
trust = ssl.create_default_context(cafile="/etc/rackwright/tls/ca.pem")
for _ in range(int(times)):
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.sock = trust.wrap_socket(socket.create_connection((address, 443), 10), server_hostname=host)
    connection.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    connection.getresponse().read()
    connection.close()
    time.sleep(0.2)
"""

# Host, what breaks, what mends, the alert's labels.
BROKEN = {
    "a stopped service": (
        "data1",
        "systemctl stop redis-server",
        "systemctl start redis-server",
        {"alertname": "ServiceDown", "service": "redis", "host": "data1"},
    ),
    "a full disk": (
        "data1",
        (
            "mkdir -p /srv/full && mount -t tmpfs -o size=8M tmpfs /srv/full && "
            "(head -c 8M /dev/zero > /srv/full/file || true)"
            # Mounts of a container do not reach the exporter's view of them, as those of a machine do.
            " && systemctl restart prometheus-node-exporter"
        ),
        "umount /srv/full && systemctl restart prometheus-node-exporter",
        {"alertname": "HostDiskFull", "mountpoint": "/srv/full", "host": "data1"},
    ),
    "a burning CPU": (
        "edge1",
        (
            "for core in $(seq $(nproc)); do systemd-run -q --collect --unit=burn$core -p RuntimeMaxSec=75"
            " nice -n 19 sh -c 'while :; do :; done'; done"
        ),
        "systemctl stop 'burn*'",
        {"alertname": "HostCpuBusy", "host": "edge1"},
    ),
    "a failed unit": (
        "edge1",
        "systemd-run -q --unit=doomed /bin/false",
        "systemctl reset-failed doomed",
        {"alertname": "UnitFailed", "name": "doomed.service", "host": "edge1"},
    ),
    "exhausted connections": (
        "data1",
        (
            "cd / && most=$(runuser -u postgres -- psql -XAtc 'show max_connections') && "
            "for n in $(seq $((most * 9 / 10 - 4))); do systemd-run -q --collect --unit=taken$n"
            " runuser -u postgres -- psql -Xc 'select pg_sleep(150)'; done"
        ),
        # Whoever waits within the server does not hear that its client has gone.
        (
            "systemctl stop 'taken*'; cd / && runuser -u postgres -- psql -XAtc"
            " \"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'select pg_sleep%'\""
        ),
        {"alertname": "PostgresqlConnectionsExhausted", "host": "data1"},
    ),
    "a stopped model": (
        "app1",
        "docker stop llama_cpp",
        "docker start llama_cpp",
        {"alertname": "ServiceDown", "service": "llama_cpp", "host": "app1"},
    ),
    "a clock that nobody keeps": (
        "edge1",
        "systemctl stop chrony",
        "systemctl start chrony",
        {"alertname": "HostClockNotKept", "host": "edge1"},
    ),
    "refusals of the firewall": (
        "app1",
        # Of its own: to ports of a host of the data zone that nobody declared.
        (
            "systemd-run -q --collect --unit=searching -p RuntimeMaxSec=80 bash -c"
            " 'while :; do echo > /dev/udp/DATA1/7777; sleep 0.02; done 2> /dev/null'"
        ),
        "systemctl stop searching || true",
        {"alertname": "FirewallDenialsSurge", "host": "app1"},
    ),
}


@pytest.fixture(scope="module", autouse=True)
def quiet(watched: Watched) -> None:
    """Nothing is away before the first test."""
    watched.wait_until_quiet(SECONDS)


@pytest.fixture(scope="module", autouse=True)
def clock(machines: Machines) -> None:
    """A container may not set the clock: chrony runs there without doing so."""
    place = "/etc/systemd/system/chrony.service.d"
    machines.inside(
        "edge1",
        f"mkdir -p {place} && cat > {place}/test.conf && systemctl daemon-reload"
        " && systemctl enable -q --now chrony",
        data="[Unit]\nConditionCapability=\n[Service]\nType=exec\nExecStart=\n"
        "ExecStart=/usr/sbin/chronyd -U -x -d\n",
    )


@pytest.fixture(scope="module")
def token(machines: Machines) -> str:
    """A user's access token."""
    program = "/opt/rackwright/app/current/bin/rackwright-app"
    return machines.inside("app1", f"runuser -u rackwright-app -- {program} token test")


@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks_is_told_and_what_is_mended_is_over(watched: Watched, case: str) -> None:
    host, broken, mended, labels = BROKEN[case]
    broken = broken.replace("DATA1", watched.machines.addresses["data1"])
    watched.provoke(host, broken, mended, SECONDS, labels)


def test_errors_at_the_edge(watched: Watched, machines: Machines) -> None:
    """The app is stopped: the edge answers 502, and both are told."""
    edge, host = machines.addresses["edge1"], f"api.{machines.site.domain}"
    labels = {"alertname": "EdgeErrors", "host": "edge1"}
    watched.wait_until_over(SECONDS, labels)
    since = time.time()
    machines.inside("app1", "systemctl stop rackwright-app.socket rackwright-app")
    try:
        for _ in range(6):
            machines.inside("edge1", f"python3 - {edge} {host} /api/sessions 20 none", data=ASK_EDGE)
        watched.wait_for("firing", since, SECONDS, **labels)
        watched.wait_for("firing", since, SECONDS, alertname="ServiceDown", service="app")
    finally:
        machines.inside("app1", "systemctl start rackwright-app.socket rackwright-app")
    watched.wait_for("resolved", time.time(), SECONDS, **labels)


def test_a_broken_audit_chain(watched: Watched, machines: Machines, token: str) -> None:
    """A line of what a user did is taken out."""
    edge, host = machines.addresses["edge1"], f"api.{machines.site.domain}"
    machines.inside("edge1", f"python3 - {edge} {host} /api/sessions 5 {token}", data=ASK_EDGE)
    path, look = "/var/log/rackwright-app/audit.log", "systemctl restart rackwright-metrics"
    watched.provoke(
        "app1",
        f"cp -p {path} /run/audit.kept && sed -i 2d {path} && {look}",
        f"cat /run/audit.kept > {path} && {look}",
        SECONDS,
        {"alertname": "AuditChainBroken", "host": "app1"},
    )


def test_slow_answers(watched: Watched, machines: Machines, token: str) -> None:
    """The database's table of sessions is locked: answers that need it take longer than 5 seconds."""
    since = time.time()
    machines.inside(
        "data1",
        "systemd-run -q --collect --unit=locked runuser -u postgres -- psql -X -d ai_platform -c "
        '"BEGIN; LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(7); COMMIT"',
    )
    edge, host = machines.addresses["edge1"], f"api.{machines.site.domain}"
    machines.inside("edge1", f"python3 - {edge} {host} /api/sessions 1 {token}", data=ASK_EDGE)
    watched.wait_for("firing", since, SECONDS, alertname="AppSlow", host="app1")
    watched.wait_for("resolved", time.time(), 2 * SECONDS, alertname="AppSlow", host="app1")


def test_a_certificate_near_its_end(watched: Watched, machines: Machines) -> None:
    """The edge is given one that lasts ten days; then one that lasts as long as ever."""
    labels = {"alertname": "CertificateExpiresSoon", "service": "nginx", "host": "edge1"}
    since = time.time()
    days = {"tls_valid_days": 10, "tls_renew_days": 5}
    machines.inside("edge1", "rm /etc/rackwright/tls/nginx/cert.pem")
    try:
        code, out = machines.play("playbooks/base.yml", "edge1", "--tags", "tls", **days)
        assert code == 0, out
        machines.inside("edge1", "systemctl reload nginx")
        watched.wait_for("firing", since, SECONDS, **labels)
        watched.wait_for("firing", since, SECONDS, alertname="ServedCertificateExpiresSoon", service="nginx")
    finally:
        mended = time.time()
        code, out = machines.play("playbooks/base.yml", "edge1", "--tags", "tls")
        machines.inside("edge1", "systemctl reload nginx")
    assert code == 0, out
    watched.wait_for("resolved", mended, SECONDS, **labels)


def test_a_zone_that_is_cut_off(watched: Watched, machines: Machines) -> None:
    """Between the app's zone and the data's; what cannot be reached is told as one thing."""
    zones = machines.site.zone_networks
    rule = f"from {zones['app']} to {zones['data']} blackhole priority 10"
    labels = {"alertname": "ZoneCut", "from_zone": "app", "zone": "data"}
    since = time.time()
    machines.on_gateway(f"ip rule add {rule}")
    try:
        watched.wait_for("firing", since, SECONDS, **labels)
    finally:
        machines.on_gateway(f"ip rule del {rule}")
    watched.wait_for("resolved", time.time(), SECONDS, **labels)
    between = {key: labels[key] for key in ("from_zone", "zone")}.items()
    told = [entry for entry in watched.heard() if entry.at >= since and entry.status == "firing"]
    assert {entry.labels["alertname"] for entry in told if between <= entry.labels.items()} == {"ZoneCut"}


def test_a_broken_backup(watched: Watched, machines: Machines) -> None:
    """The place of the backups cannot be written to."""
    path = "/var/lib/rackwright/backup/pgbackrest"
    labels = {"alertname": "BackupFailed", "host": "ops1"}
    since = time.time()
    machines.inside("ops1", f"mv {path} {path}.away && install -d -o root -m 0500 {path}")
    try:
        machines.inside("ops1", "rackwright-backup backup --type full", check=False)
        watched.wait_for("firing", since, SECONDS, **labels)
    finally:
        mended = time.time()
        machines.inside("ops1", f"rmdir {path} && mv {path}.away {path}")
        machines.inside("ops1", "rackwright-backup backup --type full", check=False)
    watched.wait_for("resolved", mended, SECONDS, **labels)


def test_a_host_that_is_away_explains_what_is_missing_on_it(watched: Watched, machines: Machines) -> None:
    since = time.time()
    machines.inside(
        "app1", "systemctl stop prometheus-node-exporter rackwright-metrics prometheus-process-exporter"
    )
    try:
        watched.wait_for("firing", since, SECONDS, alertname="HostDown", host="app1")
        time.sleep(15)
        told = {entry.labels["alertname"] for entry in watched.heard() if entry.at >= since}
        assert "TargetDown" not in told
    finally:
        machines.inside(
            "app1", "systemctl start prometheus-node-exporter rackwright-metrics prometheus-process-exporter"
        )
    watched.wait_for("resolved", time.time(), SECONDS, alertname="HostDown", host="app1")
