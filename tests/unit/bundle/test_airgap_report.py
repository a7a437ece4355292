"""The proof: zero is the pass, and everything else says why not."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rackwright.airgap.prove import HostCount, Proof, Sender
from rackwright.airgap.report import as_dict, as_html, as_markdown, verdict, write

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
GOOD = Proof("test", "bundle", "ab" * 32, NOW, NOW, 60, (HostCount("app1", 0, 0),), {}, successful=True)
LEAK = HostCount("db1", 3, 1, (Sender("postgres", "postgres <b>", "192.0.2.53", "udp", "53", 3),), NOW)


def test_zero_is_the_pass() -> None:
    assert GOOD.passed
    assert verdict(GOOD) == "passed: 1 hosts counted, and no packet wanted to leave the site"


@pytest.mark.parametrize(
    ("proof", "told"),
    [
        (replace(GOOD, hosts=(*GOOD.hosts, LEAK)), "3 packets wanted to leave the site"),
        (replace(GOOD, missing={"app2": "unreachable"}), "no count of app2"),
        (replace(GOOD, successful=False), "did not end well"),
        (replace(GOOD, hosts=()), "no host counted"),
    ],
)
def test_everything_else_is_none(proof: Proof, told: str) -> None:
    assert not proof.passed
    assert told in verdict(proof)


def test_a_report_names_who_sent_what(tmp_path: Path) -> None:
    proof = replace(GOOD, hosts=(*GOOD.hosts, LEAK))
    assert "| db1 | postgres | postgres <b> | 192.0.2.53 udp/53 | 3 |" in as_markdown(proof)
    assert "| db1 | 2026-01-02 03:04:05 | 3 | 1 |" in as_markdown(proof)
    assert [each["since"] for each in as_dict(proof)["hosts"]] == [None, "2026-01-02T03:04:05+00:00"]
    page = as_html(proof)
    assert "postgres &lt;b&gt;" in page
    assert "Not passed" in page
    files = {path.name: path.read_bytes() for path in write(proof, tmp_path)}
    for line in files["SHA256SUMS"].decode().splitlines():
        total, name = line.split()
        assert hashlib.sha256(files[name]).hexdigest() == total
