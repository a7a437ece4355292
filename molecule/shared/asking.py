"""Asks a service from a machine of the scenario, with a password that is in no list of processes."""

from __future__ import annotations

import json
from collections.abc import Mapping

from machines import Machines

# Its standard input has the question, so that no password is an argument.
_PROGRAM = """
import base64, json, ssl, sys, urllib.error, urllib.request
job = json.load(sys.stdin)
body = None if job["body"] is None else json.dumps(job["body"]).encode()
request = urllib.request.Request(job["url"], body)
for name, value in {"Content-Type": "application/json", **job["headers"]}.items():
    request.add_header(name, value)
if job["user"]:
    token = base64.b64encode((job["user"] + ":" + job["password"]).encode()).decode()
    request.add_header("Authorization", "Basic " + token)
context = ssl.create_default_context(cafile="/etc/rackwright/tls/ca.pem")
try:
    with urllib.request.urlopen(request, timeout=30, context=context) as answer:
        print(json.dumps([answer.status, answer.read().decode()]))
except urllib.error.HTTPError as error:
    print(json.dumps([error.code, error.read().decode()]))
except OSError as error:
    print(json.dumps([0, str(error)]))
"""


def answer_of(
    machines: Machines,
    host: str,
    url: str,
    login: tuple[str, str] = ("", ""),
    body: object = None,
    headers: Mapping[str, str] | None = None,
) -> tuple[int, str]:
    """Return status and text of an answer; 0 and the error when there is none.

    Args:
        machines: The scenario's.
        host: Which of them asks.
        url: HTTPS, by the site's authority.
        login: User and password; an empty user asks without.
        body: Sent as JSON; None asks with GET.
        headers: More of them.
    """
    machines.inside(host, "cat > /run/ask-service.py", data=_PROGRAM)
    job = {"url": url, "user": login[0], "password": login[1], "body": body, "headers": dict(headers or {})}
    status, text = json.loads(machines.inside(host, "python3 /run/ask-service.py", data=json.dumps(job)))
    return int(status), str(text)
