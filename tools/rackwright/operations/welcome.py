"""What a newcomer is told when a site stands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rackwright.errors import RackwrightError
from rackwright.site.inventory import load_inventory


def welcome_text(inventories: Sequence[Path]) -> str:
    """Return where the site is and the commands to ask it something.

    Args:
        inventories: inventory sources.

    Raises:
        RackwrightError: the site has no edge host.
    """
    inventory = load_inventory(inventories)
    edges = inventory.members("edge")
    if not edges:
        raise RackwrightError("group `edge`: no host", hint="put the host that runs Nginx into group edge")
    variables = inventory.hosts[edges[0]].variables
    address, domain = variables["ansible_host"], variables["domain"]
    clients = inventory.members("outside")
    url = f"https://api.{domain}/api/chat"
    ask = (
        f"curl -N {url} \\\n"
        f'         --cacert "$(rackwright pki ca)" --resolve api.{domain}:443:{address} \\\n'
        '         -H "Authorization: Bearer $(rackwright token --user you)" \\\n'
        '         -H "Content-Type: application/json" -d \'{"message": "What is a rack?"}\''
    )
    lines = [
        f"API      {url}   (address {address})",
        "Token    rackwright token --user you",
        f"Ask      {ask}",
        "Health   rackwright health",
        "Zones    rackwright topology",
    ]
    if clients:
        lines.append(f"Outside  rackwright lab ssh {clients[0]}   (a client in no zone)")
    return "\n".join(lines)
