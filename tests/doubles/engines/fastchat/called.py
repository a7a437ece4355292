"""How FastChat's programs are called: their arguments and variables, and how they speak to each other."""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from common import Json, check_environment, documented, parse_arguments, say

# Of the image and of the double itself.
_IMAGE = ("PYTHONPATH", "PYTHONUNBUFFERED", "DOUBLE_DOCUMENTED")


def called(program: str, **defaults: str) -> SimpleNamespace:
    """Return a program's arguments; end at what FastChat does not document.

    Args:
        program: Name of its part of the documented arguments.
        defaults: FastChat's own, by argument without its dashes.
    """
    known = documented("fastchat")
    check_environment([*known["environment"], *_IMAGE], ("",), os.environ)
    given = parse_arguments(known[program], sys.argv[1:])
    names = {name.lstrip("-").replace("-", "_"): value for name, value in given.items()}
    args = SimpleNamespace(**{"host": "localhost", **defaults, **names})
    # As FastChat does: whoever gives a key as an argument reads it in the log.
    say(f"args: {args}")
    args.port = int(args.port)
    return args


def seconds(variable: str, default: int) -> int:
    """Return a number of the environment."""
    return int(os.environ.get(variable, default))


def post(url: str, body: Json | None = None, timeout: float = 30) -> Any:  # noqa: ANN401 - whatever JSON says
    """Ask another of FastChat's programs."""
    with _open(url, body, timeout) as answer:
        return json.loads(answer.read() or b"null")


def parts(url: str, body: Json, timeout: float) -> Iterator[Json]:
    """Ask a worker for an answer in parts, which end in a zero byte each."""
    with _open(url, body, timeout) as answer:
        waiting = b""
        while raw := answer.read1(65536):
            *whole, waiting = (waiting + raw).split(b"\0")
            yield from (json.loads(part) for part in whole if part)


def _open(url: str, body: Json | None, timeout: float) -> Any:  # noqa: ANN401 - urllib's answer
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(url, json.dumps(body or {}).encode(), headers, method="POST")  # noqa: S310
    return urllib.request.urlopen(request, timeout=timeout)  # noqa: S310 - addresses of the test
