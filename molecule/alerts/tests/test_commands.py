"""`rackwright alerts`, as an operator uses it: a test message, a silence, what is wrong now."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from watched import Watched

SOURCES = [word for source in os.environ["RACKWRIGHT_INVENTORY"].split(":") for word in ("-i", source)]


def alerts(*words: str, status: int = 0) -> str:
    program = Path(sys.executable).with_name("rackwright")
    done = subprocess.run(
        [program, "alerts", *words, *SOURCES], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == status, done.stdout + done.stderr
    return done.stdout


def test_a_test_message_reaches_who_hears_of_its_severity(watched: Watched) -> None:
    since = time.time()
    assert "sent" in alerts("test", "--severity", "critical")
    watched.wait_for("firing", since, 60, alertname="Test", severity="critical")
    # One that is critical and not silenced: a script is told so by the exit status.
    shown = json.loads(alerts("list", "--json", status=1))
    assert "Test" in {entry["name"] for entry in shown}


def test_a_silence_is_made_shown_and_ended() -> None:
    alerts("silence", "alertname=Test", "--hours", "1", "--comment", "a disk is replaced")
    shown = alerts("silence")
    assert "a disk is replaced" in shown
    identity = shown.split()[0]
    assert "has ended" in alerts("silence", "--end", identity)
