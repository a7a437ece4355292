"""The module that runs the load program: what it gives it, and what it does when it misbehaves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

MODULE = Path(__file__).resolve().parents[2] / "plugins/modules/inference_load.py"
ECHO = """
import json, os, sys
given = json.load(sys.stdin)
told = {"given": given, "arguments": sys.argv[1:], "environment": sorted(os.environ), "user": os.getuid()}
json.dump([told], sys.stdout)
"""


def run(**parameters: Any) -> dict[str, Any]:  # noqa: ANN401 - whatever the module takes
    usual = {
        "program": ECHO,
        # One that a user without rights may run, too.
        "python": "/usr/bin/python3",
        "settings": {"users": 2, "seconds": 1.5},
        "key": "k" * 40,
        "limit": 20,
    }
    arguments = {"ANSIBLE_MODULE_ARGS": usual | parameters}
    done = subprocess.run(
        [sys.executable, str(MODULE)],
        input=json.dumps(arguments),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_settings_and_key_come_on_standard_input_alone() -> None:
    found = run()
    assert (found["changed"], found["users"]) == (False, 2)
    (told,) = found["requests"]
    assert told["arguments"] == []
    assert "ANSIBLE" not in " ".join(told["environment"])
    # The numbers are not censored with the key; the key is, in what is told.
    assert told["given"]["users"] == 2
    assert told["given"]["seconds"] == 1.5
    assert "k" * 40 not in json.dumps(found["requests"])


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_it_runs_without_rights() -> None:
    import pwd  # noqa: PLC0415

    assert run()["requests"][0]["user"] == pwd.getpwnam("nobody").pw_uid


def test_one_that_does_not_end_is_ended() -> None:
    found = run(program="import time; time.sleep(60)", limit=1)
    assert found["failed"]
    assert "did not end within 1 s" in found["msg"]


def test_one_that_fails_says_why() -> None:
    found = run(program="raise SystemExit('no such thing')")
    assert found["failed"]
    assert "no such thing" in found["msg"]


def test_without_the_app_there_is_nothing_to_run_it() -> None:
    found = run(python="/opt/nowhere/bin/python")
    assert found["failed"]
    assert "/opt/nowhere/bin/python is not there" in found["msg"]
