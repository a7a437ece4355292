#!/usr/bin/python
# Copyright: Rackwright contributors
# SPDX-License-Identifier: Apache-2.0
"""Looks at a host with an auditor's eyes, and says what is there; it judges nothing and changes nothing."""

from __future__ import annotations

import json
import re
import tempfile
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright import apparmor, rights

DOCUMENTATION = r"""
module: host_audit
short_description: What an audit must know of a host
description:
  - Runs Lynis, systemd's own assessment of units and, where targets are given, testssl.sh.
  - Lists listening sockets, rights of keys and secrets, ends of certificates, containers.
options:
  units:
    description: Services to assess besides C(rackwright-*); of one with instances, the instances.
    type: list
    elements: str
    default: []
  secrets:
    description: Directories with keys and secrets.
    type: list
    elements: path
    default: [/etc/rackwright]
  tls_targets: {description: "C(name:port) for testssl.sh.", type: list, elements: str, default: []}
  lynis_skips: {description: Tests that Lynis leaves out., type: list, elements: str, default: []}
  tls_address: {description: The address that the names stand for., type: str, default: ""}
  profiles:
    description: AppArmor profiles that services are to run under, as the module C(confinement) takes them.
    type: list
    elements: dict
    default: []
  files: {description: Files whose text is wanted., type: list, elements: path, default: []}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Look at the host
  host_audit:
    units: [nginx.service]
"""

RETURN = r"""
lynis:
  description: Hardening index, warnings and suggestions; null when Lynis is not installed.
  returned: always
  type: dict
units:
  description: Exposure of each unit, from 0 to 10.
  returned: always
  type: dict
listening:
  description: Sockets that are listened on.
  returned: always
  type: list
  elements: dict
secrets:
  description: Files below the directories, with owner, group and mode, and whether a private key is in them.
  returned: always
  type: list
  elements: dict
certificates:
  description: Certificates below the directories, with the seconds until they end.
  returned: always
  type: list
  elements: dict
sshd:
  description: Settings that sshd has in force.
  returned: always
  type: dict
containers:
  description: Running containers with their images.
  returned: always
  type: list
  elements: dict
auditd:
  description: State of the recorder; C(container) where the machine under it records.
  returned: always
  type: str
apparmor:
  description: >-
    Why there can be no profiles (C(lacking)), O(profiles) again (C(wanted)), what each of their units runs
    under (C(units)), and each container (C(containers)).
  returned: always
  type: dict
tls:
  description: Findings of testssl.sh by target; null when it is not installed.
  returned: always
  type: dict
files:
  description: Texts of files.
  returned: always
  type: dict
"""

REPORT = Path("/var/log/lynis-report.dat")


class Looker:
    """The parts of the look, one method each."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module

    def output(self, *command: str) -> str:
        """Returns what a program says; empty when it fails or is not there."""
        if self.module.get_bin_path(command[0]) is None:
            return ""
        code, out, _ = self.module.run_command(list(command), environ_update={"LC_ALL": "C.UTF-8"})
        return str(out) if code == 0 else ""

    def lynis(self, skips: list[str]) -> dict[str, Any] | None:
        """Runs Lynis; it writes its report to a file of its own."""
        program = self.module.get_bin_path("lynis")
        if program is None:
            return None
        with tempfile.NamedTemporaryFile("w", suffix=".prf") as profile:
            profile.write("".join(f"skip-test={test}\n" for test in skips))
            profile.flush()
            options = ["--quick", "--quiet", "--no-colors", "--profile", profile.name]
            self.module.run_command([program, "audit", "system", *options])
        found: dict[str, Any] = {"index": None, "warnings": [], "suggestions": [], "version": ""}
        for line in REPORT.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition("=")
            if key == "hardening_index":
                found["index"] = int(value)
            elif key == "lynis_version":
                found["version"] = value
            elif key in ("warning[]", "suggestion[]"):
                test, _, rest = value.partition("|")
                found[f"{key[:-2]}s"].append({"test": test, "text": rest.split("|")[0]})
        return found

    def units(self, names: list[str]) -> dict[str, float | None]:
        """Asks systemd how exposed each unit is; a unit that stands for its instances is those."""
        found: dict[str, float | None] = {}
        there = self._loaded("rackwright-*.service")
        for name in names:
            there += self._loaded(name.replace(".service", "@*.service")) or [name]
        for name in dict.fromkeys(there):
            text = self.output("systemd-analyze", "security", "--no-pager", name)
            match = re.search(r"Overall exposure level for .*?: ([0-9.]+)", text)
            found[name] = float(match.group(1)) if match else None
        return found

    def _loaded(self, pattern: str) -> list[str]:
        """Lists the units of a pattern that systemd knows."""
        text = self.output(
            "systemctl", "list-units", "--all", "--plain", "--no-legend", "--no-pager", pattern
        )
        return [line.split()[0] for line in text.splitlines() if line.split()[1:2] == ["loaded"]]

    def listening(self) -> list[dict[str, Any]]:
        """Lists listening sockets."""
        sockets = []
        for protocol, option in (("tcp", "-Hltnp"), ("udp", "-Hlunp")):
            for line in self.output("ss", option).splitlines():
                place = line.split()[3]
                address, _, port = place.rpartition(":")
                process = re.search(r'\(\("([^"]+)"', line)
                sockets.append(
                    {
                        "protocol": protocol,
                        "address": address.partition("%")[0].strip("[]"),
                        "port": int(port) if port.isdigit() else 0,
                        "process": process.group(1) if process else "",
                    }
                )
        return sockets

    def certificates(self, directories: list[str]) -> list[dict[str, Any]]:
        """Lists certificates with their ends."""
        found = []
        for directory in directories:
            for path in sorted(Path(directory).rglob("*.pem")):
                text = self.output("openssl", "x509", "-in", str(path), "-noout", "-enddate", "-subject")
                end = re.search(r"notAfter=(.+)", text)
                if end is None:
                    continue
                left = self.output("date", "-u", "-d", end.group(1), "+%s")
                now = self.output("date", "-u", "+%s")
                subject = re.search(r"subject=(.+)", text)
                days = (int(left) - int(now)) // 86400
                found.append(
                    {"path": str(path), "subject": subject.group(1) if subject else "", "days": days}
                )
        return found

    def sshd(self) -> dict[str, str]:
        """Returns the settings that sshd has in force."""
        pairs = (line.partition(" ") for line in self.output("sshd", "-T").splitlines())
        return {name: value for name, _, value in pairs}

    def containers(self) -> list[dict[str, str]]:
        """Lists running containers, each with the image as it was asked for."""
        lines = self.output("docker", "ps", "--no-trunc", "--format", "{{.Names}} {{.Image}}").splitlines()
        pairs = (line.partition(" ") for line in lines)
        return [{"name": name, "image": image} for name, _, image in pairs]

    def auditd(self) -> str:
        """Returns the state of auditd; `container` where the machine under it records."""
        if self.output("systemd-detect-virt", "--container").strip() not in ("", "none"):
            return "container"
        _, out, _ = self.module.run_command(["systemctl", "is-active", "auditd.service"])
        return str(out).strip()

    def tls(self, targets: list[str], address: str) -> dict[str, Any] | None:
        """Runs testssl.sh against each target; it writes JSON to a file."""
        program = self.module.get_bin_path("testssl")
        if program is None or not targets:
            return None
        found = {}
        for target in targets:
            with tempfile.TemporaryDirectory() as directory:
                report = Path(directory) / "report.json"
                command = [program, "--quiet", "--color", "0", "--warnings", "off", "--nodns", "none"]
                command += ["--ip", address] if address else []
                # Handshakes of old clients are simulated for half of the time, and judge nothing.
                command += ["--protocols", "--server-defaults", "--server-preference", "--fs", "--headers"]
                command += ["--vulnerable", "--std", "--jsonfile", str(report), target]
                self.module.run_command(command)
                try:
                    found[target] = json.loads(report.read_text(encoding="utf-8"))
                except (OSError, ValueError):
                    found[target] = []
        return found


def main() -> None:
    """The module's entry point."""
    text = {"type": "list", "elements": "str", "default": []}
    module = AnsibleModule(
        argument_spec={
            "units": text,
            "secrets": {"type": "list", "elements": "path", "default": ["/etc/rackwright"]},
            "tls_targets": text,
            "lynis_skips": text,
            "tls_address": {"type": "str", "default": ""},
            "profiles": {"type": "list", "elements": "dict", "default": []},
            "files": {"type": "list", "elements": "path", "default": []},
        },
        supports_check_mode=True,
    )
    given, looker = module.params, Looker(module)
    texts = {}
    for path in given["files"]:
        if Path(path).is_file():
            texts[path] = Path(path).read_text(encoding="utf-8", errors="replace")
    module.exit_json(
        changed=False,
        lynis=looker.lynis(given["lynis_skips"]),
        units=looker.units(given["units"]),
        listening=looker.listening(),
        secrets=rights.of_files(given["secrets"]),
        certificates=looker.certificates(given["secrets"]),
        sshd=looker.sshd(),
        containers=looker.containers(),
        auditd=looker.auditd(),
        apparmor=apparmor.report(given["profiles"]),
        tls=looker.tls(given["tls_targets"], given["tls_address"]),
        files=texts,
    )


if __name__ == "__main__":
    main()
