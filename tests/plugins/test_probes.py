"""The probes against real servers on this machine: what is well, what is not, and what they say of it."""

from __future__ import annotations

import datetime as dt
import http.server
import ipaddress
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from ansible.module_utils.rackwright import probe_kinds, probe_stores
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

RunModule: TypeAlias = Callable[..., dict[str, Any]]
HERE = "127.0.0.1"
DAYS = 40


def issued(path: Path, issuer: str = "service.test") -> Path:
    """A certificate for this address and `service.test`, with its key; by another issuer, a leaf."""
    key = ec.generate_private_key(ec.SECP256R1())
    own = issuer == "service.test"
    name, signer = (
        x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, each)]) for each in ("service.test", issuer)
    )
    names = [x509.IPAddress(ipaddress.ip_address(HERE)), x509.DNSName("service.test")]
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(signer)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=DAYS, hours=1))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=own, path_length=None), critical=True)
        .sign(key if own else ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + private)
    return path


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate that is its own authority."""
    return issued(tmp_path_factory.mktemp("tls") / "both.pem")


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


class Page(http.server.BaseHTTPRequestHandler):
    """Answers /health; says which Host it was asked for."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 503)
        self.end_headers()
        self.wfile.write(f"well, {self.headers['Host']}".encode())

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def web(context: ssl.SSLContext | None = None) -> Iterator[int]:
    server = http.server.ThreadingHTTPServer((HERE, 0), Page)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def conversation(talk: Callable[[socket.socket], None]) -> Iterator[int]:
    """A server for one connection."""
    listener = socket.create_server((HERE, 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            talk(connection)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join(5)
        listener.close()


def closed_port() -> int:
    with socket.create_server((HERE, 0)) as listener:
        return int(listener.getsockname()[1])


def check(kind: str, port: int = 0, **more: object) -> dict[str, Any]:
    return {"service": "it", "kind": kind, "address": HERE, "port": port, **more}


@pytest.fixture
def ask(run_module: RunModule, certificate: Path) -> Callable[..., dict[str, Any]]:
    """Run one check; returns its entry."""

    def asked(given: dict[str, Any], **more: object) -> dict[str, Any]:
        result = run_module(
            "service_probe", {"checks": [given], "ca_path": str(certificate), "timeout": 2, **more}
        )
        assert not result["changed"]
        assert result["ok"] == result["checks"][0]["ok"]
        entry: dict[str, Any] = result["checks"][0]
        return entry

    return asked


Ask: TypeAlias = Callable[..., dict[str, Any]]


def test_connections_are_told_apart(run_module: RunModule) -> None:
    refused = closed_port()
    with socket.create_server((HERE, 0)) as listener, socket.create_server((HERE, 0), backlog=0) as full:
        port, full_port = listener.getsockname()[1], full.getsockname()[1]
        # A queue that nobody empties drops what comes after it, as a firewall does.
        fillers = []
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex((HERE, full_port))
            fillers.append(filler)
        targets = [{"address": HERE, "port": each} for each in (port, refused, full_port)]
        targets.append({"address": "name.invalid", "port": 1})
        result = run_module("connect_probe", {"targets": targets, "timeout": 0.5}, check=True)
        for filler in fillers:
            filler.close()
    assert not result["changed"]
    results = [entry["result"] for entry in result["results"]]
    assert results == ["open", "refused", "timeout", "unreachable"]
    assert [entry["port"] for entry in result["results"]][:2] == [port, refused]


def test_connections_come_from_the_given_address(run_module: RunModule) -> None:
    seen: list[str] = []
    with conversation(lambda connection: seen.append(connection.getpeername()[0])) as port:
        run_module("connect_probe", {"targets": [{"address": HERE, "port": port}], "source": "127.0.0.9"})
    assert seen == ["127.0.0.9"]


def test_a_probe_refuses_limits_that_make_no_sense(run_module: RunModule) -> None:
    for wrong in ({"timeout": 0}, {"parallel": 0}):
        assert run_module("connect_probe", {"targets": [], **wrong})["failed"]


def test_an_open_port_is_well_and_a_closed_one_is_not(ask: Ask) -> None:
    with socket.create_server((HERE, 0)) as listener:
        assert ask(check("tcp", listener.getsockname()[1]))["ok"]
    bad = ask(check("tcp", closed_port()))
    assert (bad["ok"], bad["latency_ms"]) == (False, None)
    assert "refused" in bad["detail"].lower()


@pytest.mark.parametrize(
    ("more", "detail"),
    [
        ({"path": "/health"}, None),
        ({"path": "/health", "contains": "well, 127.0.0.1:"}, None),
        ({"path": "/health", "host": "api.test", "contains": "well, api.test"}, None),
        ({"path": "/other", "status": 503}, None),
        ({"path": "/other"}, "/other answers 503, not 200"),
        ({"path": "/health", "contains": "ill"}, "/health answers 200 but without 'ill'"),
    ],
)
def test_a_page_must_be_what_the_catalogue_says(ask: Ask, more: dict[str, Any], detail: str | None) -> None:
    with web() as port:
        entry = ask(check("http", port, **more))
    assert entry["ok"] == (detail is None)
    if detail:
        assert entry["detail"] == detail


def test_what_speaks_no_http_is_not_well(ask: Ask) -> None:
    with conversation(lambda connection: connection.sendall(b"220 mail\r\n")) as port:
        entry = ask(check("http", port, path="/"))
    assert not entry["ok"]


def test_a_certificate_is_verified_and_its_days_are_counted(ask: Ask, certificate: Path) -> None:
    with web(server_side(certificate)) as port:
        assert ask(check("https", port, path="/health"))["certificate_days"] == DAYS
        assert ask(check("https", port, path="/health", host="service.test"))["ok"]
        wrong = ask(check("https", port, path="/health", host="other.test"))
        assert not wrong["ok"]
        assert "CERTIFICATE_VERIFY_FAILED" in wrong["detail"]
        gone = ask(check("https", port, path="/health"), ca_path="/nowhere/ca.pem")
        assert "/nowhere/ca.pem is missing" in gone["detail"]


def test_an_edge_whose_certificate_another_has_signed(ask: Ask, certificate: Path, tmp_path: Path) -> None:
    """The probe knows no authority of it: the edge must serve the certificate that it was given."""
    given, other = (issued(tmp_path / name, "Elsewhere") for name in ("given.pem", "other.pem"))
    with web(server_side(given)) as port:
        public = check("https", port, path="/health", host="service.test")
        for served, ok in ((given, True), (other, False), (Path("/nowhere/cert.pem"), False)):
            more = {"ca_path": str(certificate), "edge_certificate": str(served)}
            assert ask(public, **more)["ok"] is ok
        # Services inside are the authority's, always; and so is the name.
        trusted = {"ca_path": str(certificate), "edge_certificate": str(given)}
        assert not ask(check("https", port, path="/health"), **trusted)["ok"]
        assert not ask({**public, "host": "other.test"}, **trusted)["ok"]


def redis(certificate: Path, password: str) -> Callable[[socket.socket], None]:
    """Redis with one account, as far as a probe meets it."""

    def talk(plain: socket.socket) -> None:
        with server_side(certificate).wrap_socket(plain, server_side=True) as connection:
            stream, known = connection.makefile("rwb"), False
            while first := stream.readline():
                words = []
                for _ in range(int(first[1:])):
                    stream.readline()
                    words.append(stream.readline().strip().decode())
                if words[0] == "AUTH":
                    known = words[1:] == ["app", password]
                    answer = "+OK" if known else "-WRONGPASS invalid username-password pair"
                else:
                    answer = "+PONG" if known else "-NOAUTH Authentication required."
                stream.write(f"{answer}\r\n".encode())
                stream.flush()

    return talk


@pytest.mark.parametrize(
    ("account", "detail"),
    [
        ({"redis_username": "app", "redis_password": "right"}, "answers PING"),
        ({}, "answers, and asks for an account"),
        ({"redis_username": "app", "redis_password": "wrong"}, "it refuses the account: -WRONGPASS"),
    ],
)
def test_redis_is_asked_in_its_own_words(
    ask: Ask, certificate: Path, account: dict[str, str], detail: str
) -> None:
    with conversation(redis(certificate, "right")) as port:
        entry = ask(check("redis", port), **account)
    assert entry["ok"] == ("refuses" not in detail)
    assert entry["detail"].startswith(detail)
    assert "wrong" not in json.dumps(entry)
    if entry["ok"]:
        assert entry["certificate_days"] == DAYS


def postgresql(certificate: Path, answer: bytes = b"S") -> Callable[[socket.socket], None]:
    def talk(plain: socket.socket) -> None:
        assert plain.recv(8) == b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
        plain.sendall(answer)
        if answer == b"S":
            with server_side(certificate).wrap_socket(plain, server_side=True) as connection:
                connection.recv(1)

    return talk


def programs(monkeypatch: pytest.MonkeyPatch, **answers: str | Exception) -> list[list[str]]:
    """Lets programs answer what is given; returns how they were called."""
    calls: list[list[str]] = []

    def run(command: list[str], _context: object) -> str:
        calls.append(command)
        answer = answers[command[0]]
        if isinstance(answer, Exception):
            raise answer
        return answer

    for module in (probe_kinds, probe_stores):
        monkeypatch.setattr(module, "run", run)
    return calls


def test_postgresql_must_speak_tls_and_sql(
    ask: Ask, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = programs(monkeypatch, pg_isready="", runuser="1\n")
    with conversation(postgresql(certificate)) as port:
        entry = ask(check("postgresql", port))
    assert (entry["ok"], entry["detail"], entry["certificate_days"]) == (True, "answers SQL", DAYS)
    assert calls[1][:5] == ["runuser", "-u", "postgres", "--", "psql"]
    with conversation(postgresql(certificate, b"N")) as port:
        assert ask(check("postgresql", port))["detail"] == "it refuses TLS"
    programs(monkeypatch, pg_isready="", runuser=probe_kinds.ProbeError("psql: the system is starting up"))
    with conversation(postgresql(certificate)) as port:
        assert "starting up" in ask(check("postgresql", port))["detail"]


def mariadb(certificate: Path, able: int = 0x800) -> Callable[[socket.socket], None]:
    """MariaDB until it would ask for a name, as far as a probe meets it."""

    def talk(plain: socket.socket) -> None:
        greeting = b"\x0a11.8.3-MariaDB\0" + bytes(13) + struct.pack("<H", able | 0x8200) + bytes(20)
        plain.sendall(struct.pack("<I", len(greeting)) + greeting)
        if able:
            asked = plain.recv(36)
            assert asked[:4] == b"\x20\0\0\x01"
            assert struct.unpack_from("<I", asked, 4)[0] & 0x800
            with server_side(certificate).wrap_socket(plain, server_side=True) as connection:
                connection.recv(1)

    return talk


def test_mariadb_must_speak_tls_and_sql(ask: Ask, certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = programs(monkeypatch, mariadb="1\n")
    with conversation(mariadb(certificate)) as port:
        entry = ask(check("mariadb", port))
    assert (entry["ok"], entry["detail"], entry["certificate_days"]) == (True, "answers SQL", DAYS)
    assert calls == [["mariadb", "--no-defaults", "--user=root", "-NBe", "select 1"]]
    with conversation(mariadb(certificate, 0)) as port:
        assert ask(check("mariadb", port))["detail"] == "it refuses TLS"
    refusal = b"\xff\x6a\x04Host is not allowed to connect"
    with conversation(lambda plain: plain.sendall(struct.pack("<I", len(refusal)) + refusal)) as port:
        assert "is not allowed to connect" in ask(check("mariadb", port))["detail"]
    programs(monkeypatch, mariadb=probe_kinds.ProbeError("mariadb: Can't connect to local server"))
    with conversation(mariadb(certificate)) as port:
        assert "Can't connect" in ask(check("mariadb", port))["detail"]


def mongodb(certificate: Path, said: bytes) -> Callable[[socket.socket], None]:
    """MongoDB as it answers a first question."""

    def talk(plain: socket.socket) -> None:
        with server_side(certificate).wrap_socket(plain, server_side=True) as connection:
            size, _, _, kind = struct.unpack("<iiii", connection.recv(16))
            asked = connection.recv(size - 16)
            # A message with one document, which says its own length.
            assert (kind, asked[:5], struct.unpack_from("<i", asked, 5)[0]) == (2013, bytes(5), size - 21)
            assert b"\x10hello\0" in asked
            answer = struct.pack("<i", len(said) + 5) + said + b"\0"
            connection.sendall(struct.pack("<iiiiIB", 21 + len(answer), 9, 1, 2013, 0, 0) + answer)

    return talk


@pytest.mark.parametrize(
    ("said", "ok", "detail"),
    [
        (b"\x08isWritablePrimary\0\1", True, "takes writes"),
        (b"\x08isWritablePrimary\0\0", False, "it takes no writes"),
        (b"\x10code\0\x12\0\0\0", False, "it answers no hello"),
    ],
)
def test_mongodb_must_speak_tls_and_take_writes(
    ask: Ask, certificate: Path, said: bytes, ok: bool, detail: str
) -> None:
    with conversation(mongodb(certificate, said)) as port:
        entry = ask(check("mongodb", port))
    assert (entry["ok"], entry["detail"]) == (ok, detail)
    if ok:
        assert entry["certificate_days"] == DAYS


def unit(active: str, sub: str, load: str = "loaded") -> str:
    return f"LoadState={load}\nActiveState={active}\nSubState={sub}\n"


@pytest.mark.parametrize(
    ("said", "ok", "state"),
    [
        (unit("active", "running"), True, "active (running)"),
        (unit("failed", "failed"), False, "failed (failed)"),
        (unit("inactive", "dead", "not-found"), False, "not found"),
    ],
)
def test_a_unit_must_be_active(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, said: str, ok: bool, state: str
) -> None:
    programs(monkeypatch, systemctl=said)
    entry = ask({"service": "it", "kind": "unit", "unit": "it.service"})
    assert (entry["ok"], entry["unit_state"]) == (ok, state)
    # The unit counts beside the port as well: what answers may be somebody else.
    with socket.create_server((HERE, 0)) as listener:
        assert ask(check("tcp", listener.getsockname()[1], unit="it.service"))["ok"] is ok


@pytest.mark.parametrize(
    ("state", "ok", "detail"),
    [
        ({"Running": True, "Health": {"Status": "healthy"}}, True, "container healthy"),
        ({"Running": True}, True, "container running"),
        ({"Running": True, "Health": {"Status": "unhealthy"}}, False, "container it is unhealthy"),
        ({"Running": False, "Status": "exited", "ExitCode": 3}, False, "container it is exited, exit code 3"),
    ],
)
def test_a_container_must_run_and_be_healthy(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, state: dict[str, Any], ok: bool, detail: str
) -> None:
    programs(monkeypatch, docker=json.dumps(state))
    entry = ask({"service": "it", "kind": "container", "container": "it"})
    assert (entry["ok"], entry["detail"]) == (ok, detail)
    with web() as port:
        assert ask(check("http", port, path="/health", container="it"))["ok"] is ok


def test_a_missing_program_is_named() -> None:
    context = probe_kinds.Context("", 1.0)
    with pytest.raises(probe_kinds.ProbeError, match="no-such-program is not installed"):
        probe_kinds.run(["no-such-program"], context)
    with pytest.raises(probe_kinds.ProbeError, match=r"does not end within 0\.1 s"):
        probe_kinds.run(["sleep", "5"], probe_kinds.Context("", 0.1))


def test_a_service_that_is_not_well_fails_the_task_only_when_asked(run_module: RunModule) -> None:
    given = {"checks": [check("tcp", closed_port())]}
    assert not run_module("service_probe", given)["failed"]
    failed = run_module("service_probe", {**given, "fail": True})
    assert failed["failed"]
    assert failed["msg"].startswith("it: ")
    assert failed["checks"][0]["ok"] is False


def test_a_service_that_just_started_is_asked_again(
    run_module: RunModule, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([unit("activating", "start"), unit("active", "running")])
    monkeypatch.setattr(probe_kinds, "run", lambda *_: next(answers))
    monkeypatch.setattr("time.sleep", lambda _: None)
    checks = [{"service": "it", "kind": "unit", "unit": "it.service"}]
    result = run_module("service_probe", {"checks": checks, "tries": 2, "fail": True})
    assert not result["failed"]


def test_a_check_without_what_its_kind_needs_is_refused(run_module: RunModule) -> None:
    result = run_module("service_probe", {"checks": [{"service": "it", "kind": "tcp"}]})
    assert result["failed"]
    assert "address" in result["msg"]


class Engine(Page):
    """A page that is well, and a model that says what it is told to say."""

    answer: tuple[int, dict[str, Any]] = (200, {"usage": {"completion_tokens": 1}})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, said = self.answer
        if self.headers["Authorization"] != "Bearer engine-key" or body["model"] != "qwen":
            status, said = 401, {"error": "no"}
        if self.path == "/v1/embeddings":
            said = {"data": [{"embedding": [0.5]}]}
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())


@pytest.mark.parametrize(
    ("answer", "more", "told"),
    [
        ((200, {"usage": {"completion_tokens": 1}}), {}, "/health answers 200, qwen makes a token"),
        ((200, {}), {"embedding": True}, "/health answers 200, qwen makes a token"),
        ((200, {"usage": {"completion_tokens": 0}}), {}, "qwen makes no token"),
        # The page is well, and the GPU is not.
        (
            (500, {"error": "CUDA error: unknown error"}),
            {},
            "qwen makes no token: /v1/chat/completions answers 500",
        ),
    ],
)
def test_an_engine_that_is_up_must_make_a_token(
    run_module: RunModule, answer: tuple[int, dict[str, Any]], more: dict[str, Any], told: str
) -> None:
    handler = type("Handler", (Engine,), {"answer": answer})
    server = http.server.ThreadingHTTPServer((HERE, 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        check = {
            "service": "vllm",
            "kind": "http",
            "address": HERE,
            "port": server.server_port,
            "path": "/health",
        }
        result = run_module(
            "service_probe", {"checks": [{**check, "model": "qwen", **more}], "model_key": "engine-key"}
        )
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert told in result["checks"][0]["detail"]
    assert result["ok"] == told.startswith("/health")
    assert "engine-key" not in json.dumps(result["checks"])
