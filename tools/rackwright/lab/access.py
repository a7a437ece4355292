"""SSH into the lab: its key, the hosts' keys, and the command line."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from rackwright.errors import RackwrightError
from rackwright.lab.docker import execute
from rackwright.lab.model import Lab, LabHost
from rackwright.lab.recipe import USER

_INSTALL_KEY = f"""\
set -eu
umask 077
cd /home/{USER}
mkdir -p .ssh
cat >.ssh/authorized_keys
chown -R {USER}:{USER} .ssh
"""


def ensure_key(lab: Lab) -> str:
    """Make the lab's key pair unless it is there; returns the public key."""
    lab.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    public = lab.private_key.with_suffix(".pub")
    if not (lab.private_key.is_file() and public.is_file()):
        lab.private_key.unlink(missing_ok=True)
        settings = ["-t", "ed25519", "-N", "", "-C", f"lab {lab.name}", "-f", str(lab.private_key)]
        subprocess.run(["ssh-keygen", "-q", *settings], check=True, stdin=subprocess.DEVNULL)
    return public.read_text(encoding="utf-8")


def install_key(host: LabHost, public_key: str) -> None:
    """Let the lab's key in as the toolkit's user."""
    execute(host.container, ["sh", "-c", _INSTALL_KEY], data=public_key.encode())


def host_keys(host: LabHost) -> list[str]:
    """Return the host's lines for known_hosts, read through Docker and not from the network."""
    shown = execute(host.container, ["sh", "-c", "cat /etc/ssh/ssh_host_*_key.pub"])
    lines = [" ".join(line.split()[:2]) for line in shown.splitlines() if line.strip()]
    if not lines:
        raise RackwrightError(f"{host.name} has no SSH host keys")
    return [f"{host.address},{host.name} {line}" for line in lines]


def write_known_hosts(lab: Lab, keys: dict[str, list[str]]) -> None:
    """Write known_hosts for the given hosts; the other hosts' lines stay."""
    lines: list[str] = []
    if lab.known_hosts.is_file():
        # A line begins with `address,name`; the newly read hosts' old lines go.
        old = lab.known_hosts.read_text(encoding="utf-8").splitlines()
        lines += [line for line in old if line.split(" ", 1)[0].rpartition(",")[2] not in keys]
    lines += [line for host in sorted(keys) for line in keys[host]]
    draft = lab.known_hosts.with_suffix(".new")
    draft.write_text("\n".join(lines) + "\n", encoding="utf-8")
    draft.replace(lab.known_hosts)


def ssh_command(lab: Lab, host: LabHost, command: Sequence[str] = ()) -> list[str]:
    """Return the command line that opens a shell, or runs a command, on a host."""
    options = {
        "IdentityFile": lab.private_key,
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": lab.known_hosts,
        "StrictHostKeyChecking": "yes",
        "ConnectTimeout": 5,
        "LogLevel": "ERROR",
    }
    settings = [part for name, value in options.items() for part in ("-o", f"{name}={value}")]
    return ["ssh", *settings, f"{USER}@{host.address}", *command]


def answers(lab: Lab, host: LabHost) -> bool:
    """Tell whether the host lets the lab's key in and its user become root."""
    command = ssh_command(lab, host, ["sudo", "-n", "true"])
    batch = [command[0], "-o", "BatchMode=yes", *command[1:]]
    return subprocess.run(batch, capture_output=True, stdin=subprocess.DEVNULL, check=False).returncode == 0
