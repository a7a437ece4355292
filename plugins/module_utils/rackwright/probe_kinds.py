"""How each kind of service is asked through its own interface; used by the module service_probe.

Every function takes the check (an entry of `host_plan.health`) and what the module knows, and returns an
`Answer` or raises `ProbeError`. Nothing here changes a host.
"""

from __future__ import annotations

import http.client
import json
import shutil
import socket
import ssl
import struct
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# A page that proves health is short; more is not read.
BODY_LIMIT = 1 << 20
# A model may have to be loaded first, or to finish what it is asked by others.
TOKEN_SECONDS = 60
SSL_REQUEST = 80877103
SECONDS_PER_DAY = 86400
# What jobs leave behind (docs/backup.md).
JOBS = Path("/var/lib/rackwright/jobs")


class ProbeError(Exception):
    """A service that does not answer as it must; the text says what it did."""


@dataclass(frozen=True)
class Context:
    """What all checks of one call share: the authority's file, a time limit in seconds, accounts and keys.

    `edge_certificate` is the file with the certificate that the edge serves when it is not the authority's.
    """

    ca_path: str
    timeout: float
    redis_username: str = ""
    redis_password: str = ""
    model_key: str = ""
    edge_certificate: str = ""


@dataclass(frozen=True)
class Answer:
    """What a service said, and how many days its certificate is still valid."""

    detail: str
    certificate_days: int | None = None


def connect(check: dict[str, Any], context: Context) -> socket.socket:
    """A TCP connection to the check's address."""
    connection = socket.create_connection((check["address"], check["port"]), context.timeout)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def secure(connection: socket.socket, check: dict[str, Any], context: Context) -> ssl.SSLSocket:
    """The connection in TLS, verified against the site's authority and the name or address asked for."""
    if not Path(context.ca_path).is_file():
        connection.close()
        raise ProbeError(f"{context.ca_path} is missing: nothing to verify the certificate with")
    trust = ssl.create_default_context(cafile=context.ca_path)
    if shown := check.get("client_certificate"):
        directory = Path(context.ca_path).parent / shown
        trust.load_cert_chain(directory / "cert.pem", directory / "key.pem")
    # Who signed it need not be known here: the edge must serve the very certificate that it was given, for
    # the name asked for, and in time.
    if check.get("host") and context.edge_certificate and Path(context.edge_certificate).is_file():
        trust.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        trust.load_verify_locations(cafile=context.edge_certificate)
    return trust.wrap_socket(connection, server_hostname=check.get("host") or check["address"])


def certificate_days(connection: ssl.SSLSocket) -> int | None:
    """Whole days until the peer's certificate ends."""
    certificate = connection.getpeercert()
    if not certificate:
        return None
    ends = ssl.cert_time_to_seconds(str(certificate["notAfter"]))
    return int((ends - time.time()) // SECONDS_PER_DAY)


def ask_tcp(check: dict[str, Any], context: Context) -> Answer:
    """The port accepts a connection."""
    connect(check, context).close()
    return Answer("connected")


def ask_http(check: dict[str, Any], context: Context) -> Answer:
    """The path answers with the status, and the text, that the catalogue names."""
    days = None
    connection = connect(check, context)
    if check["kind"] == "https":
        tls = secure(connection, check, context)
        days, connection = certificate_days(tls), tls
    client = http.client.HTTPConnection(check["address"], check["port"], timeout=context.timeout)
    client.sock = connection
    path = check.get("path") or "/"
    try:
        client.request(
            "GET", path, headers={"Host": check.get("host") or f"{check['address']}:{check['port']}"}
        )
        response = client.getresponse()
        body = response.read(BODY_LIMIT).decode("utf-8", "replace")
    except http.client.HTTPException as error:
        raise ProbeError(f"{path} answers no HTTP: {error!r}") from error
    finally:
        client.close()
    expected = check.get("status") or 200
    if response.status != expected:
        raise ProbeError(f"{path} answers {response.status}, not {expected}")
    text = check.get("contains")
    if text and text not in body:
        raise ProbeError(f"{path} answers {response.status} but without {text!r}")
    token = f", {ask_token(check, context)}" if check.get("model") else ""
    return Answer(f"{path} answers {response.status}{token}", days)


def ask_token(check: dict[str, Any], context: Context) -> str:
    """The model makes a token, or an embedding: an engine may be up, and its model or its GPU not."""
    client = http.client.HTTPConnection(check["address"], check["port"], timeout=TOKEN_SECONDS)
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {context.model_key}"}
    body: dict[str, Any] = {"model": check["model"]}
    if check.get("embedding"):
        path, body["input"] = "/v1/embeddings", "Hello"
    else:
        path, body["max_tokens"] = "/v1/chat/completions", 1
        body["messages"] = [{"role": "user", "content": "Hello"}]
    try:
        client.request("POST", path, json.dumps(body), headers)
        response = client.getresponse()
        text = response.read(BODY_LIMIT).decode("utf-8", "replace")
    except http.client.HTTPException as error:
        raise ProbeError(f"{path} answers no HTTP: {error!r}") from error
    except TimeoutError as error:
        raise ProbeError(f"{check['model']} makes no token within {TOKEN_SECONDS} s") from error
    finally:
        client.close()
    if response.status != http.client.OK:
        raise ProbeError(f"{check['model']} makes no token: {path} answers {response.status}, {text[:200]}")
    said = json.loads(text)
    if not (said.get("data") or (said.get("usage") or {}).get("completion_tokens")):
        raise ProbeError(f"{check['model']} makes no token: {text[:200]}")
    return f"{check['model']} makes a token"


def ask_postgresql(check: dict[str, Any], context: Context) -> Answer:
    """The server's certificate is good where others come in, and it answers SQL."""
    connection = connect(check, context)
    with connection:
        connection.sendall(struct.pack("!II", 8, SSL_REQUEST))
        if connection.recv(1) != b"S":
            raise ProbeError("it refuses TLS")
        with secure(connection, check, context) as tls:
            days = certificate_days(tls)
    run(["pg_isready", "-q", "-h", check["address"], "-p", str(check["port"])], context)
    # By the local socket: no password is needed, so none is at hand to leak.
    command = ["runuser", "-u", "postgres", "--", "psql", "-p", str(check["port"]), "-XtAc", "select 1"]
    answer = run(command, context).strip()
    if answer != "1":
        raise ProbeError(f"select 1 answers {answer!r}")
    return Answer("answers SQL", days)


def ask_redis(check: dict[str, Any], context: Context) -> Answer:
    """It answers PING in TLS; with an account, after authentication."""
    with connect(check, context) as plain, secure(plain, check, context) as tls:
        days = certificate_days(tls)
        with tls.makefile("rb") as answers:
            if context.redis_password:
                account = [context.redis_username] if context.redis_username else []
                tls.sendall(resp("AUTH", *account, context.redis_password))
                greeting = answers.readline().decode("utf-8", "replace").strip()
                if greeting != "+OK":
                    raise ProbeError(f"it refuses the account: {greeting}")
            tls.sendall(resp("PING"))
            answer = answers.readline().decode("utf-8", "replace").strip()
    if answer == "+PONG":
        return Answer("answers PING", days)
    if answer.startswith("-NOAUTH") and not context.redis_password:
        return Answer("answers, and asks for an account", days)
    raise ProbeError(f"PING answers {answer!r}")


def resp(*words: str) -> bytes:
    """A command in Redis' protocol."""
    parts = [word.encode() for word in words]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def ask_container(check: dict[str, Any], context: Context) -> Answer:
    """Docker says that it runs and, where it has a health check, that it is healthy."""
    name = check["container"]
    state = json.loads(run(["docker", "inspect", "--format", "{{json .State}}", name], context))
    health = (state.get("Health") or {}).get("Status")
    if not state.get("Running"):
        raise ProbeError(f"container {name} is {state.get('Status')}, exit code {state.get('ExitCode')}")
    if health not in (None, "", "healthy"):
        raise ProbeError(f"container {name} is {health}")
    return Answer(f"container {health or 'running'}")


def ask_jobs(check: dict[str, Any], _context: Context) -> Answer:
    """The host's jobs ended well the last time, and none is overdue."""
    now = time.time()
    jobs = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(JOBS.glob("*.json"))]
    jobs = [job for job in jobs if job["name"].partition(" ")[0] in check["actions"]]
    troubles = [f"{job['name']} failed: {job['detail']}" for job in jobs if not job["ok"]]
    troubles += [
        f"{job['name']} is overdue: the last good one was {age(now - job['last_good'])} ago"
        for job in jobs
        if job["ok"] and now - job["last_good"] > job["due_seconds"]
    ]
    if troubles:
        raise ProbeError("; ".join(troubles))
    if not JOBS.is_dir():
        raise ProbeError(f"{JOBS} is missing: no job has been set up here")
    if not jobs:
        return Answer("no jobs here")
    oldest = min(job["last_good"] for job in jobs)
    return Answer(f"{len(jobs)} jobs are well, the oldest ran {age(now - oldest)} ago")


def age(seconds: float) -> str:
    """A span of time, in the largest unit that fits twice."""
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(0, seconds):.0f} s"


def unit_state(unit: str, context: Context) -> str:
    """Active and sub state as systemd writes them, e.g. `active (running)`, or `not found`."""
    names = "LoadState,ActiveState,SubState"
    lines = run(["systemctl", "show", f"--property={names}", unit], context).splitlines()
    values = dict(line.partition("=")[::2] for line in lines)
    if values.get("LoadState") == "not-found":
        return "not found"
    return f"{values.get('ActiveState')} ({values.get('SubState')})"


def run(command: list[str], context: Context) -> str:
    """A program's output.

    Raises:
        ProbeError: it is missing, fails or takes too long.
    """
    program = shutil.which(command[0], path="/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin")
    if program is None:
        raise ProbeError(f"{command[0]} is not installed")
    try:
        done = subprocess.run(
            [program, *command[1:]],
            capture_output=True,
            text=True,
            timeout=context.timeout,
            check=False,
            stdin=subprocess.DEVNULL,
            # Not the caller's directory: another user may not read it.
            cwd="/",
        )
    except subprocess.TimeoutExpired as error:
        raise ProbeError(f"{command[0]} does not end within {context.timeout:g} s") from error
    if done.returncode:
        words = (done.stderr or done.stdout).strip() or f"exit code {done.returncode}"
        raise ProbeError(f"{command[0]}: {words}")
    return done.stdout


KINDS = {
    "tcp": ask_tcp,
    "http": ask_http,
    "https": ask_http,
    "postgresql": ask_postgresql,
    "redis": ask_redis,
    "container": ask_container,
    "jobs": ask_jobs,
}
