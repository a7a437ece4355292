"""Networks that nothing leads out of: Docker's internal ones, within which the lab's gateway still routes.

Docker drops what has a foreign address on an internal bridge, also between two machines on it, where the
kernel shows bridged packets to iptables (br_netfilter). What stays on one bridge is let through before that.
"""

from __future__ import annotations

import shutil
import subprocess

from rackwright.lab.docker import inspect

_CHAIN = "DOCKER-USER"


def let_bridge_pass(network: str) -> None:
    """Let machines on an internal network pass packets of other networks among them."""
    for rule in _rules(network):
        if not _iptables("-C", rule):
            _iptables("-I", rule)


def forget_bridge(network: str) -> None:
    """Take the rule of a network away, before the network goes."""
    for rule in _rules(network):
        while _iptables("-C", rule):
            _iptables("-D", rule)


def _rules(network: str) -> list[list[str]]:
    found = inspect("network", network)
    if not found or not found[0]["Internal"]:
        return []
    bridge = f"br-{found[0]['Id'][:12]}"
    return [["-i", bridge, "-o", bridge, "-j", "ACCEPT"]]


def _iptables(action: str, rule: list[str]) -> bool:
    program = shutil.which("iptables") or "/usr/sbin/iptables"
    command = [program, "--wait", action, _CHAIN, *rule]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
