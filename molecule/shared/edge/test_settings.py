"""Other settings of the edge, each put in force by the site's own play: closed, other certificates."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from edge_hosts import shown
from testinfra.host import Host

Ask = Callable[..., dict[str, Any]]
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


@pytest.fixture
def files(tmp_path: Path, variables: Mapping[str, Any]) -> Callable[..., dict[str, str]]:
    """A function that makes a certificate by openssl, and returns `edge_tls` with it."""

    def made(*options: str, names: str = "api ai dify monitoring") -> dict[str, str]:
        subject = ",".join(f"DNS:{name}.{variables['domain']}" for name in names.split())
        arguments = ["-days", "30", *options] if "-not_before" not in options else list(options)
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=Provided"]
        command += ["-addext", f"subjectAltName={subject}", *arguments]
        command += ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
        subprocess.run(command, check=True, capture_output=True)
        paths = {"certificate": str(tmp_path / "cert.pem"), "key": str(tmp_path / "key.pem")}
        return {"mode": "provided", **paths}

    return made


def test_a_closed_site_says_so_and_its_health_can_still_be_asked(
    ask: Ask, apply: Apply, variables: Mapping[str, Any]
) -> None:
    code, output = apply(edge_maintenance={"enabled": True, "message": "Until 04:00.", "retry_seconds": 900})
    assert code == 0, output
    page = ask("/", host=f"ai.{variables['domain']}")

    assert page["status"] == 503
    assert page["headers"]["retry-after"] == "900"
    assert "Until 04:00." in page["body"]
    assert ask("/api/echo")["status"] == 503
    assert json.loads(ask("/api/echo")["body"])["error"]["status"] == 503
    assert ask("/health")["status"] == 200


def test_whoever_is_excepted_works_on_a_closed_site(
    ask: Ask, apply: Apply, variables: Mapping[str, Any]
) -> None:
    assert apply(edge_maintenance={"enabled": True, "except": [variables["my_outside"]]})[0] == 0
    assert ask("/api/echo")["status"] == 200
    assert ask("/api/echo", source=variables["lab"]["denied_client"])["status"] == 503


def test_a_given_certificate_serves(
    edge: Host, apply: Apply, files: Callable[..., dict[str, str]], variables: Mapping[str, Any]
) -> None:
    given = files()
    code, output = apply(edge_tls=given)
    assert code == 0, output

    assert "Provided" in shown(edge, variables)
    assert apply(edge_tls=given)[1].count("changed=0") == 1
    key = edge.file("/etc/rackwright/tls/edge/key.pem")
    assert (key.user, key.group, key.mode) == ("root", "root", 0o640)


def test_a_certificate_that_cannot_serve_is_refused_before_the_host_is_touched(
    apply: Apply, files: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    good = files()
    narrow = files(names="api")
    code, output = apply(edge_tls=narrow)
    assert code != 0
    assert "not for ai." in output

    other = tmp_path / "other.pem"
    subprocess.run(["openssl", "genrsa", "-out", str(other), "2048"], check=True, capture_output=True)
    code, output = apply(edge_tls=good | {"key": str(other)})
    assert code != 0
    assert "it is not the key of" in output


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
