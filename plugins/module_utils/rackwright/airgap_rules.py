"""The rules that count what wants to leave a host, and what is read out of them: pure functions."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

TABLE = "rackwright_airgap"
# So many different senders and destinations are told apart; the counters count all.
SEEN = 1024
# Of the rule that says when counting began; every other rule counts what leaves.
_SINCE = "since "
# Never outside: the host itself, its link, groups of hosts on it.
_INSIDE = {
    "ip": ("127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255"),
    "ip6": ("::1", "fe80::/10", "ff00::/8"),
}


def ruleset(inside: Sequence[str], since: int) -> str:
    """Return the table, for `nft -f`; its counters begin at nothing.

    Args:
        inside: Networks of the site, IPv4 and IPv6; everything else is outside.
        since: When it begins, of the epoch; it is lost together with what was counted.
    """
    networks = {
        "ip": [*_INSIDE["ip"], *(each for each in inside if ":" not in each)],
        "ip6": [*_INSIDE["ip6"], *(each for each in inside if ":" in each)],
    }
    sets, sent, forwarded = [], [], []
    for family, kind, suffix in (("ip", "ipv4_addr", "4"), ("ip6", "ipv6_addr", "6")):
        elements = f"elements = {{ {', '.join(dict.fromkeys(networks[family]))} }}"
        key = f"{family} daddr . meta l4proto . th dport"
        bounds = f"flags dynamic; size {SEEN}; counter;"
        sets += [
            f"  set inside{suffix} {{ type {kind}; flags interval; auto-merge; {elements} }}",
            f"  set seen{suffix} {{ typeof meta skuid . {key}; {bounds} }}",
            f"  set forwarded{suffix} {{ typeof {family} saddr . {key}; {bounds} }}",
        ]
        outside = f"    {family} daddr != @inside{suffix}"
        ported = f"{outside} meta l4proto {{ tcp, udp }}"
        sent += [
            f"{outside} counter name outside",
            f"{ported} th dport 53 counter name names",
            f"{ported} update @seen{suffix} {{ meta skuid . {key} }}",
        ]
        forwarded += [
            f"{outside} counter name outside",
            f"{ported} th dport 53 counter name names",
            f"{ported} update @forwarded{suffix} {{ {family} saddr . {key} }}",
        ]
    lines = [
        f"table inet {TABLE} {{}}",
        f"delete table inet {TABLE}",
        f"table inet {TABLE} {{",
        "  counter outside {}",
        "  counter names {}",
        *sets,
        # Before any rule that drops: what is tried counts.
        "  chain sent {",
        "    type filter hook output priority -350; policy accept;",
        f'    counter comment "{_SINCE}{since}"',
        *sent,
        "  }",
        # From containers, which have addresses of their own, through this host.
        "  chain passed {",
        "    type filter hook forward priority -350; policy accept;",
        *forwarded,
        "  }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def readings(listing: str) -> dict[str, Any]:
    """Return what was counted, of `nft --json list table`.

    Args:
        listing: What nft said.

    Returns:
        `packets` to the outside, `names` of it that ask for a name, `since` (of the epoch), and `seen`: who,
        where to, how many.
    """
    found: dict[str, Any] = {"packets": 0, "names": 0, "since": 0, "seen": []}
    for entry in json.loads(listing)["nftables"]:
        counter, named = entry.get("counter"), entry.get("set")
        comment = str((entry.get("rule") or {}).get("comment", ""))
        if counter and counter["name"] == "outside":
            found["packets"] = counter["packets"]
        elif counter and counter["name"] == "names":
            found["names"] = counter["packets"]
        elif comment.startswith(_SINCE):
            found["since"] = int(comment.removeprefix(_SINCE))
        elif named and named["name"].startswith(("seen", "forwarded")):
            found["seen"] += [_seen(each, named["name"]) for each in named.get("elem", [])]
    return found


def _seen(element: Any, name: str) -> dict[str, Any]:  # noqa: ANN401 - nft's own form
    inner = element["elem"] if isinstance(element, dict) and "elem" in element else {"val": element}
    sender, destination, protocol, port = inner["val"]["concat"]
    packets = inner.get("counter", {}).get("packets", 0)
    kind = "address" if name.startswith("forwarded") else "uid"
    return {kind: sender, "to": destination, "protocol": protocol, "port": port, "packets": packets}
