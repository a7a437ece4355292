from __future__ import annotations

import subprocess

from rackwright.lab.access import ensure_key, ssh_command, write_known_hosts
from rackwright.lab.model import Lab


def test_key_is_made_once_and_is_private(lab: Lab) -> None:
    first = ensure_key(lab)
    assert first.startswith("ssh-ed25519 ")
    assert ensure_key(lab) == first
    assert lab.private_key.stat().st_mode & 0o077 == 0
    derived = subprocess.run(
        ["ssh-keygen", "-y", "-f", str(lab.private_key)], capture_output=True, text=True, check=True
    )
    assert derived.stdout.split()[1] == first.split()[1]


def test_half_a_key_pair_is_made_anew(lab: Lab) -> None:
    first = ensure_key(lab)
    lab.private_key.with_suffix(".pub").unlink()
    assert ensure_key(lab) != first


def test_known_hosts_replaces_only_what_was_read_anew(lab: Lab) -> None:
    lab.directory.mkdir(parents=True)
    write_known_hosts(lab, {"app1": ["10.9.20.11,app1 ssh-ed25519 OLD"], "edge1": ["10.9.10.11,edge1 k E"]})
    write_known_hosts(lab, {"app1": ["10.9.20.11,app1 ssh-ed25519 NEW"]})
    assert sorted(lab.known_hosts.read_text().splitlines()) == [
        "10.9.10.11,edge1 k E",
        "10.9.20.11,app1 ssh-ed25519 NEW",
    ]


def test_ssh_trusts_only_the_labs_own_list(lab: Lab) -> None:
    command = ssh_command(lab, lab.hosts[0], ["true"])
    assert "StrictHostKeyChecking=yes" in command
    assert f"UserKnownHostsFile={lab.known_hosts}" in command
    assert command[-2:] == [f"rackwright@{lab.hosts[0].address}", "true"]
