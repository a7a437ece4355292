"""Asks the app directly and through the edge, in turn, from the edge's own host; needs Python alone.

A program of its own: it is sent to the host. On standard input is one JSON object (`Work`), on standard
output another: by side the figures of every round.
"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import statistics
import sys
import threading
import time
from itertools import cycle
from typing import TypedDict

QUESTION = json.dumps({"message": "What is a rack?"})


class Side(TypedDict):
    """Where one side listens, and the name that its certificate and its request carry."""

    address: str
    port: int
    name: str


class Work(TypedDict):
    """What is to be done; `tokens` are used in turn, since the app counts the requests of each user."""

    sides: dict[str, Side]
    ca: str
    tokens: list[str]
    rounds: int
    seconds: float
    callers: int
    streams: int


class Round(TypedDict):
    """One side in one round.

    Health by requests a second, and milliseconds at the 95th percentile; streams by the median of
    milliseconds until the first byte of the answer, its first token, and its end.
    """

    rate: float
    p95: float
    first_byte: float
    first_token: float
    whole: float


def connected(side: Side, context: ssl.SSLContext) -> http.client.HTTPSConnection:
    """Returns an open connection."""
    raw = socket.create_connection((side["address"], side["port"]), timeout=60)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = http.client.HTTPSConnection(side["name"], timeout=60)
    connection.sock = context.wrap_socket(raw, server_hostname=side["name"])
    return connection


def health(side: Side, context: ssl.SSLContext, callers: int, seconds: float) -> tuple[float, float]:
    """Asks for health without a pause over kept connections; returns the rate and the 95th percentile."""
    times: list[float] = []
    end = time.monotonic() + seconds

    def ask() -> None:
        connection = connected(side, context)
        while (began := time.monotonic()) < end:
            connection.request("GET", "/health")
            answer = connection.getresponse()
            answer.read()
            if answer.status != http.client.OK:
                raise OSError(f"{side['name']}: status {answer.status}")
            times.append(time.monotonic() - began)
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(callers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(times) / seconds, 1000 * statistics.quantiles(times, n=20)[-1]


def stream(connection: http.client.HTTPConnection, token: str) -> tuple[float, float, float]:
    """Asks one question; returns seconds until first byte, first token and end."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    began = time.monotonic()
    connection.request("POST", "/api/chat", QUESTION, headers)
    answer = connection.getresponse()
    first, token_came, said = 0.0, 0.0, b""
    while part := answer.read1(65536):
        now = time.monotonic() - began
        first = first or now
        said += part
        if not token_came and b"event: token" in said:
            token_came = now
    if answer.status != http.client.OK or b"event: done" not in said:
        raise OSError(f"status {answer.status}: {said[-300:]!r}")
    return first, token_came, time.monotonic() - began


def main() -> None:
    """Does the work, the sides in turn and each first in every other round."""
    work: Work = json.load(sys.stdin)
    context = ssl.create_default_context(cafile=work["ca"])
    tokens = cycle(work["tokens"])
    found: dict[str, list[Round]] = {name: [] for name in work["sides"]}
    for number in range(work["rounds"]):
        names = list(work["sides"])[:: 1 if number % 2 else -1]
        served = {
            name: health(work["sides"][name], context, work["callers"], work["seconds"]) for name in names
        }
        connections = {name: connected(work["sides"][name], context) for name in names}
        times: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
        # One of each side after the other, so that what else the machine does meets both.
        for _ in range(work["streams"]):
            for name in names:
                times[name].append(stream(connections[name], next(tokens)))
        for name in names:
            first, token, whole = (1000 * statistics.median(each) for each in zip(*times[name], strict=True))
            rate, p95 = served[name]
            found[name].append(
                {"rate": rate, "p95": p95, "first_byte": first, "first_token": token, "whole": whole}
            )
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
