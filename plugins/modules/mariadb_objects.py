#!/usr/bin/python
# Copyright: Rackwright contributors
# SPDX-License-Identifier: Apache-2.0
"""Databases, accounts and rights of a MariaDB server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.mariadb import QUESTION, Change, MariadbError, check, plan
from ansible.module_utils.rackwright.store_users import users_option

DOCUMENTATION = r"""
module: mariadb_objects
short_description: Keep databases, accounts and rights of a MariaDB server
description:
  - Asks the running server through its local socket what there is, and changes only what differs. All of it
    is one remote call; passwords go to the server as verifiers, on standard input.
  - Each user is an account at each caller, over TLS alone. An account of a listed name at another address is
    removed, as are anonymous accounts and the database C(test); what has another name is left alone.
options:
  socket:
    description: The server's socket.
    type: path
    default: /run/mysqld/mysqld.sock
  databases:
    description: Databases. None is ever removed.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name., type: str, required: true}
      character_set: {description: Of a new database., type: str, default: utf8mb4}
      collation: {description: Of a new database., type: str, default: utf8mb4_unicode_ci}
  users:
    description: Users that call from elsewhere.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name., type: str, required: true}
      password: {description: Password., type: str, required: true}
      connection_limit: {description: 'Most connections at a time; 0 is no limit.', type: int, default: 0}
      grants:
        description: What it may do.
        type: list
        elements: dict
        default: []
        suboptions:
          database: {description: One of O(databases)., type: str, required: true}
          rights: {description: How much., type: str, choices: [read, write, own], default: write}
  callers:
    description: Networks that users call from.
    type: list
    elements: str
    default: []
  watcher:
    description: Account of the host that may ask what the server does, by the socket and without a password.
    type: str
    default: ''
  asked_from:
    description: >-
      Addresses of the hosts that have such a server, from which each asks for its own health; accounts that
      nobody can use let them see the certificate. At another address there is none.
    type: list
    elements: str
    default: []
attributes:
  check_mode:
    support: full
    details: >-
      On a host that never had a server, all that is listed counts as missing; while one does not run,
      RV(unasked) says so and nothing is presumed.
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Keep databases and users
  mariadb_objects:
    databases: [{name: shop}]
    users:
      - {name: shop, password: "{{ vault_shop_password }}", grants: [{database: shop, rights: own}]}
    callers: [10.0.20.11/32]
  no_log: true
"""

RETURN = r"""
items:
  description: What changed, one entry per object; never a password.
  type: list
  elements: dict
  returned: always
  sample: [{kind: account, name: shop@10.0.20.11, actions: [created]}]
server_version:
  description: What the server calls its version; empty when it was not asked.
  type: str
  returned: always
unasked:
  description: Why nothing is known; only in check mode, while the server does not run.
  type: str
  returned: sometimes
"""

DATABASE = {
    "name": {"type": "str", "required": True},
    "character_set": {"type": "str", "default": "utf8mb4"},
    "collation": {"type": "str", "default": "utf8mb4_unicode_ci"},
}


# Where it is missing no server was ever installed: in check mode all that is listed counts as missing, too.
DATA = "/var/lib/mysql"
NOTHING: dict[str, Any] = {"version": "", "databases": [], "accounts": [], "global": [], "rights": []}


def run(module: Any, sql: str) -> str:  # noqa: ANN401
    """Send SQL on the client's standard input, as root by the socket; return what it printed.

    Raises:
        MariadbError: What the client said. Its words may quote SQL, so the verifiers in it are taken out.
    """
    program = module.get_bin_path("mariadb")
    if program is None:
        raise MariadbError("the client `mariadb` is not installed")
    command = [program, "--no-defaults", "--user=root", f"--socket={module.params['socket']}"]
    command += ["--batch", "--raw", "--skip-column-names"]
    status, out, error = module.run_command(command, data=sql, cwd="/")
    if status != 0:
        said = " ".join(error.split()) or f"the client ended with status {status}"
        raise MariadbError(" ".join(word if "*" not in word else "…" for word in said.split(" ")))
    return str(out)


def apply(module: Any, changes: list[Change]) -> None:  # noqa: ANN401
    """Make the changes; each is sent on its own, so that an error names its object."""
    for change in changes:
        try:
            run(module, "\n".join(change.sql))
        except MariadbError as error:
            raise MariadbError(f"{change.kind} {change.name}: {error}") from error


def converge(module: Any) -> dict[str, Any]:  # noqa: ANN401
    """Do the module's work and return its result."""
    check(module.params)
    state: dict[str, Any] = NOTHING
    if not module.check_mode or Path(DATA).exists():
        try:
            state = json.loads(run(module, QUESTION))
        except MariadbError as error:
            if not module.check_mode:
                raise
            return {"changed": False, "items": [], "server_version": "", "unasked": str(error)}
    changes = plan(module.params, state)
    if not module.check_mode:
        apply(module, changes)
    items = [{"kind": item.kind, "name": item.name, "actions": list(item.actions)} for item in changes]
    return {"changed": bool(changes), "items": items, "server_version": state["version"]}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "socket": {"type": "path", "default": "/run/mysqld/mysqld.sock"},
            "databases": {"type": "list", "elements": "dict", "default": [], "options": DATABASE},
            "users": users_option(connection_limit={"type": "int", "default": 0}),
            "callers": {"type": "list", "elements": "str", "default": []},
            "watcher": {"type": "str", "default": ""},
            "asked_from": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    try:
        outcome = converge(module)
    except MariadbError as error:
        module.fail_json(msg=str(error))
    else:
        module.exit_json(**outcome)


if __name__ == "__main__":
    main()
