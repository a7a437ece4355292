"""Writes what Traefik logs in the form that every edge of ours has: a line of JSON for each answer.

    traefik_log.py PIPE FILE [NETWORK …]

Reads Traefik's access log (JSON) from a named pipe, which it makes, and appends to a file, which it opens
anew on SIGUSR1. The networks are those of proxies before the edge, whose X-Forwarded-For is believed.
Standard library only: it runs on hosts.
"""

# ruff: noqa: INP001 - brought to hosts as it is, no package
from __future__ import annotations

import ipaddress
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_BLOCK = 65_536
# Beyond it a line is none: Traefik bounds headers.
_LONGEST = 1 << 20
_NANOSECONDS = 1_000_000_000
_TOO_MANY = 429
_TO_THE_SECOND = len("2026-11-27T06:33:04")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def told(entry: Mapping[str, Any], proxies: Iterable[Network]) -> dict[str, Any]:
    """Return what the edge's log says of one answer.

    Args:
        entry: Traefik's own words.
        proxies: Networks of proxies before the edge.
    """
    status, own = int(entry.get("DownstreamStatus") or 0), not entry.get("OriginStatus")
    version = str(entry.get("TLSVersion") or "")
    return {
        "time": f"{str(entry.get('StartUTC') or '')[:_TO_THE_SECOND]}+00:00",
        "request_id": str(entry.get("downstream_X-Request-Id") or ""),
        "client": client(str(entry.get("ClientHost") or ""), proxies),
        "host": str(entry.get("RequestHost") or "").lower(),
        "method": str(entry.get("RequestMethod") or ""),
        "path": str(entry.get("RequestPath") or "").partition("?")[0],
        "protocol": str(entry.get("RequestProtocol") or ""),
        "status": status,
        "bytes_received": int(entry.get("RequestContentSize") or 0),
        "bytes_sent": int(entry.get("DownstreamContentSize") or 0),
        "seconds": _seconds(entry.get("Duration")),
        "upstream": "" if own else str(entry.get("ServiceAddr") or ""),
        "upstream_status": "" if own else str(entry["OriginStatus"]),
        "upstream_seconds": "" if own else str(_seconds(entry.get("OriginDuration"))),
        # Its own: what a service answers so is the service's limit.
        "limited": "REJECTED" if own and status == _TOO_MANY else "",
        "tls": f"TLSv{version}" if version else "",
        "agent": str(entry.get("request_User-Agent") or ""),
    }


def client(forwarded: str, proxies: Iterable[Network]) -> str:
    """Return the nearest address that is no proxy of ours, of a list to which each hop has added one."""
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    known = list(proxies)
    for hop in reversed(hops):
        try:
            address = ipaddress.ip_address(hop)
        except ValueError:
            return hop
        if not any(address in network for network in known):
            return hop
    return hops[0] if hops else ""


def lines(pipe: int) -> Iterator[bytes]:
    """Yield whole lines as they come; one that has no end is dropped."""
    rest = b""
    while True:
        *whole, rest = (rest + os.read(pipe, _BLOCK)).split(b"\n")
        yield from whole
        if len(rest) > _LONGEST:
            rest = b""


def opened_pipe(path: str) -> int:
    """Make the pipe if it is not there, and hold both its ends: it has no end when Traefik restarts."""
    if not (os.path.exists(path) and stat.S_ISFIFO(os.stat(path).st_mode)):  # noqa: PTH110, PTH116 - as os.open
        os.mkfifo(path, 0o660)
    return os.open(path, os.O_RDWR)


def ready() -> None:
    """Tell systemd that the pipe is there."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.connect(f"\0{address[1:]}" if address.startswith("@") else address)
            notify.send(b"READY=1")


def _seconds(nanoseconds: object) -> float:
    return round(int(str(nanoseconds or 0)) / _NANOSECONDS, 3)


def main() -> None:
    """Read and write until the end."""
    pipe_path, file_path, *networks = sys.argv[1:]
    proxies = [ipaddress.ip_network(network) for network in networks]
    pipe = opened_pipe(pipe_path)

    def opened() -> int:
        return os.open(file_path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)

    out = [opened()]

    def anew(*_: object) -> None:
        before, out[0] = out[0], opened()
        os.close(before)

    signal.signal(signal.SIGUSR1, anew)
    ready()
    for line in lines(pipe):
        try:
            written = json.dumps(told(json.loads(line), proxies), ensure_ascii=False)
        except (ValueError, TypeError, KeyError, AttributeError):
            sys.stderr.write(f"no line of an access log: {line[:200]!r}\n")
            continue
        os.write(out[0], f"{written}\n".encode())


if __name__ == "__main__":
    main()
