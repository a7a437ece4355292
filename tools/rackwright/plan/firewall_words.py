"""What a change of the packet filter means, in words: which flow is new and which is gone."""

from __future__ import annotations

import re
from dataclasses import dataclass

_SET = re.compile(r"set (\w+) \{[^{}]*?elements = \{([^}]*)\}", re.DOTALL)
_CHAIN = re.compile(r"chain (\w+) \{(.*?)\n\t\}", re.DOTALL)
# Our template and nft's own listing write a rule the same way, but for the counter's figures.
_RULE = re.compile(
    r"^\s*(?P<who>meta nfproto (?P<family>ipv[46])|ip6? [sd]addr @(?P<set>\w+)) .*?"
    r"(?:(?P<protocol>tcp|udp) dport|proto-dst) (?P<port>\d+).* accept"
    r'(?: comment "(?P<title>[^"]*)")?',
)
_DIRECTIONS = {"input": "in", "inbound": "in", "published": "in", "outbound": "out"}


@dataclass(frozen=True, order=True)
class Flow:
    """One peer that may use one port: in from it, or out to it."""

    direction: str
    title: str
    port: str
    peer: str

    def __str__(self) -> str:
        """Say it in words."""
        word = "from" if self.direction == "in" else "to"
        return f"{self.title} ({self.port}) {word} {self.peer}"


def flows_of(ruleset: str) -> set[Flow]:
    """Read every flow that a text of rules allows; rules for neighbours, DHCP and ping are not counted."""
    sets = {
        name: [element for element in re.split(r"[,\s]+", elements) if element]
        for name, elements in _SET.findall(ruleset)
    }
    found: set[Flow] = set()
    for chain, body in _CHAIN.findall(ruleset):
        if chain not in _DIRECTIONS:
            continue
        for line in body.splitlines():
            rule = _RULE.match(line)
            if rule is None:
                continue
            peers = sets.get(rule["set"] or "", []) if rule["set"] else [f"any {rule['family']} address"]
            protocol = rule["protocol"] or ("udp" if "l4proto udp" in line else "tcp")
            title = rule["title"] or "unnamed"
            found |= {Flow(_DIRECTIONS[chain], title, f"{rule['port']}/{protocol}", peer) for peer in peers}
    return found


def changed_flows(before: str, after: str) -> tuple[list[Flow], list[Flow]]:
    """Compare two texts of rules.

    Returns:
        The flows that would be allowed, and those that would be denied, each in order.
    """
    old, new = flows_of(before), flows_of(after)
    return sorted(new - old), sorted(old - new)
