"""A certificate of a real ACME server."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from edge_hosts import shown
from testinfra.host import Host

Apply = Callable[..., tuple[int, str]]
PEBBLE = {
    "pebble": {
        "listenAddress": "0.0.0.0:14000",
        "managementListenAddress": "127.0.0.1:15000",
        "certificate": "/etc/rackwright/tls/app/cert.pem",
        "privateKey": "/etc/rackwright/tls/app/key.pem",
        "httpPort": 80,
        "tlsPort": 443,
    }
}


def test_a_certificate_comes_from_an_acme_server_and_stays(
    edge: Host, connect: Callable[[str], Host], apply: Apply, variables: Mapping[str, Any], tmp_path: Path
) -> None:
    server = connect("app1")
    address = server.check_output("hostname -I").split()[0]
    proxy = variables["package_proxy"]
    server.check_output(
        f"command -v pebble || (apt-get -qq -o Acquire::http::Proxy={proxy} update"
        f" && apt-get -o Acquire::http::Proxy={proxy} install -qq -y --no-install-recommends pebble)"
    )
    names = " ".join(f"{name}.{variables['domain']}" for name in ("api", "ai", "dify", "monitoring"))
    server.check_output(
        f"grep -q api. /etc/hosts || echo '{variables['ansible_host']} {names}' >> /etc/hosts"
    )
    server.check_output("printf %%s %s > /etc/pebble.json", json.dumps(PEBBLE))
    server.check_output(
        "systemctl is-active -q acme-test || systemd-run -q --collect --unit=acme-test"
        " --setenv=PEBBLE_VA_NOSLEEP=1 --setenv=PEBBLE_WFE_NONCEREJECT=0 pebble -config /etc/pebble.json"
    )
    authority = tmp_path / "acme-ca.pem"
    authority.write_text(edge.check_output("cat /etc/rackwright/tls/ca.pem"))
    tls = {"mode": "acme", "directory": f"https://{address}:14000/dir", "authority": str(authority)}

    code, output = apply(edge_tls=tls)
    assert code == 0, output
    assert "Pebble" in shown(edge, variables)
    # Nothing is due, and the timer's own run says so.
    assert apply(edge_tls=tls)[1].count("changed=0") == 1
    edge.check_output("systemctl start rackwright-acme.service")
    assert edge.service("rackwright-acme.timer").is_enabled
    # The account that speaks with the server cannot read what nginx serves with.
    account = "--reuid=rackwright-acme --regid=rackwright-acme --clear-groups"
    assert edge.run(f"setpriv {account} cat /etc/rackwright/tls/edge/key.pem").rc != 0
