"""Every service of the catalogue that this site runs has a green target; flows between hosts are tried."""

from __future__ import annotations

import time

from machines import Machines
from watched import Watched

from rackwright.catalogue.flows import flows
from rackwright.catalogue.model import Exported, Metrics


def test_every_service_is_scraped_and_answers(machines: Machines, watched: Watched) -> None:
    site = machines.site
    wanted = set()
    for name, service in site.catalogue.services.items():
        for host in site.hosts_of(name):
            if isinstance(service.metrics, Metrics):
                wanted.add((name, host.name))
            elif isinstance(service.metrics, Exported):
                wanted.add((service.metrics.exporter, host.name))
    # A scrape that came late on a busy machine is not one that never comes.
    ended = time.monotonic() + 60
    while True:
        answering = {(entry["metric"]["job"], entry["metric"]["host"]) for entry in watched.query("up == 1")}
        away = watched.query("up == 0")
        if not away and wanted <= answering:
            break
        assert time.monotonic() < ended, (wanted - answering, away)
        time.sleep(5)


def test_every_service_runs_as_its_host_sees_it(machines: Machines, watched: Watched) -> None:
    told = {
        (entry["metric"]["exported_service"], entry["metric"]["host"])
        for entry in watched.query("rackwright_service_up == 1")
    }
    site = machines.site
    wanted = {(name, host) for host in site.hosts for name in site.services_of(host)}
    assert wanted - told == set()


def test_what_a_host_may_open_is_tried_from_there(machines: Machines, watched: Watched) -> None:
    tried = {
        (entry["metric"]["from"], entry["metric"]["instance"])
        for entry in watched.query("probe_success == 1")
    }
    between = {
        (flow.source, f"{flow.dest}:{flow.port}")
        for flow in flows(machines.site)
        if flow.source in machines.site.hosts
        and flow.source != flow.dest
        and flow.service in {"app", "redis"}
    }
    assert between
    assert between <= tried
    assert watched.query("probe_success == 0") == []


def test_a_caller_without_a_certificate_learns_nothing(machines: Machines) -> None:
    """From the host itself, where no firewall is in the way."""
    ports = {"ops1": (9090, 9093), "data1": (9100, 9187, 9121, 9115, 9256), "edge1": (9113,)}
    for host, numbers in ports.items():
        for port in numbers:
            at = f"https://{machines.addresses[host]}:{port}/metrics"
            script = (
                "import ssl, sys, urllib.request\n"
                "trust = ssl.create_default_context(cafile='/etc/rackwright/tls/ca.pem')\n"
                "print(urllib.request.urlopen(sys.argv[1], context=trust, timeout=5).status)"
            )
            answer = machines.inside(host, f"python3 - {at} 2>&1 | tail -1", data=script, check=False)
            assert "200" not in answer, at
            assert "certificate required" in answer.lower() or "handshake" in answer.lower(), answer


def test_every_rule_can_be_worked_out(watched: Watched) -> None:
    rules = [rule for group in watched.ask("rules")["groups"] for rule in group["rules"]]
    assert len(rules) > 40
    assert [rule["name"] for rule in rules if rule["health"] not in {"ok", "unknown"}] == []
