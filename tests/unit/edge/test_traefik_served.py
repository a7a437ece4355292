"""The configuration of a site, served by the contract double of Traefik on the loopback."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jinja2
import pytest
import yaml
from traefik_site import DOMAIN, ROOT, TRY, program, settings, site
from traefik_site import route as routed

from rackwright.edge.traefik.configuration import configuration

Ask = Callable[..., http.client.HTTPResponse]


class Behind(BaseHTTPRequestHandler):
    """An instance of the app, or what says the proxy's own answers: tells what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.headers.get("Upgrade", "").lower() == "websocket":
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.end_headers()
            self.wfile.write(self.connection.recv(100))
            self.close_connection = True
            return
        if self.path == "/api/chat":
            self.stream()
            return
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        status = int(self.path.rpartition("/")[2]) if self.path.startswith("/said/") else 200
        status = 503 if self.headers["Host"].startswith("127.0.0.1:") and self.path != "/health" else status
        told = {
            "path": self.path,
            "received": length,
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "port": self.server.server_port,  # type: ignore[attr-defined]
        }
        data = json.dumps(told | ({"fill": "word " * 1000} if self.path == "/api/text" else {})).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("X-Request-ID", "of-the-service")
        self.send_header("Server", "secret")
        # So that a closed socket is a server that is gone.
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    do_POST = do_OPTIONS = do_GET  # noqa: N815 - the base's names

    def stream(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(3):
            self.wfile.write(b"8\r\ndata: x\n\r\n")
            time.sleep(0.2)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_: object) -> None:
        """Keep quiet."""


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


def said(answer: http.client.HTTPResponse) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(answer.read())
    return found


def test_it_is_tried_before_it_is_put_in_force(double: Path, told: Mapping[str, Any]) -> None:
    if os.geteuid() != 0 or not Path("/usr/bin/python3").exists():
        pytest.skip(
            "it is tried as nobody, which root alone can become, who may use no Python but the system's"
        )
    good, bad = configuration(told), configuration(told)
    bad["http"]["routers"]["api-4"]["service"] = "nowhere"
    unknown = configuration(told) | {"htp": {}}
    # Nobody must get there.
    place = Path("/tmp") / f"tried-{os.getpid()}"  # noqa: S108 - made here, with its own number
    place.mkdir(mode=0o755)
    copied = place / "traefik"
    copied.write_bytes(double.read_bytes())
    copied.chmod(0o755)
    try:
        found = []
        for tree in (good, bad, unknown):
            (place / "edge.yml").write_text(yaml.safe_dump(tree))
            (place / "edge.yml").chmod(0o644)
            done = subprocess.run(
                [sys.executable, TRY, copied, place / "edge.yml"], capture_output=True, text=True, check=False
            )
            found.append((done.returncode, done.stderr))
        assert found[0] == (0, "")
        assert found[1][0] == 1
        assert "api-4@file: the service 'nowhere' does not exist" in found[1][1]
        assert found[2][0] == 1
        assert "htp" in found[2][1]
    finally:
        for path in place.iterdir():
            path.unlink()
        place.rmdir()


def test_http_is_sent_to_https(ask: Ask, ports: Mapping[str, int]) -> None:
    answer = ask("/a?b=c", port=ports["http"], tls=False, method="POST", body=b"x")
    assert answer.status == 308
    assert answer.headers["Location"] == f"https://api.{DOMAIN}:{ports['https']}/a?b=c"


def test_what_a_client_says_of_itself_is_not_believed(ask: Ask) -> None:
    lies = {
        "X-Forwarded-For": "10.0.0.1",
        "X-Real-IP": "10.0.0.1",
        "Forwarded": "for=10.0.0.1",
        "X-Request-ID": "mine",
    }
    lies |= {
        "X_Forwarded_For": "10.0.0.1",
        "X-Forwarded-Prefix": "/admin",
        "X-Original-URL": "/admin",
        "Upgrade": "h2c",
        "Connection": "Upgrade",
        "HTTP2-Settings": "AAA",
    }
    answer = ask("/api/echo", headers=lies)
    headers = said(answer)["headers"]
    assert headers["x-forwarded-for"] == headers["x-real-ip"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "https"
    assert not {name.lower() for name in lies} & set(headers) - {"x-forwarded-for", "x-real-ip"}
    assert answer.headers["X-Request-ID"] == "of-the-service"
    assert answer.headers["Server"] is None
    assert answer.headers["X-Frame-Options"] == "DENY"


def test_other_addresses_are_refused_in_our_words_under_every_spelling(ask: Ask) -> None:
    for path in ("/api/echo", "//api/echo", "/x/../api/echo", "/%61pi/echo"):
        answer = ask(path, source="127.0.0.7")
        assert answer.status == 403, path
        assert said(answer)["path"] == "/said/403"
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    assert ask("/health", source="127.0.0.7").status == 200
    assert ask("/api/..%2fadmin/").status == 400


def test_a_proxy_of_ours_says_who_the_client_is_by_the_last_foreign_address(ask: Ask) -> None:
    def status(forwarded: str) -> int:
        return ask("/api/echo", source="127.0.0.9", headers={"X-Forwarded-For": forwarded}).status

    assert status("127.0.0.2") == 200
    assert status("127.0.0.2, 127.0.0.9") == 200
    assert status("127.0.0.2, 203.0.113.9") == 403
    assert status("") == 403


def test_a_stream_arrives_as_it_is_made_and_text_is_compressed(ask: Ask) -> None:
    answer, began = ask("/api/chat", headers={"Accept-Encoding": "gzip"}), time.monotonic()
    assert answer.headers["Content-Encoding"] is None
    assert answer.read1(100).startswith(b"data: x")
    assert time.monotonic() - began < 0.15
    answer.read()
    assert ask("/api/text", headers={"Accept-Encoding": "gzip"}).headers["Content-Encoding"] == "gzip"


def test_a_body_is_measured_with_and_without_a_length(ask: Ask) -> None:
    def sent(size: int, *, chunked: bool) -> http.client.HTTPResponse:
        body: Any = iter([b"x" * 65_536] * (size // 65_536)) if chunked else b"x" * size
        return ask(
            "/api/upload",
            method="POST",
            body=body,
            encode_chunked=chunked,
            headers={"Transfer-Encoding": "chunked"} if chunked else {},
        )

    megabyte = 1 << 20
    assert said(sent(megabyte, chunked=False))["received"] == megabyte
    assert said(sent(megabyte, chunked=True))["received"] == megabyte
    large = sent(megabyte + 1, chunked=False)
    assert (large.status, said(large)["path"]) == (413, "/said/413")
    assert sent(megabyte + 65_536, chunked=True).status == 413


def test_a_burst_is_let_through_and_no_more(
    running: subprocess.Popen[bytes], ports: Mapping[str, int], pem: Path
) -> None:
    assert running.poll() is None
    request = f"GET /v1/models HTTP/1.1\r\nHost: api.{DOMAIN}\r\n\r\n".encode()
    context, answers, began = ssl.create_default_context(cafile=str(pem)), b"", time.monotonic()
    with (
        socket.create_connection(("127.0.0.1", ports["https"]), 20) as raw,
        context.wrap_socket(raw, server_hostname=f"api.{DOMAIN}") as stream,
    ):
        stream.sendall(request * 80)
        while answers.count(b"HTTP/1.1 ") < 80:
            answers += stream.recv(65_536)
    # 1 and the burst of 10, and what 10 a second let through meanwhile.
    passed = answers.count(b"HTTP/1.1 200")
    assert 11 <= passed <= 12 + 10 * (time.monotonic() - began)
    assert answers.count(b"HTTP/1.1 429") == 80 - passed
    assert b"Retry-After: 1\r\n" in answers


def test_a_websocket_passes_where_it_may(ask: Ask) -> None:
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Key": "x"}
    assert ask("/socket", host="dify", headers=upgrade).status == 101
    assert ask("/api/echo", headers=upgrade).status == 200


def test_a_handshake_for_one_name_opens_no_site_that_asks_for_a_certificate(ask: Ask) -> None:
    assert ask("/", host="monitoring", sni=f"api.{DOMAIN}").status == 421
    assert ask("/nothing", host="evil", sni=f"api.{DOMAIN}").status == 421
    with pytest.raises(OSError, match=r"(?i)unrecognized.name"):
        ask("/", host="evil")
    with pytest.raises((OSError, http.client.HTTPException)):
        ask("/", host="monitoring").read()


def test_metrics_need_a_certificate_and_are_asked_by_the_address(
    ask: Ask, work: Path, ports: Mapping[str, int]
) -> None:
    with pytest.raises((OSError, http.client.HTTPException)):
        ask("/metrics", port=ports["metrics"], sni="127.0.0.1").read()
    answer = ask("/metrics", port=ports["metrics"], sni="127.0.0.1", certificate=str(work / "both.pem"))
    text = answer.read().decode()
    assert answer.status == 200
    assert 'traefik_service_server_up{service="app_api-instances@file"' in text
    assert ask("/", port=ports["metrics"], sni="127.0.0.1", certificate=str(work / "both.pem")).status == 404


def test_instances_that_are_away_are_passed_over_and_none_is_told_so(
    ask: Ask, instances: list[ThreadingHTTPServer]
) -> None:
    _, first, second = instances
    both = {first.server_port, second.server_port}
    assert {said(ask("/api/echo"))["port"] for _ in range(6)} == both
    first.shutdown()
    first.server_close()
    assert {said(ask("/api/echo", method="POST", body=b"x"))["port"] for _ in range(8)} == {
        second.server_port
    }
    second.shutdown()
    second.server_close()
    for _ in range(100):
        answer = ask("/api/echo")
        if answer.status == 503:
            break
        time.sleep(0.1)
    assert said(answer)["headers"]["host"].startswith("127.0.0.1:")


def test_what_is_read_anew_interrupts_nobody_and_what_is_refused_changes_nothing(
    ask: Ask, running: subprocess.Popen[bytes], work: Path, told: Mapping[str, Any]
) -> None:
    changed = configuration({**told, "sites": [site("api", routed("/api/", networks=["192.0.2.0/24"]))]})
    (work / "edge.yml").write_text("http: {roters: {}}\n")
    running.send_signal(signal.SIGHUP)
    time.sleep(1)
    assert ask("/api/echo").status != 403
    (work / "edge.yml").write_text(yaml.safe_dump(changed))
    running.send_signal(signal.SIGHUP)
    for _ in range(50):
        if ask("/api/echo").status == 403:
            break
        time.sleep(0.1)
    assert ask("/api/echo").status == 403


def test_the_log_names_who_was_answered_and_no_query(ask: Ask, work: Path) -> None:
    ask("/api/echo?token=hidden", headers={"User-Agent": 'quo"ted'}).read()
    for _ in range(50):
        entries = [json.loads(line) for line in (work / "access.log").read_text().splitlines()]
        if found := [entry for entry in entries if entry.get("request_User-Agent") == 'quo"ted']:
            break
        time.sleep(0.1)
    assert (found[0]["RequestPath"], found[0]["TLSVersion"]) == ("/api/echo", "1.3")
    assert not [
        entry for entry in entries if "hidden" in entry["RequestPath"] or entry["RequestPath"] == "/health"
    ]
