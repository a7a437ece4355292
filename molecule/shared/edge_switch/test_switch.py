"""The engine of a scenario and nginx change places: ports, units and what is beside each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from edge_hosts import seconds_between
from testinfra.host import Host

Ask = Callable[..., dict[str, Any]]
Apply = Callable[..., tuple[int, str]]
# What runs beside an engine, and for no other.
BESIDE = {
    "haproxy": ("rackwright-edge-files", "rackwright-edge-log"),
    "traefik": ("rackwright-edge-files", "rackwright-traefik-log"),
}
# Web and metrics of each.
PORTS = (80, 443, 8404, 8405)


@pytest.mark.parametrize("back", [False, True], ids=["nginx", "and back"])
def test_the_other_engine_takes_the_ports_and_leaves_nothing(
    ask: Ask, edge: Host, apply: Apply, engine: str, back: bool
) -> None:
    former, now = ("nginx", engine) if back else (engine, "nginx")
    # Its certificate comes with the base of a site.
    tls = "/etc/rackwright/tls"
    edge.check_output(f"test -d {tls}/nginx || cp -a {tls}/{engine} {tls}/nginx")
    code, output = apply(edge_engine=now)
    assert code == 0, output

    assert ask("/api/echo")["status"] == 200
    # What else the change takes is done while the former one still serves.
    assert 0 <= seconds_between(edge, former, now) < 5
    assert edge.service(now).is_running
    assert edge.service(now).is_enabled
    assert not edge.service(former).is_running
    assert not edge.service(former).is_enabled
    for unit in BESIDE[engine]:
        assert edge.service(unit).is_running == back
    holders = edge.check_output(f"ss -Hltnp '( {' or '.join(f'sport = :{port}' for port in PORTS)} )'")
    assert holders
    assert {"nginx" in line for line in holders.splitlines()} == {now == "nginx"}
