"""Runs on a host: asks the route what is on standard input, one request after another.

Each request is {method, path, key, body}; each answer, printed at the end, is {status, headers, body,
arrivals}, where `arrivals` has the second of each part of the body.
"""

import http.client
import json
import ssl
import sys
import time


def ask(address: str, port: int, request: dict[str, object]) -> dict[str, object]:
    """Sends one request over a connection of its own."""
    context = ssl.create_default_context(cafile="/etc/rackwright/tls/ca.pem")
    connection = http.client.HTTPSConnection(address, port, timeout=60, context=context)
    headers = {"Content-Type": "application/json"}
    if request.get("key"):
        headers["Authorization"] = f"Bearer {request['key']}"
    body = request.get("body")
    if body is not None and not isinstance(body, str):
        body = json.dumps(body)
    connection.request(str(request.get("method", "POST")), str(request["path"]), body=body, headers=headers)
    response = connection.getresponse()
    parts, arrivals = [], []
    while part := response.read1(65536):
        parts.append(part)
        arrivals.append(time.monotonic())
    connection.close()
    text = b"".join(parts).decode()
    return {
        "status": response.status,
        "headers": dict(response.getheaders()),
        "body": text,
        "arrivals": arrivals,
    }


work = json.load(sys.stdin)
json.dump([ask(work["address"], work["port"], request) for request in work["requests"]], sys.stdout)
