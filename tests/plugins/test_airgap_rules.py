"""The rules that count what wants to leave, and what is read out of them."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile

import pytest
from ansible.module_utils.rackwright.airgap_rules import TABLE, readings, ruleset

LISTING = {
    "nftables": [
        {"metainfo": {"version": "1.1.3"}},
        {"counter": {"name": "outside", "packets": 5, "bytes": 300}},
        {"counter": {"name": "names", "packets": 2, "bytes": 100}},
        {"rule": {"chain": "sent", "comment": "since 1764183000", "expr": [{"counter": {"packets": 9}}]}},
        {"rule": {"chain": "sent", "expr": [{"counter": "outside"}]}},
        {"set": {"name": "inside4", "elem": [{"prefix": {"addr": "10.0.0.0", "len": 8}}]}},
        {
            "set": {
                "name": "seen4",
                "elem": [
                    {
                        "elem": {
                            "val": {"concat": [104, "198.51.100.7", "tcp", 443]},
                            "counter": {"packets": 3, "bytes": 180},
                        }
                    }
                ],
            }
        },
        {
            "set": {
                "name": "forwarded4",
                "elem": [
                    {
                        "elem": {
                            "val": {"concat": ["172.30.1.2", "192.0.2.53", "udp", 53]},
                            "counter": {"packets": 2, "bytes": 100},
                        }
                    }
                ],
            }
        },
    ]
}


def test_what_was_counted_is_read() -> None:
    found = readings(json.dumps(LISTING))
    assert (found["packets"], found["names"], found["since"]) == (5, 2, 1764183000)
    assert found["seen"] == [
        {"uid": 104, "to": "198.51.100.7", "protocol": "tcp", "port": 443, "packets": 3},
        {"address": "172.30.1.2", "to": "192.0.2.53", "protocol": "udp", "port": 53, "packets": 2},
    ]


@pytest.mark.skipif(shutil.which("nft") is None, reason="nftables is not installed")
@pytest.mark.parametrize("inside", [["10.0.0.0/8"], ["10.0.0.0/8", "10.1.0.0/16", "fd00::/8"], []])
def test_the_kernels_program_takes_the_rules(inside: list[str]) -> None:
    with tempfile.NamedTemporaryFile("w", suffix=".nft") as file:
        file.write(ruleset(inside, 1764183000))
        file.flush()
        checked = subprocess.run(
            ["unshare", "--net", "nft", "--check", "-f", file.name],
            capture_output=True,
            text=True,
            check=False,
        )
    assert checked.returncode == 0, checked.stderr


def test_it_lets_everything_pass_and_comes_before_rules_that_drop() -> None:
    text = ruleset(["10.0.0.0/8"], 0)
    assert text.startswith(f"table inet {TABLE} {{}}\ndelete table inet {TABLE}\n")
    assert text.count("policy accept") == 2
    assert "drop" not in text
    assert text.count("priority -350") == 2
