#!/usr/bin/python
"""Asks the platform as a user outside it would, step by step (see DOCUMENTATION)."""

from __future__ import annotations

import contextlib
import http.client
import json
import ssl
import threading
import time
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.edge_client import ARGUMENTS, EdgeClient, Outcome, run_step
from ansible.module_utils.rackwright.smoke import finish

DOCUMENTATION = r"""
module: smoke_client
short_description: Prove the edge from a client's side
description:
  - Runs on a machine outside the zones and speaks HTTP and HTTPS with the edge as a user's program would.
  - Steps are redirect, certificate, unauthorised, answer, denied and rate_limit.
  - Nothing on the machine changes.
options:
  address: {description: Address of the edge., type: str, required: true}
  http_port: {description: Port that redirects to HTTPS., type: int, required: true}
  https_port: {description: HTTPS port., type: int, required: true}
  host: {description: Host name of the API., type: str, required: true}
  ca: {description: PEM of the certificate authority that the client trusts., type: str, required: true}
  token: {description: Access token of the user who asks., type: str, required: true}
  question: {description: What to ask., type: str, required: true}
  denied_source:
    description: An own address that no allowlist holds; without it the step is left out.
    type: str
  burst: {description: Requests of the rate-limit step., type: int, default: 400}
  answer_timeout:
    description: Longest pause between two parts of an answer in seconds.
    type: int
    default: 120
author: [Rackwright]
"""

EXAMPLES = r"""
- smoke_client:
    address: 10.77.10.11
    http_port: 80
    https_port: 443
    host: api.lab.rackwright.internal
    ca: "{{ lookup('file', 'pki/ca.pem') }}"
    token: "{{ token }}"
    question: What is a rack?
"""

RETURN = r"""
steps:
  description: One entry per step with name, ok, detail and latency_ms.
  type: list
session:
  description: The session that the answer was given in, empty when there was none.
  type: str
deltas:
  description: How many parts the answer came in.
  type: int
"""

# Parallel connections of the rate-limit step; each sends its requests one after another.
CONNECTIONS = 8
# A buffering proxy hands all parts of an answer over within this many seconds, at the end.
AT_ONCE = 0.001
# A short answer can reach a busy client in one piece though nobody held it back; none of several does.
QUESTIONS = 3


class Client(EdgeClient):  # type: ignore[misc]  # found by Ansible alone
    """Asks the smoke test's question."""

    def chat(self, connection: http.client.HTTPSConnection, token: str = "") -> http.client.HTTPResponse:
        """Send the question and return the response with its body unread."""
        headers = {
            "Content-Type": "application/json",
            "Accept": "text/event-stream",
            "User-Agent": "rackwright-smoke",
        }
        if token:
            headers["Authorization"] = f"Bearer {token}"
        body = json.dumps({"message": self.params["question"]})
        connection.request("POST", "/api/chat", body=body, headers=headers)
        return connection.getresponse()


def redirect(client: Client) -> Outcome:
    """HTTP sends the client to HTTPS."""
    params = client.params
    plain = http.client.HTTPConnection(params["address"], params["http_port"], timeout=15)
    with contextlib.closing(plain) as connection:
        connection.request("GET", "/", headers={"Host": params["host"]})
        response = connection.getresponse()
        location = response.getheader("Location", "")
    ok = response.status in (
        HTTPStatus.MOVED_PERMANENTLY,
        HTTPStatus.PERMANENT_REDIRECT,
    ) and location.startswith(f"https://{params['host']}")
    return ok, f"{response.status} to {location or 'nowhere'}", {}


def certificate(client: Client) -> Outcome:
    """The certificate is the authority's, names the host and is valid."""
    with contextlib.closing(client.connect()) as connection:
        peer = connection.sock.getpeercert() or {}
        version = connection.sock.version()
    days = (ssl.cert_time_to_seconds(str(peer["notAfter"])) - time.time()) / 86400
    return days > 0, f"{version}, {days:.0f} days left", {}


def unauthorised(client: Client) -> Outcome:
    """A question without a token is refused."""
    with contextlib.closing(client.connect()) as connection:
        status = client.chat(connection).status
    return status == HTTPStatus.UNAUTHORIZED, f"status {status}", {}


def events(response: http.client.HTTPResponse) -> Iterator[tuple[str, str, float]]:
    """Yield (event, data, monotonic time) of a server-sent event stream as the parts come in."""
    name, data = "message", list[str]()
    for raw in response:
        line = raw.decode("utf-8").rstrip("\r\n")
        if not line:
            if data:
                yield name, "\n".join(data), time.monotonic()
            name, data = "message", list[str]()
        elif line.startswith("event:"):
            name = line[6:].strip()
        elif line.startswith("data:"):
            data.append(line[5:].lstrip())


def answer(client: Client) -> Outcome:
    """A question with a token is answered, in parts as the model makes them."""
    for _ in range(QUESTIONS):
        held, seen, told = asked(client)
        if held or not told.get("whole"):
            break
    return held, seen, told


def asked(client: Client) -> Outcome:
    """One question and its answer."""
    with contextlib.closing(client.connect(timeout=client.params["answer_timeout"])) as connection:
        started = time.monotonic()
        with client.chat(connection, client.params["token"]) as response:
            if response.status != HTTPStatus.OK:
                return False, f"status {response.status}: {response.read(300).decode('utf-8', 'replace')}", {}
            return judge(response, started)


def judge(response: http.client.HTTPResponse, started: float) -> Outcome:
    """Tell whether a stream brought a whole answer, part by part."""
    session, times, done, error = "", list[float](), False, ""
    for name, data, moment in events(response):
        payload = json.loads(data)
        if name == "session":
            session = payload["session"]
        elif name == "token":
            times.append(moment)
        elif name == "done":
            done = True
            break
        elif name == "error":
            error = data
            break
    streamed = len(times) > 1 and times[-1] - times[0] > AT_ONCE
    whole = response.getheader("Content-Type", "").startswith("text/event-stream") and bool(session) and done
    first, last = ((moment - started) * 1000 for moment in ((times or [started])[0], time.monotonic()))
    detail = error or f"{len(times)} parts, first after {first:.0f} ms, whole after {last:.0f} ms"
    return whole and streamed, detail, {"session": session, "deltas": len(times), "whole": whole}


def denied(client: Client) -> Outcome:
    """A client whose address no allowlist holds is refused, even with a token."""
    source = client.params["denied_source"]
    with contextlib.closing(client.connect(source=(source, 0))) as connection:
        status = client.chat(connection, client.params["token"]).status
    return status == HTTPStatus.FORBIDDEN, f"{source}: status {status}", {}


def rate_limit(client: Client) -> Outcome:
    """Too many requests in a second are refused with 429."""
    seen: dict[str, int] = {}
    lock = threading.Lock()
    share = max(1, client.params["burst"] // CONNECTIONS)

    def note(what: str) -> None:
        with lock:
            seen[what] = seen.get(what, 0) + 1

    def worker() -> None:
        connection = client.connect()
        try:
            for _ in range(share):
                connection.request("GET", "/api/chat")
                response = connection.getresponse()
                response.read()
                note(str(response.status))
                if response.will_close:
                    connection.close()
                    connection = client.connect()
        finally:
            connection.close()

    def run() -> None:
        try:
            worker()
        except (OSError, http.client.HTTPException) as error:
            note(type(error).__name__)

    threads = [threading.Thread(target=run, daemon=True) for _ in range(CONNECTIONS)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    took = time.monotonic() - started
    told = ", ".join(f"{count} x {what}" for what, count in sorted(seen.items()))
    return seen.get(str(HTTPStatus.TOO_MANY_REQUESTS.value), 0) > 0, f"{told} in {took:.1f} s", {}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "http_port": {"type": "int", "required": True},
            "question": {"type": "str", "required": True},
            "denied_source": {"type": "str"},
            "burst": {"type": "int", "default": 400},
        },
        supports_check_mode=True,
    )
    steps = [redirect, certificate, unauthorised, answer]
    if module.params["denied_source"]:
        steps.append(denied)
    steps.append(rate_limit)
    client = Client(module.params)
    done, session, deltas = list[dict[str, Any]](), "", 0
    for step in steps:
        entry, extra = run_step(step, client)
        done.append(entry)
        session, deltas = extra.get("session", session), extra.get("deltas", deltas)
    finish(module, done, session=session, deltas=deltas)


if __name__ == "__main__":
    main()
