"""How each kind of service is asked through its own interface; used by the module service_probe.

Every function takes the check (an entry of `host_plan.health`) and what the module knows, and returns an
`Answer` or raises `ProbeError`. Nothing here changes a host.
"""

from __future__ import annotations

import http.client
import json
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright.probe_base import (
    Answer,
    Context,
    ProbeError,
    certificate_days,
    connect,
    run,
    secure,
)
from ansible.module_utils.rackwright.probe_stores import (
    ask_mariadb,
    ask_mongodb,
    ask_postgresql,
    ask_redis,
)

__all__ = ["KINDS", "Answer", "Context", "ProbeError", "ask_container", "unit_state"]

# A page that proves health is short; more is not read.
BODY_LIMIT = 1 << 20
# A model may have to be loaded first, or to finish what it is asked by others.
TOKEN_SECONDS = 60
# What jobs leave behind (docs/backup.md).
JOBS = Path("/var/lib/rackwright/jobs")


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


KINDS = {
    "tcp": ask_tcp,
    "http": ask_http,
    "https": ask_http,
    "postgresql": ask_postgresql,
    "mariadb": ask_mariadb,
    "mongodb": ask_mongodb,
    "redis": ask_redis,
    "container": ask_container,
    "jobs": ask_jobs,
}
