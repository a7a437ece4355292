"""What is asked of the edge, on its host: as people ask it, whose app is away."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from prove import ask

Given = dict[str, Any]
LOG = Path("/var/log/haproxy/access.log")


def check_haproxy(given: Given) -> None:
    """It answers by TLS, says that the app is away, and writes that down."""
    before = len(told())
    status, said = ask(
        f"https://{given['address']}/api/chat", {"message": "x"}, name=f"api.{given['domain']}"
    )
    assert (status, "error" in said) == (503, True), (status, said)
    deadline = time.monotonic() + 30
    while len(told()) == before and time.monotonic() < deadline:
        time.sleep(0.5)
    assert "/api/chat" in told()[before:]


def told() -> list[str]:
    """The paths that its log has."""
    lines = LOG.read_text("utf-8").splitlines() if LOG.exists() else []
    return [str(json.loads(line).get("path")) for line in lines]


def check_files(given: Given) -> None:
    """The front end comes from behind it."""
    status, page = ask(f"https://{given['address']}/", name=f"ai.{given['domain']}")
    assert (status, "<html" in page) == (200, True), (status, page[:200])


def check_metrics(given: Given) -> None:
    """Who is no watcher of the site is refused, by the certificate that he shows."""
    assert ask(f"https://{given['address']}:8404/metrics")[0] == 403


def check_exporters(given: Given) -> None:
    """The prober answers."""
    assert "blackbox_exporter_build_info" in ask(f"https://{given['address']}:9115/metrics")[1]
