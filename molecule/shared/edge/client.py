"""Runs on the client's machine: sends the request of each line, which is JSON, and says what came back."""

import base64
import contextlib
import http.client
import json
import socket
import ssl
import sys
import time
import zlib
from pathlib import Path
from typing import Any

Job = dict[str, Any]


def connect(job: Job) -> socket.socket:
    """Return a connected socket, over TLS unless the job says otherwise."""
    source = (job["source"], 0) if job.get("source") else None
    raw = socket.create_connection((job["address"], job["port"]), timeout=30, source_address=source)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if not job.get("tls", True):
        return raw
    context = ssl.create_default_context(cadata=job["ca"])
    if "version" in job:
        context.minimum_version = context.maximum_version = ssl.TLSVersion[job["version"]]
        context.set_ciphers(job.get("ciphers", "DEFAULT:@SECLEVEL=0"))
    if job.get("client_certificate"):
        Path("/tmp/client.pem").write_text(job["client_certificate"])  # noqa: S108 - of a throw-away machine
        context.load_cert_chain("/tmp/client.pem")  # noqa: S108
    if "alpn" in job:
        context.set_alpn_protocols(job["alpn"])
    context.check_hostname = "sni" in job
    if job.get("anyone"):
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(raw, server_hostname=job.get("sni"))


def once(job: Job, connection: http.client.HTTPConnection) -> Job:
    """Send one request; return status, headers, body and when each part of the body came."""
    body = b"x" * job["size"] if "size" in job else None
    started = time.monotonic()
    headers = {"Host": job["host"], **job.get("headers", {})}
    # A server that refuses may answer before it has read the whole body: the answer is still to be read.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.request(job.get("method", "GET"), job.get("path", "/"), body=body, headers=headers)
    response = connection.getresponse()
    parts, times = [], []
    while part := response.read1(65536):
        parts.append(part)
        times.append(time.monotonic() - started)
    data = b"".join(parts)
    return {
        "status": response.status,
        "headers": {name.lower(): value for name, value in response.getheaders()},
        "body": data.decode(errors="replace"),
        "times": times,
    }


def run(job: Job) -> Job:
    """Do one job; an error is an answer, too."""
    try:
        stream = connect(job)
        tls = stream.version() if isinstance(stream, ssl.SSLSocket) else None
        connection = http.client.HTTPConnection(job["address"])
        connection.sock = stream
        return {"tls": tls, **once(job, connection)}
    except (OSError, http.client.HTTPException) as error:
        return {"error": f"{type(error).__name__}: {error}"}


def flood(job: Job) -> Job:
    """Send `repeat` requests within milliseconds, on connections opened before; return all answers."""
    request = f"GET {job['path']} HTTP/1.1\r\nHost: {job['host']}\r\nConnection: close\r\n\r\n".encode()
    streams = [connect(job) for _ in range(job["repeat"])]
    for stream in streams:
        stream.sendall(request)
    answers = []
    for stream in streams:
        response = http.client.HTTPResponse(stream)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        body = response.read().decode(errors="replace")
        answers.append({"status": response.status, "headers": headers, "body": body})
    return {"answers": answers}


def raw(job: Job) -> Job:
    """Send bytes as they are, each part after a pause; return all that came back and how long it took."""
    started = time.monotonic()
    answer, end, spoken = b"", "closed", None
    try:
        stream = connect(job)
        spoken = stream.selected_alpn_protocol() if isinstance(stream, ssl.SSLSocket) else None
        for part in parts(job):
            time.sleep(job.get("pause", 0))
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                stream.sendall(part)
        stream.settimeout(job.get("patience", 5))
        while not any(mark.encode("latin-1") in answer for mark in job.get("until", [])):
            data = stream.recv(65536)
            if not data:
                break
            answer += data
    except (OSError, ssl.SSLError) as error:
        end = str(error)
    seconds = time.monotonic() - started
    return {"answer": answer.decode("latin-1"), "end": end, "seconds": seconds, "spoken": spoken}


def parts(job: Job) -> list[bytes]:
    """Return what is sent: texts, or bytes that came `deflated`."""
    if "deflated" in job:
        return [zlib.decompress(base64.b64decode(job["deflated"]))]
    return [part.replace("@FILL@", "x" * job.get("fill", 0)).encode("latin-1") for part in job["parts"]]


def slow(job: Job) -> Job:
    """Hold `many` connections that never finish their header; return how a whole request fares meanwhile."""
    held = [connect(job) for _ in range(job["many"])]
    for stream in held:
        stream.sendall(f"GET /api/echo HTTP/1.1\r\nHost: {job['host']}\r\nX-Slow: ".encode())
    during = run(job | {"path": "/api/echo"})
    deadline = time.monotonic() + job["seconds"]
    closed = 0
    for stream in held:
        stream.settimeout(max(0.1, deadline - time.monotonic()))
        try:
            while stream.recv(4096):
                pass
        except TimeoutError:
            continue
        except OSError:
            # Cut off without a word.
            pass
        closed += 1
    return {"during": during, "closed": closed}


KINDS = {"repeat": flood, "parts": raw, "deflated": raw, "many": slow}
for line in sys.stdin:
    task = json.loads(line)
    kind = next((KINDS[name] for name in KINDS if name in task), run)
    sys.stdout.write(f"{json.dumps(kind(task))}\n")
    sys.stdout.flush()
