"""The configuration of a site, served by the contract double of Traefik on the loopback."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from traefik_behind import Ask, Behind
from traefik_site import DOMAIN, ROOT, program, settings

from rackwright.edge.traefik.configuration import configuration


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("traefik")


@pytest.fixture(scope="module")
def double(work: Path) -> Path:
    return program(work / "release")


@pytest.fixture(scope="module")
def pem(work: Path) -> Path:
    names = ",".join(f"DNS:{name}.{DOMAIN}" for name in ("api", "ai", "dify", "monitoring"))
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    command += ["-subj", "/CN=edge", "-addext", f"subjectAltName={names},IP:127.0.0.1"]
    command += ["-keyout", str(work / "key.pem"), "-out", str(work / "cert.pem")]
    subprocess.run(command, check=True, capture_output=True)
    both = work / "both.pem"
    both.write_text((work / "cert.pem").read_text() + (work / "key.pem").read_text())
    return both


@pytest.fixture(scope="module")
def instances() -> Iterator[list[ThreadingHTTPServer]]:
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), Behind) for _ in range(3)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    yield servers
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    return {name: free_port() for name in ("http", "https", "metrics")}


def static(work: Path, ports: Mapping[str, int]) -> str:
    """The role's own template, for these ports."""
    loader = jinja2.FileSystemLoader(ROOT / "roles/traefik/templates")
    environment = jinja2.Environment(loader=loader, trim_blocks=True)  # noqa: S701 - YAML
    environment.filters |= {"comment": lambda text: f"# {text}", "url_address": str, "to_json": json.dumps}
    listen = {name: {"address": "127.0.0.1", "port": ports[name]} for name in ports}
    return environment.get_template("etc/traefik/traefik.yml.j2").render(
        ansible_managed="managed",
        traefik_listen=listen,
        traefik_metrics_listen=listen["metrics"],
        traefik_request_timeout=3,
        traefik_trusted_proxies=["127.0.0.9/32"],
        __traefik_pipe=str(work / "access.log"),
    )


@pytest.fixture(scope="module")
def told(instances: list[ThreadingHTTPServer], pem: Path, ports: Mapping[str, int]) -> dict[str, Any]:
    files, *app = [server.server_port for server in instances]
    servers = [{"address": "127.0.0.1", "port": port} for port in app]
    return settings(
        listen={name: {"address": "127.0.0.1", "port": port} for name, port in ports.items()},
        upstreams={"app_api": {"servers": servers, "tls_name": "", "health": "/health"}},
        files=f"http://127.0.0.1:{files}",
        tls=[str(pem)],
        ca=str(pem),
        client_authority=str(pem),
    )


@pytest.fixture(scope="module")
def running(
    work: Path, double: Path, told: Mapping[str, Any], ports: Mapping[str, int]
) -> Iterator[subprocess.Popen[bytes]]:
    (work / "traefik.yml").write_text(
        static(work, ports).replace("/etc/traefik/edge.yml", str(work / "edge.yml"))
    )
    (work / "edge.yml").write_text(yaml.safe_dump(configuration(told)))
    with (work / "output").open("wb") as output:
        process = subprocess.Popen([double, f"--configFile={work / 'traefik.yml'}"], stderr=output)
    for _ in range(300):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", ports["https"])) == 0:
                break
        assert process.poll() is None, (work / "output").read_text()
        time.sleep(0.1)
    yield process
    process.terminate()
    assert process.wait(20) == 0


@pytest.fixture
def ask(running: subprocess.Popen[bytes], ports: Mapping[str, int], pem: Path) -> Iterator[Ask]:
    assert running.poll() is None
    opened = []

    def asked(
        path: str,
        host: str = "api",
        source: str = "127.0.0.1",
        **more: Any,  # noqa: ANN401 - of http.client
    ) -> http.client.HTTPResponse:
        name = f"{host}.{DOMAIN}"
        raw = socket.create_connection(("127.0.0.1", more.pop("port", ports["https"])), 20, (source, 0))
        if more.pop("tls", True):
            context = ssl.create_default_context(cafile=str(pem))
            if certificate := more.pop("certificate", None):
                context.load_cert_chain(certificate)
            raw = context.wrap_socket(raw, server_hostname=more.pop("sni", name))
        connection = http.client.HTTPConnection("127.0.0.1")
        connection.sock = raw
        opened.append(connection)
        headers = {"Host": name, **more.pop("headers", {})}
        connection.request(more.pop("method", "GET"), path, headers=headers, **more)
        return connection.getresponse()

    yield asked
    for connection in opened:
        connection.close()
