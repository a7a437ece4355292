"""The site as its auditor meets it."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from machines import PROJECT, SOURCES

# What a container cannot be asked: its kernel is another machine's, and so is what that records.
OF_THE_KERNEL = {"confinement", "recorder"}
# What this site has none of.
ABSENT = {"backups", "logs"}


@pytest.fixture(scope="module")
def checks(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the audit's report says, by check."""
    report = tmp_path_factory.mktemp("audit")
    sources = [part for source in SOURCES for part in ("-i", str(source))]
    command = [str(Path(sys.executable).with_name("rackwright")), "audit", *sources, "--output", str(report)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=900)
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads((report / "audit.json").read_text())["checks"]
    return found


def test_everything_is_met_that_a_container_can_be_asked(checks: dict[str, Any]) -> None:
    states = {name: check["status"] for name, check in checks.items()}
    assert {name for name, state in states.items() if state == "none"} == OF_THE_KERNEL
    assert {name for name, state in states.items() if state == "warn"} == ABSENT
    assert {name for name, state in states.items() if state == "pass"} == (
        set(states) - OF_THE_KERNEL - ABSENT
    )


def test_every_host_was_looked_at(checks: dict[str, Any]) -> None:
    indices = {item["host"]: item["detail"]["en"] for item in checks["lynis"]["items"]}
    assert set(indices) >= {"edge1", "app1", "data1", "ops1"}
    assert min(int(text.partition(";")[0]) for text in indices.values()) >= 85
    assert {item["host"] for item in checks["tls"]["items"]} == {"edge1"}
    assert {item["host"] for item in checks["edge"]["items"]} == {"edge1"}
