#!/usr/bin/python
# Copyright: Rackwright contributors
# SPDX-License-Identifier: Apache-2.0
"""Makes a PostgreSQL cluster once, and refuses a host that holds one of another major version."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright import systemd
from ansible.module_utils.rackwright.verified import Watch

DOCUMENTATION = r"""
module: postgresql_cluster
short_description: Make a PostgreSQL cluster with Debian's pg_createcluster
description:
  - Makes the cluster with data checksums, SCRAM for hosts and peer for local connections, and does not start
    it. A cluster that exists stays as it is, whatever it was made with.
  - A creation that was interrupted is cleared away and done again; that the remains were never started, and
    so hold no data, is checked first.
  - Refuses when a cluster of the same name but another major version exists, because a major upgrade is an
    operation of its own.
options:
  version:
    description: Major version.
    type: str
    required: true
  name:
    description: Name of the cluster.
    type: str
    default: main
  port:
    description: Its TCP port.
    type: int
    default: 5432
  data_directory:
    description: Where its data is.
    type: path
    required: true
  locale:
    description: Its locale; fixed at creation.
    type: str
    default: C.UTF-8
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Make the cluster
  postgresql_cluster:
    version: "17"
    data_directory: /var/lib/postgresql/17/main
"""

RETURN = r"""
reason:
  description: Why something changed; empty when nothing did.
  type: str
  returned: always
"""

CONFIGURATION = Path("/etc/postgresql")
LIBRARIES = Path("/usr/lib/postgresql")


class RefusedError(Exception):
    """The host is in a state that this module does not change; the message says what to do."""


def other_majors(root: Path, version: str, name: str) -> list[str]:
    """Return the other major versions of which a cluster of this name is configured, in order."""
    found = (path.parent.name for path in root.glob(f"*/{name}") if path.is_dir())
    return sorted((major for major in found if major != version), key=str)


def major_of(data_directory: Path) -> str:
    """Return the major version of the data in a directory; empty when there is none."""
    try:
        return (data_directory / "PG_VERSION").read_text().strip()
    except OSError:
        return ""


def never_started(data_directory: Path) -> bool:
    """Whether no server has ever run on a directory: the first start writes postmaster.opts."""
    return not (data_directory / "postmaster.opts").exists()


def check_majors(root: Path, data_directory: Path, version: str, name: str) -> None:
    """Refuse a host that holds this cluster in another major version."""
    others = other_majors(root, version, name)
    held = major_of(data_directory)
    if held and held != version:
        others.append(held)
    if not others:
        return
    there = ", ".join(sorted(set(others)))
    raise RefusedError(
        f"postgresql_version is {version}, but the cluster `{name}` on this host is of version {there}. "
        f'A major upgrade is not part of a converge: keep it with postgresql_version: "{others[0]}", or move '
        f"its data first (pg_dumpall, then pg_dropcluster --stop {others[0]} {name})."
    )


class Creation:
    """The making of one cluster, with a marker so that an interrupted one is known as such."""

    def __init__(self, module: Any) -> None:  # noqa: ANN401
        self._module = module
        self._version: str = module.params["version"]
        self._name: str = module.params["name"]
        self._data = Path(module.params["data_directory"])
        self._configuration = CONFIGURATION / self._version / self._name
        self._marker = CONFIGURATION / f".rackwright-creating-{self._version}-{self._name}"

    def needed(self) -> str:
        """Return why the cluster has to be made; empty when it is there."""
        if self._marker.exists() and never_started(self._data):
            return "an interrupted creation is done again"
        if (self._configuration / "postgresql.conf").exists() and major_of(self._data):
            return ""
        return "created"

    def looked_at(self) -> list[str]:
        """Return the paths by which a cluster, or one of another version, is known."""
        paths = [CONFIGURATION, *sorted(CONFIGURATION.glob("*")), self._configuration / "postgresql.conf"]
        return [str(path) for path in (*paths, self._marker, self._data / "PG_VERSION")]

    def run(self) -> None:
        """Make the cluster."""
        program = shutil.which("pg_createcluster")
        if program is None or not (LIBRARIES / self._version / "bin" / "initdb").exists():
            raise RefusedError(
                f"PostgreSQL {self._version} is not installed: run the role's install stage first"
            )
        if self._marker.exists() and never_started(self._data):
            shutil.rmtree(self._configuration, ignore_errors=True)
            shutil.rmtree(self._data, ignore_errors=True)
        self._marker.touch()
        command = [program, "--port", str(self._module.params["port"]), "--datadir", str(self._data)]
        command += [
            "--locale",
            self._module.params["locale"],
            "--encoding",
            "UTF8",
            self._version,
            self._name,
        ]
        command += ["--", "--data-checksums", "--auth-local=peer", "--auth-host=scram-sha-256"]
        # It has systemd read all its unit files again, which the start does not need.
        silenced = {"SYSTEMD_OFFLINE": "1"}
        status, out, error = self._module.run_command(command, cwd="/", environ_update=silenced)
        systemd.daemon_reload_later()
        if status != 0:
            raise RefusedError(f"pg_createcluster failed: {' '.join((error or out).split())}")
        self._marker.unlink()


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "version": {"type": "str", "required": True},
            "name": {"type": "str", "default": "main"},
            "port": {"type": "int", "default": 5432},
            "data_directory": {"type": "path", "required": True},
            "locale": {"type": "str", "default": "C.UTF-8"},
        },
        supports_check_mode=True,
    )
    data_directory = Path(module.params["data_directory"])
    creation = Creation(module)
    watch = Watch(module, {"paths": creation.looked_at()})
    try:
        check_majors(CONFIGURATION, data_directory, module.params["version"], module.params["name"])
        reason = creation.needed()
        if reason and not module.check_mode:
            creation.run()
    except RefusedError as error:
        module.fail_json(msg=str(error))
    result = {"changed": bool(reason), "reason": reason}
    watch.keep(result, with_arguments=True)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
