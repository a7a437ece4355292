#!/usr/bin/python
# Copyright: Rackwright contributors
# SPDX-License-Identifier: Apache-2.0
"""Roles, databases and extensions of a PostgreSQL cluster, and whether the server took its configuration."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.postgresql import PostgresqlError, Server, running_server
from ansible.module_utils.rackwright.postgresql_jobs import DATABASE, JOBS, plan_extension, plan_jobs
from ansible.module_utils.rackwright.postgresql_look import questions, settled_state, subject
from ansible.module_utils.rackwright.postgresql_plan import (
    EXTENSIONS,
    INSIDE,
    Change,
    check_names,
    plan,
)
from ansible.module_utils.rackwright.postgresql_pooler import STATE, plan_pooler
from ansible.module_utils.rackwright.postgresql_restart import STARTUP_SETTINGS, restart_names
from ansible.module_utils.rackwright.verified import Watch

DOCUMENTATION = r"""
module: postgresql_objects
short_description: Keep roles, databases and extensions of a PostgreSQL cluster
description:
  - Asks the running server through its local socket what there is, and changes only what differs. All of it
    is one remote call; passwords go to the server as SCRAM verifiers, on standard input, outside its log.
  - A stored verifier is computed again with its own salt, so an unchanged password changes nothing.
  - Before that it asks whether the server took its configuration. Errors in the configuration fail the task,
    and settings that wait for a restart are given one.
  - Roles and databases that are not listed are left alone.
options:
  data_directory:
    description: Data directory of the cluster; tells the port and the socket.
    type: path
    required: true
  configuration_directory:
    description: Directory of the cluster's configuration.
    type: path
    required: true
  unit:
    description: Unit to restart when settings wait for a restart.
    type: str
    required: true
  roles:
    description: Roles that may log in.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name., type: str, required: true}
      password: {description: Password in printable ASCII., type: str, required: true}
      connection_limit: {description: Most connections at a time, -1 for no limit., type: int, default: -1}
      member_of: {description: Roles whose rights it has., type: list, elements: str, default: []}
  databases:
    description: Databases; nobody but the owner and those granted may connect.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name., type: str, required: true}
      owner: {description: A role of O(roles) or one that exists., type: str, default: postgres}
      users: {description: Roles that may make tables in it., type: list, elements: str, default: []}
      extensions: {description: Extensions to create in it., type: list, elements: str, default: []}
  jobs:
    description:
      - Jobs that pg_cron runs. Their names get a prefix of ours; one of ours that is not listed is removed.
      - pg_cron must be among the preloaded libraries.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name., type: str, required: true}
      schedule: {description: When, as cron has it., type: str, required: true}
      database: {description: Where it runs., type: str, required: true}
      role: {description: Who runs it., type: str, required: true}
      command: {description: SQL., type: str, required: true}
  pooler:
    description: Whether a pooler of this host may ask for verifiers, by a role and a function of its own.
    type: bool
    default: false
  foreseen:
    description: Configuration files that a run in check mode would have written, by path; set by the action.
    type: dict
    default: {}
attributes:
  check_mode:
    support: full
    details: >-
      When the server was never started, all that is listed counts as missing; when it is down, RV(unasked)
      says so and nothing is presumed. Settings that the same run would write count as written.
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Keep roles and databases
  postgresql_objects:
    data_directory: /var/lib/postgresql/17/main
    configuration_directory: /etc/postgresql/17/main
    unit: postgresql@17-main.service
    roles: [{name: app, password: "{{ vault_postgresql_app_password }}"}]
    databases: [{name: ai_platform, users: [app], extensions: [pg_stat_statements]}]
  no_log: true
"""

RETURN = r"""
items:
  description: What changed, one entry per object; never a password.
  type: list
  elements: dict
  returned: always
  sample: [{kind: role, name: app, actions: [password changed]}]
unit:
  description: The unit of the cluster.
  type: str
  returned: always
restarted_for:
  description: Settings that waited for a restart and got one; in check mode, that would.
  type: list
  elements: str
  returned: always
restart_seconds:
  description: How long the restart took, in seconds; 0 when there was none.
  type: float
  returned: always
unasked:
  description: Why the objects are not known; only in check mode, while a server that has served is down.
  type: str
  returned: sometimes
server_version:
  description: The running server's version number, 0 when it does not run.
  type: int
  returned: always
"""

START_SECONDS = 60.0


def restart(module: Any, params: dict[str, Any]) -> Server:  # noqa: ANN401
    """Restart the unit and return the server when it answers again.

    The configuration is read by the program itself first, so that a server that runs is not stopped for one
    that would not start.
    """
    configuration = Path(params["configuration_directory"]) / "postgresql.conf"
    major = (Path(params["data_directory"]) / "PG_VERSION").read_text().strip()
    command = [f"/usr/lib/postgresql/{major}/bin/postgres", "-C", "max_connections"]
    command += ["-D", params["data_directory"], "-c", f"config_file={configuration}"]
    status, _, error = module.run_command(command, cwd="/")
    if status != 0:
        raise PostgresqlError(f"{params['unit']} is not restarted: {' '.join(error.split())}")
    status, _, error = module.run_command(["systemctl", "restart", params["unit"]])
    if status != 0:
        raise PostgresqlError(
            f"{params['unit']} does not restart: {error.strip()} (journalctl -u {params['unit']})"
        )
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        server = running_server(module, params["data_directory"])
        if server is not None:
            return server
        time.sleep(0.1)
    raise PostgresqlError(f"{params['unit']} was restarted and is not ready after {START_SECONDS:g} s")


def apply(server: Server, changes: list[Change]) -> None:
    """Make the changes; each is sent on its own, so that an error names its object."""
    for change in changes:
        try:
            server.run("\n".join(change.sql), change.database)
        except PostgresqlError as error:
            raise PostgresqlError(f"{change.kind} {change.name}: {error}") from error


def converge(module: Any, params: dict[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    """Do the module's work and return its result."""
    server = running_server(module, params["data_directory"])
    if server is None:
        if not module.check_mode:
            raise PostgresqlError(f"no server runs on {params['data_directory']}: start {params['unit']}")
        if (Path(params["data_directory"]) / "postmaster.opts").exists():
            # It has served before: what is in it cannot be asked while it is down, and is not presumed lost.
            return result(params, [], [], 0) | {"unasked": f"{params['unit']} does not run"}
        changes = [*plan(params, {"roles": {}, "databases": {}}, {}), *plan_jobs(params["jobs"], [])]
        changes += plan_pooler({"role": False, "function": False}) if params["pooler"] else []
        return result(params, changes, [], 0)
    state = settled_state(server, params)
    pending: list[str] = state["pending"]
    seconds = 0.0
    if module.check_mode and params["foreseen"]:
        startup = server.ask(STARTUP_SETTINGS)
        pending = sorted({*pending, *restart_names(params["foreseen"], startup)})
    if pending and not module.check_mode:
        began = time.monotonic()
        server = restart(module, params)
        seconds = round(time.monotonic() - began, 2)
    inside = {
        database["name"]: server.ask(INSIDE, database["name"])
        for database in params["databases"]
        if database["name"] in state["databases"]
    }
    changes = [*plan(params, state, inside), *job_changes(server, params)]
    if params["pooler"]:
        changes += plan_pooler(server.ask(STATE))
    if not module.check_mode:
        apply(server, changes)
    return result(params, changes, pending, state["version"], seconds)


def job_changes(server: Server, params: dict[str, Any]) -> list[Change]:
    """Say what pg_cron and its jobs need; a cluster that never had any is left without it."""
    there = server.ask(EXTENSIONS, DATABASE)
    extension = plan_extension(there)
    if extension is not None and not params["jobs"]:
        return []
    jobs: list[Change] = plan_jobs(params["jobs"], [] if extension else server.ask(JOBS, DATABASE))
    return [*([extension] if extension else []), *jobs]


def result(
    params: dict[str, Any], changes: list[Change], pending: list[str], version: int, seconds: float = 0.0
) -> dict[str, Any]:
    """Return what the task reports."""
    items = [
        {"kind": change.kind, "name": change.name, "actions": list(change.actions)} for change in changes
    ]
    return {
        "changed": bool(changes or pending),
        "items": items,
        "unit": params["unit"],
        "restarted_for": pending,
        "restart_seconds": seconds,
        "server_version": version,
    }


def main() -> None:
    """Run the module."""
    role = {
        "name": {"type": "str", "required": True},
        "password": {"type": "str", "required": True, "no_log": True},
        "connection_limit": {"type": "int", "default": -1},
        "member_of": {"type": "list", "elements": "str", "default": []},
    }
    options = ("name", "schedule", "database", "role", "command")
    job = {name: {"type": "str", "required": True} for name in options}
    database = {
        "name": {"type": "str", "required": True},
        "owner": {"type": "str", "default": "postgres"},
        "users": {"type": "list", "elements": "str", "default": []},
        "extensions": {"type": "list", "elements": "str", "default": []},
    }
    module = AnsibleModule(
        argument_spec={
            "data_directory": {"type": "path", "required": True},
            "configuration_directory": {"type": "path", "required": True},
            "unit": {"type": "str", "required": True},
            "roles": {"type": "list", "elements": "dict", "default": [], "options": role},
            "databases": {"type": "list", "elements": "dict", "default": [], "options": database},
            "jobs": {"type": "list", "elements": "dict", "default": [], "options": job},
            "pooler": {"type": "bool", "default": False},
            "foreseen": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    params = module.params
    try:
        check_names(params)
        watch = Watch(module, {"clusters": [subject(params["data_directory"], questions(params))]})
        outcome = converge(module, params)
    except PostgresqlError as error:
        module.fail_json(msg=str(error))
    else:
        watch.keep(outcome)
        module.exit_json(**outcome)


if __name__ == "__main__":
    main()
