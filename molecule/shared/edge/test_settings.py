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
