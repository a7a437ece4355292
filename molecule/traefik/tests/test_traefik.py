"""What only Traefik does: metrics, a trial, keys that it is given, its log."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from testinfra.host import Host

Ask = Callable[..., dict[str, Any]]
Connect = Callable[[str], Host]


def test_metrics_are_for_a_certificate_of_who_watches_alone(
    ask: Ask, edge: Host, inventory: Mapping[str, Any]
) -> None:
    def metrics(service: str = "", path: str = "/metrics", **options: object) -> dict[str, Any]:
        tls = f"/etc/rackwright/tls/{service}"
        pem = edge.check_output(f"cat {tls}/key.pem {tls}/cert.pem") if service else ""
        return ask(path, port=8405, client_certificate=pem, sni="edge1", **options)

    ask("/api/echo")
    # The host that watches is not started here: its address is lent to the edge.
    watcher = inventory["ops1"].variables["ansible_host"]
    edge.check_output(f"ip address add {watcher}/32 dev lo")
    try:
        here = {"of": "edge1", "source": watcher}
        told = metrics("prometheus", **here)
        assert told["status"] == 200
        assert 'traefik_service_server_up{service="app_api-instances@file"' in told["body"]
        assert metrics("prometheus", "/api/echo", **here)["status"] == 404
        # Its own certificate is not made to be shown by a caller.
        assert "status" not in metrics("traefik", **here)
        assert "status" not in metrics(**here)
    finally:
        edge.check_output(f"ip address del {watcher}/32 dev lo")
    # From elsewhere no certificate helps: here on the edge itself, past the firewall.
    assert metrics("prometheus", of="edge1")["status"] == 403


def test_what_is_not_taken_is_never_put_in_force(ask: Ask, edge: Host) -> None:
    program = "/usr/local/sbin/rackwright-traefik-try /opt/rackwright/traefik/traefik"
    edge.check_output(
        "sed 's/service: app_api$/service: nowhere/' /etc/traefik/edge.yml > /tmp/edge.yml"
        " && chmod 644 /tmp/edge.yml"
    )
    tried = edge.run(f"{program} /tmp/edge.yml")
    assert tried.rc == 1
    assert "nowhere" in tried.stderr
    assert edge.run(f"{program} /etc/traefik/edge.yml").rc == 0
    # One that gets there all the same leaves the former in force.
    edge.check_output(
        "cp -p /etc/traefik/edge.yml /root/edge.yml && echo 'http: {roters: {}}' > /etc/traefik/edge.yml"
    )
    try:
        edge.check_output("systemctl reload traefik.service")
        time.sleep(1)
        assert ask("/api/echo")["status"] == 200
    finally:
        edge.check_output("mv /root/edge.yml /etc/traefik/edge.yml && systemctl reload traefik.service")


def test_a_new_certificate_is_taken_up_by_a_reload(edge: Host, variables: Mapping[str, Any]) -> None:
    def serial() -> str:
        target = f"{variables['ansible_host']}:443 -servername api.{variables['domain']}"
        return edge.check_output(
            f"openssl s_client -connect {target} </dev/null 2>/dev/null | openssl x509 -noout -fingerprint"
        )

    before, tls = serial(), "/etc/rackwright/tls/traefik"
    names = ",".join(f"DNS:{name}.{variables['domain']}" for name in ("api", "ai", "dify", "monitoring"))
    edge.check_output(f"cp -a {tls} {tls}.good")
    try:
        edge.check_output(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=new "
            f"-addext subjectAltName={names} -keyout {tls}/key.pem -out {tls}/cert.pem 2>/dev/null"
        )
        edge.check_output("systemctl reload traefik.service")
        time.sleep(1)
        assert serial() != before
    finally:
        edge.check_output(f"rm -r {tls} && mv {tls}.good {tls} && systemctl reload traefik.service")
        time.sleep(1)
    assert serial() == before


def test_what_it_reads_of_roots_keys_is_its_accounts_alone(edge: Host) -> None:
    for name in ("edge", "metrics"):
        key = edge.file(f"/run/traefik/tls/{name}.pem")
        assert (key.user, key.group, key.mode) == ("www-data", "www-data", 0o600)
    assert edge.file("/run/traefik/tls").mode == 0o500
    assert "uid=33" in edge.check_output("id www-data")
    owner = edge.check_output("ps -o user= -p $(systemctl show -p MainPID --value traefik.service)")
    assert owner == "www-data"


def test_the_log_goes_on_in_a_new_file_and_through_a_restart_of_its_writer(ask: Ask, edge: Host) -> None:
    def logged(agent: str) -> bool:
        for _ in range(20):
            if agent in edge.run("cat /var/log/traefik/access.log").stdout:
                return True
            time.sleep(0.3)
        return False

    edge.check_output(
        "mv /var/log/traefik/access.log /var/log/traefik/access.log.1"
        " && systemctl kill --kill-whom=main --signal=USR1 rackwright-traefik-log.service"
    )
    ask("/api/echo", headers={"User-Agent": "after-rotation"})
    assert logged("after-rotation")
    file = edge.file("/var/log/traefik/access.log")
    assert (file.user, file.group, file.mode) == ("rackwright-edge-log", "adm", 0o640)
    edge.check_output("systemctl stop rackwright-traefik-log.service")
    ask("/api/echo", headers={"User-Agent": "while-it-was-away"})
    edge.check_output("systemctl start rackwright-traefik-log.service")
    assert logged("while-it-was-away")
    for line in edge.check_output("cat /var/log/traefik/access.log").splitlines():
        assert {"time", "client", "status", "seconds", "upstream", "limited"} <= json.loads(line).keys()
