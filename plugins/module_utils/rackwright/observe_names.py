"""Whether names resolve: by the machine's own resolver, and by each server that the site names."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
import time
from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright.observe_host import text

_PORT = 53
_RECURSE = 0x0100
_ADDRESS_QUESTION = struct.pack("!HH", 1, 1)
_CODES = {0: "answers", 2: "answers SERVFAIL", 3: "answers that the name does not exist", 5: "refuses"}
# The server works when it says where a name is, or that there is none.
_GOOD = frozenset({0, 3})


def resolvers(root: Path = Path("/")) -> list[str]:
    """The servers in resolv.conf."""
    lines = [line.split() for line in text(root / "etc/resolv.conf").splitlines()]
    return [fields[1] for fields in lines if len(fields) > 1 and fields[0] == "nameserver"]


def resolve(name: str) -> dict[str, Any]:
    """Ask the machine's own resolver for a name."""
    started = time.monotonic()
    try:
        found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        ok, detail = True, str(found[0][4][0])
    except OSError as error:
        ok, detail = False, str(error)
    return {"name": name, "ok": ok, "detail": detail, "seconds": round(time.monotonic() - started, 2)}


def ask_server(server: str, name: str, timeout: float) -> dict[str, Any]:
    """Ask one DNS server for a name, by UDP."""
    identifier = os.urandom(2)
    labels = b"".join(bytes([len(part)]) + part for part in name.rstrip(".").encode("idna").split(b"."))
    question = identifier + struct.pack("!HHHHH", _RECURSE, 1, 0, 0, 0) + labels + b"\0" + _ADDRESS_QUESTION
    family = socket.AF_INET6 if ipaddress.ip_address(server).version == 6 else socket.AF_INET  # noqa: PLR2004
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.settimeout(timeout)
        try:
            # Connected, so that a closed port is told at once.
            asking.connect((server, _PORT))
            asking.send(question)
            answer = asking.recv(4096)
        except TimeoutError:
            return {"server": server, "ok": False, "detail": f"no answer within {timeout:g} s"}
        except OSError as error:
            return {"server": server, "ok": False, "detail": str(error)}
    if answer[:2] != identifier or len(answer) < len(identifier) + 2:
        return {"server": server, "ok": False, "detail": "what answers does not speak DNS"}
    code = answer[3] & 0x0F
    return {"server": server, "ok": code in _GOOD, "detail": _CODES.get(code, f"answers with code {code}")}
