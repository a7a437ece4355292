#!/usr/bin/python
# Copyright: Rackwright contributors
# SPDX-License-Identifier: Apache-2.0
"""Users and rights of a MongoDB server that runs in a container."""

from __future__ import annotations

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.mongodb import (
    AWAY,
    REFUSED,
    Command,
    MongodbError,
    admin_command,
    answers,
    check,
    look_command,
    matches,
    plan,
    script,
)
from ansible.module_utils.rackwright.store_users import users_option

DOCUMENTATION = r"""
module: mongodb_objects
short_description: Keep users and rights of a MongoDB server
description:
  - Asks the server by the shell in its own container, over TLS, what there is, and changes only what differs.
    Passwords go there on standard input, and are compared with what the server keeps of them.
  - The host's own account is the first that a new server gets; it may come from the host alone. Users with
    other names than those listed are left alone.
  - Has the server take in a new certificate, which interrupts nobody.
options:
  container: {description: Its name., type: str, default: mongodb}
  server:
    description: Name in its certificate, by which the container knows itself.
    type: str
    required: true
  admin: {description: "The host's own account.", type: str, default: rackwright}
  admin_password: {description: Its password., type: str, required: true}
  former_password: {description: 'The one before, where it was rotated.', type: str, default: ''}
  users:
    description: Users that call from elsewhere.
    type: list
    elements: dict
    default: []
    suboptions:
      name: {description: Name., type: str, required: true}
      password: {description: Password., type: str, required: true}
      grants:
        description: What it may do.
        type: list
        elements: dict
        default: []
        suboptions:
          database: {description: Name of a database., type: str, required: true}
          rights: {description: How much., type: str, choices: [read, write, own], default: write}
  callers:
    description: Networks that users call from.
    type: list
    elements: str
    default: []
  seconds: {description: How long the server may take to answer., type: int, default: 120}
attributes:
  check_mode:
    support: full
    details: While the server does not run, all that is listed counts as missing.
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: Keep users
  mongodb_objects:
    server: data1
    admin_password: "{{ vault_mongodb_admin_password }}"
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
  sample: [{name: shop, actions: [created]}]
"""

# The certificate that the server was started with, or was told of last, beside the one it has been given.
_PAIR = "cat /tls/cert.pem /tls/key.pem"
_FRESH = f"{_PAIR} | cmp -s - /tmp/server.pem"
_BROUGHT = f"umask 077; {_PAIR} > /tmp/server.new && mv /tmp/server.new /tmp/server.pem"


class Server:
    """The server of this host, and what is done to it."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.given = module.params
        self.items: list[dict[str, Any]] = []

    def inside(self, *words: str, data: str | None = None) -> tuple[int, str, str]:
        """Run a program in its container."""
        docker = self.module.get_bin_path("docker", required=True)
        command = [docker, "exec", "-i", self.given["container"], *words]
        rc, out, error = self.module.run_command(command, data=data, cwd="/")
        return int(rc), str(out), str(error)

    def ask(self, commands: list[Command], password: str) -> list[dict[str, Any]]:
        """Run commands, as the host's own account where there is a password.

        Raises:
            MongodbError: What the server or its shell said.
        """
        words = ["mongosh", "--quiet", "--norc", "--host", self.given["server"], "--port", "27017"]
        words += ["--tls", "--tlsCAFile", "/tls-ca.pem"]
        text = script(commands, self.given["admin"] if password else "", password)
        _, out, error = self.inside(*words, data=text)
        replies: list[dict[str, Any]] = answers(out, error)
        return replies

    def let_in(self) -> list[dict[str, Any]]:
        """Return the users that are there; make the host's own account, or give it its password, before.

        Raises:
            MongodbError: Nothing opens, or the server does not answer in time.
        """
        names = [self.given["admin"], *(user["name"] for user in self.given["users"])]
        password, former = self.given["admin_password"], self.given["former_password"]
        ends = time.monotonic() + (0 if self.module.check_mode else self.given["seconds"])
        while True:
            try:
                (told,) = self.ask([look_command(names)], password)
                return list(told["users"])
            except MongodbError as error:
                if error.code == AWAY and time.monotonic() < ends:
                    time.sleep(2)
                    continue
                if error.code != REFUSED:
                    raise
            break
        self.items.append({"name": self.given["admin"], "actions": ["given its password"]})
        if self.module.check_mode:
            return []
        if former:
            command = admin_command(self.given["admin"], password, "updateUser")
            self.ask([command], former)
        else:
            try:
                # Who comes from the server's own host may make its first user, and nobody a second one so.
                self.ask([admin_command(self.given["admin"], password)], "")
            except MongodbError as error:
                raise MongodbError(
                    f"the password of {self.given['admin']} is not the vault's ({error}). The server keeps"
                    " it in its data: after a rotation write the former one into"
                    " mongodb_former_admin_password"
                ) from error
        (told,) = self.ask([look_command(names)], password)
        return list(told["users"])

    def converge(self) -> None:
        """Do the module's work."""
        check(self.given["users"])
        there = self.let_in()
        own = next((entry for entry in there if entry["user"] == self.given["admin"]), None)
        if own is not None and not matches(self.given["admin_password"], own.get("credentials", {})):
            raise MongodbError(f"the account {self.given['admin']} is not one of SCRAM-SHA-256")
        changes = plan(self.given["users"], self.given["callers"], there)
        self.items += [{"name": change.name, "actions": list(change.actions)} for change in changes]
        commands = [change.command for change in changes]
        if self.inside("bash", "-c", _FRESH)[0] != 0:
            self.items.append({"name": "certificate", "actions": ["taken in"]})
            if not self.module.check_mode:
                rc, _, error = self.inside("bash", "-c", _BROUGHT)
                if rc != 0:
                    raise MongodbError(f"its certificate cannot be read: {error.strip()}")
                commands.append(("admin", {"rotateCertificates": 1}))
        if commands and not self.module.check_mode:
            self.ask(commands, self.given["admin_password"])


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "container": {"type": "str", "default": "mongodb"},
            "server": {"type": "str", "required": True},
            "admin": {"type": "str", "default": "rackwright"},
            "admin_password": {"type": "str", "required": True, "no_log": True},
            "former_password": {"type": "str", "default": "", "no_log": True},
            "users": users_option(),
            "callers": {"type": "list", "elements": "str", "default": []},
            "seconds": {"type": "int", "default": 120},
        },
        supports_check_mode=True,
    )
    server = Server(module)
    try:
        server.converge()
    except MongodbError as error:
        if not (module.check_mode and error.code == AWAY):
            module.fail_json(msg=f"MongoDB: {error}", items=server.items)
        users = [{"name": user["name"], "actions": ["created"]} for user in module.params["users"]]
        server.items = [{"name": module.params["admin"], "actions": ["created"]}, *users]
    module.exit_json(changed=bool(server.items), items=server.items)


if __name__ == "__main__":
    main()
