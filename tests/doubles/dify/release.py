"""What the doubles know of the release (tests/data/dify/release.yml), and how strict they are about it."""

from __future__ import annotations

import fnmatch
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common import COMMON, fail

# Of containers and interpreters, whoever starts them.
_ALWAYS = COMMON | {"GPG_KEY", "PYTHONPATH", "DOUBLE_RELEASE"}


def facts() -> dict[str, Any]:
    """Return the release's facts, as the image carries them."""
    place = os.environ.get("DOUBLE_RELEASE", str(Path(__file__).with_name("release.json")))
    found: dict[str, Any] = json.loads(Path(place).read_text(encoding="utf-8"))
    return found


def check(program: str, environ: Mapping[str, str]) -> None:
    """End when a variable is missing, is none of the release's, or has a secret that everybody knows."""
    known = facts()
    about = known["variables"][program]
    names = {*about["told"], *about.get("chosen", ()), *about.get("beside", ()), *_ALWAYS}
    left = [pattern for line in about["left"] for pattern in line.split()]
    unknown = [
        name
        for name in sorted(environ)
        if name not in names and not any(fnmatch.fnmatchcase(name, pattern) for pattern in left)
    ]
    if unknown:
        fail(f"unknown environment: {', '.join(unknown)}")
    missing = [name for name in about["told"] if name not in environ]
    if missing:
        fail(f"environment lacks {', '.join(missing)}")
    for name, value in known["published"].items():
        if name in environ and value in environ[name]:
            fail(f"{name} has the default that everybody knows")
    for name in known["published_empty"]:
        if name in about["told"] and not environ[name]:
            fail(f"{name} is empty: the set-up would be open to whoever comes first")
    for name, value in environ.items():
        outside = [address for address in known["outside"] if address in value]
        if outside:
            fail(f"{name} points outside: {outside[0]}")
