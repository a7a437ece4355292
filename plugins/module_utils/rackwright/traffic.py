"""Callers of a published port, led to another container of the same host.

A table of our own translates the address before Docker's does: the kernel translates each connection once, so
new connections go to the other container and those that exist stay where they are. The firewall judges a call
by the port that the caller used, which does not change. Each rule ends by itself, so that a run that was
killed leaves nothing for ever.
"""

from __future__ import annotations

import ipaddress
import json
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.rackwright import command

# One for each port, so that the instances of an engine are moved independently.
TABLE = "rackwright_switch"
_ESTABLISHED = "01"


class TrafficError(Exception):
    """Calls cannot be led there; says why."""


def table_of(port: int) -> str:
    """Return the name of a port's table."""
    return f"{TABLE}_{port}"


def ruleset(address: str, port: int, target: str, target_port: int, seconds: int) -> str:
    """Return the table as nft reads it.

    Args:
        address: The host's own, where the port is published.
        port: The port that callers use.
        target: The container's address.
        target_port: Its port.
        seconds: When the rule ends by itself.
    """
    # Before Docker's own, which are at -100.
    rule = f"ip daddr {address} tcp dport @moved counter dnat to {target}:{target_port}"
    table = table_of(port)
    return f"""table ip {table}
delete table ip {table}
table ip {table} {{
	set moved {{ type inet_service; flags timeout; elements = {{ {port} timeout {seconds}s }} }}
	chain prerouting {{ type nat hook prerouting priority -110; policy accept; {rule}; }}
	chain output {{ type nat hook output priority -110; policy accept; {rule}; }}
}}
"""


def lead(text: str) -> None:
    """Put a table into force, in one transaction.

    Raises:
        TrafficError: The kernel does not take it.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".nft") as file:
        file.write(text)
        file.flush()
        outcome = command.run(["nft", "-f", file.name])
    if outcome.rc != 0:
        raise TrafficError(f"nft does not take the rule: {outcome.output.strip()}")


def led(port: int) -> bool:
    """Tell whether callers of a port are led elsewhere."""
    return bool(command.run(["nft", "list", "table", "ip", table_of(port)]).rc == 0)


def direct(port: int) -> None:
    """Remove a port's table: callers meet again what is published.

    Raises:
        TrafficError: It cannot be removed.
    """
    outcome = command.run(["nft", "delete", "table", "ip", table_of(port)])
    if outcome.rc != 0 and led(port):
        raise TrafficError(f"nft does not remove the rule: {outcome.output.strip()}")


def container(name: str) -> dict[str, Any] | None:
    """Return what Docker says of a running container: address and pid; None where none of the name runs."""
    outcome = command.run(["docker", "container", "inspect", name])
    if outcome.rc != 0:
        return None
    found = json.loads(outcome.stdout)[0]
    addresses = [str(each["IPAddress"]) for each in found["NetworkSettings"]["Networks"].values()]
    if not found["State"]["Running"] or not any(addresses):
        return None
    address = next(each for each in addresses if each)
    return {"address": str(ipaddress.ip_address(address)), "pid": int(found["State"]["Pid"])}


def connections(pid: int, port: int, proc: Path = Path("/proc")) -> int:
    """Count the connections that a container's server has with callers, its own health checks left out."""
    count = 0
    for name in ("tcp", "tcp6"):
        try:
            lines = (proc / str(pid) / "net" / name).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue  # it has ended
        for line in lines:
            local, remote, state = line.split()[1:4]
            mine = int(local.rpartition(":")[2], 16) == port
            if mine and state == _ESTABLISHED and not _is_loopback(remote.rpartition(":")[0]):
                count += 1
    return count


def _is_loopback(text: str) -> bool:
    # Four bytes, the last first; of IPv6 the last four hold an address of IPv4.
    return text[-8:].upper().endswith("7F") or text == "00000000000000000000000001000000"
