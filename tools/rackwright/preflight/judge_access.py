"""Why a host could not be asked: the network, SSH, sudo or Python, told apart by what they said."""

from __future__ import annotations

import re

from rackwright.preflight.finding import HostFinding

_DETAIL = 160
_NO_SUDO = "|".join(
    (
        r"Missing sudo password|Incorrect sudo password|password is required|a password for",
        r"not in the sudoers|not allowed to execute|may not run sudo|not allowed to run sudo|Sorry, user",
        r"terminal is required|must have a tty",
        r"privilege escalation prompt|stream waiting for become",
    )
)
_NO_PYTHON = "|".join(
    (
        r"python\S*: (command )?not found|python\S*: No such file|interpreter .* not found",
        r"SyntaxError|requires a minimum of Python",
    )
)
# The first that fits counts; sudo and Python can only fail after SSH has worked.
_REASONS: tuple[tuple[str, str, str, str, str], ...] = (
    (
        r"REMOTE HOST IDENTIFICATION HAS CHANGED|host key for .* has changed",
        "reachable",
        "its host key is another than the known one",
        "the host key that is known",
        "was it installed anew? Then `ssh-keygen -R <address>` and accept its new key; if not, beware",
    ),
    (
        r"No \w+ host key is known|Host key verification failed",
        "reachable",
        "its host key is not known",
        "a known host key",
        "compare its fingerprint at the console, then add `ssh-keyscan <address>` to the known hosts",
    ),
    (
        r"no such identity|Load key|bad permissions",
        "reachable",
        "the key for it cannot be read on the control node",
        "a log-in by key",
        "correct ansible_ssh_private_key_file; the file must be yours alone (chmod 600)",
    ),
    (
        r"Permission denied \(|Too many authentication failures",
        "reachable",
        "it refuses the key or the user",
        "a log-in by key",
        "check ansible_user and ansible_ssh_private_key_file; `ssh-copy-id` brings the key to the host",
    ),
    (
        r"Could not resolve hostname|Name or service not known|Temporary failure in name resolution",
        "reachable",
        "its name does not resolve on the control node",
        "an address",
        "write an IP address as ansible_host",
    ),
    (
        r"Connection refused",
        "reachable",
        "it refuses the connection: nothing listens on the SSH port",
        "SSH",
        "start the SSH server (`systemctl enable --now ssh`), or correct ansible_port",
    ),
    (
        r"No route to host|Network is unreachable|Host is unreachable",
        "reachable",
        "there is no route to it",
        "a way from the control node",
        "check address, cabling and routes, and that management_sources has the control node",
    ),
    (
        r"waiting for privilege escalation prompt",
        "sudo",
        "sudo does not answer in time",
        "sudo without a password",
        "try `sudo -n true` there: it waits for a name server, or this or that machine is overloaded",
    ),
    (
        r"timed out|Timeout|did not respond|timeout",
        "reachable",
        "it does not answer in time",
        "an answer",
        "check that it is on, the address, and that no firewall drops SSH from the control node",
    ),
    (
        r"Connection (closed|reset)|kex_exchange_identification|banner exchange|Connection to .* closed by",
        "reachable",
        "it closes the connection before a log-in",
        "SSH",
        "look into its SSH log: MaxStartups, fail2ban or a list of addresses refuse the control node",
    ),
    (
        r"sudo: (command )?not found|sudo: No such file|No such file or directory: 'sudo'",
        "sudo",
        "sudo is not installed",
        "sudo without a password",
        "install the package sudo, then give the user a rule in /etc/sudoers.d",
    ),
    (
        _NO_SUDO,
        "sudo",
        "the user may not become root without a password",
        "sudo without a password",
        "write `<user> ALL=(ALL) NOPASSWD: ALL` to /etc/sudoers.d/<user>; `visudo -cf <file>` checks it",
    ),
    (
        _NO_PYTHON,
        "python",
        "there is no usable Python",
        "Python 3.10 or newer as /usr/bin/python3",
        "install the package python3",
    ),
    (
        r"No space left on device",
        "disk",
        "its disk is full",
        "free space",
        "free some space (`du -xhd1 /`), then look again",
    ),
    (
        r"Read-only file system",
        "read_only",
        "its file system is read-only",
        "file systems that can be written",
        "look into the kernel's log for disk errors, repair with fsck, mount it for writing",
    ),
)


def access_finding(host: str, problem: str) -> HostFinding:
    """Return why a host could not be asked.

    Args:
        host: Its name.
        problem: What ssh, sudo or the shell said.
    """
    for pattern, check, found, needed, mend in _REASONS:
        if re.search(pattern, problem):
            return HostFinding("error", host, check, found, needed, mend)
    said = " ".join(problem.split()) or "it gave no reason"
    shown = said if len(said) <= _DETAIL else f"…{said[-_DETAIL:]}"
    return HostFinding(
        "error",
        host,
        "reachable",
        shown,
        "an answer by SSH",
        "try `ansible <host> -m ping -vvv` with the same inventory",
    )
