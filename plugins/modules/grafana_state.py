#!/usr/bin/python
# Copyright: Rackwright contributors
# SPDX-License-Identifier: Apache-2.0
"""Makes Grafana's accounts what they should be, and has it read its files when they have changed."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.grafana_api import Grafana, GrafanaError

DOCUMENTATION = r"""
module: grafana_state
short_description: Accounts, and what Grafana has read of its files
description:
  - Sees to it that C(admin) has the password that is given; the program's own command sets it, told by its
    standard input.
  - Makes the accounts that are named, with password and role. Others are left alone.
  - Removes files of dashboards that nobody wants any more; Grafana sees to new and changed ones by itself.
  - Has Grafana read its datasources again when their file, or the certificate shown to them, has changed.
options:
  url: {description: Where it answers., type: str, required: true}
  ca_path: {description: Its certificate's authority., type: path, default: /etc/rackwright/tls/ca.pem}
  container: {description: Its container., type: str, default: grafana}
  program: {description: The program in the container., type: str, default: grafana}
  home: {description: Where the container has Grafana's own files., type: str, default: /usr/share/grafana}
  admin_password: {description: Password of C(admin)., type: str, required: true}
  users:
    description: Accounts.
    type: list
    elements: dict
    default: []
    suboptions:
      login: {description: Its name., type: str, required: true}
      password: {description: Its password., type: str, required: true}
      role: {description: What it may do., type: str, choices: [Viewer, Editor, Admin], default: Viewer}
  watched: {description: Files that datasources are made of., type: list, elements: path, default: []}
  record: {description: Where is kept what was read last., type: path, required: true}
  dashboards_directory: {description: Where files of dashboards are., type: path, required: true}
  dashboards: {description: "Those that are wanted: C(folder/name).", type: list, elements: str, default: []}
  wait_seconds: {description: How long it may take to answer., type: int, default: 60}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: See to the accounts
  grafana_state:
    url: https://10.0.40.11:3002
    admin_password: "{{ vault_grafana_admin_password }}"
    users: [{login: ann, password: "{{ vault_ann }}", role: Editor}]
    record: /var/lib/rackwright-grafana/.rackwright-read
    dashboards_directory: /etc/rackwright/grafana/dashboards
"""

RETURN = r"""
done:
  description: What was changed, in words.
  returned: always
  type: list
  elements: str
"""

USER = {
    "login": {"type": "str", "required": True},
    "password": {"type": "str", "required": True, "no_log": True},
    "role": {"type": "str", "choices": ["Viewer", "Editor", "Admin"], "default": "Viewer"},
}


class State:
    """One Grafana, and what is done to it: with `done` in words."""

    def __init__(self, module: AnsibleModule) -> None:
        self.module = module
        self.given = module.params
        self.done: list[str] = []
        self.server = Grafana(self.given["url"], self.given["ca_path"], "admin", self.given["admin_password"])

    @property
    def check(self) -> bool:
        """Whether nothing is to be changed."""
        return bool(self.module.check_mode)

    def remove_dashboards(self) -> None:
        """Remove files that nobody wants."""
        directory = Path(self.given["dashboards_directory"])
        wanted = set(self.given["dashboards"])
        for path in sorted(directory.glob("*/*.json")):
            name = str(path.relative_to(directory))
            if name not in wanted:
                self.done.append(f"removed {name}")
                if not self.check:
                    path.unlink()

    def let_admin_in(self) -> None:
        """Set the password of `admin` where it is another."""
        if self.server.lets_in():
            return
        self.done.append("set the password of admin")
        if self.check:
            return
        command = ["docker", "exec", "-i", self.given["container"], self.given["program"], "cli"]
        command += [
            "--homepath",
            self.given["home"],
            "admin",
            "reset-admin-password",
            "--password-from-stdin",
        ]
        status, output, errors = self.module.run_command(command, data=self.given["admin_password"])
        if status != 0:
            raise GrafanaError(f"{' '.join(command)}: {(errors or output).strip()[-300:]}")
        if not self.server.lets_in():
            raise GrafanaError("the password of admin was set, and does not let it in")

    def see_to_users(self) -> None:
        """Make accounts, passwords and roles what they should be."""
        if not self.given["users"]:
            return
        members = self.server.members()
        for user in self.given["users"]:
            login, password, role = user["login"], user["password"], user["role"]
            member = members.get(login)
            if member is None:
                self.done.append(f"made {login}")
                if not self.check:
                    # A new account is a Viewer.
                    number = self.server.create(login, password)
                    self.server.set_role(number, role)
                continue
            if not self.server.as_account(login, password).lets_in():
                self.done.append(f"set the password of {login}")
                if not self.check:
                    self.server.set_password(member["id"], password)
            if member["role"] != role:
                self.done.append(f"{login} is {role} now, was {member['role']}")
                if not self.check:
                    self.server.set_role(member["id"], role)

    def read_files(self) -> None:
        """Have datasources read again when what they are made of is another than at the last time."""
        digest = hashlib.sha256()
        for name in self.given["watched"]:
            path = Path(name)
            digest.update(path.read_bytes() if path.is_file() else b"")
        record = Path(self.given["record"])
        if record.is_file() and record.read_text(encoding="ascii") == digest.hexdigest():
            return
        self.done.append("had the datasources read again")
        if not self.check:
            self.server.read_datasources()
            new = record.with_name(f"{record.name}.new")
            new.write_text(digest.hexdigest(), encoding="ascii")
            new.replace(record)


def main() -> None:
    """The module's entry point."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "ca_path": {"type": "path", "default": "/etc/rackwright/tls/ca.pem"},
            "container": {"type": "str", "default": "grafana"},
            "program": {"type": "str", "default": "grafana"},
            "home": {"type": "str", "default": "/usr/share/grafana"},
            "admin_password": {"type": "str", "required": True, "no_log": True},
            "users": {"type": "list", "elements": "dict", "options": USER, "default": []},
            "watched": {"type": "list", "elements": "path", "default": []},
            "record": {"type": "path", "required": True},
            "dashboards_directory": {"type": "path", "required": True},
            "dashboards": {"type": "list", "elements": "str", "default": []},
            "wait_seconds": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    if module.check_mode and not Path(module.params["record"]).is_file():
        # It was never here: what would be done is what a first run does.
        module.exit_json(changed=True, done=["everything, once it runs"])
    state = State(module)
    try:
        state.remove_dashboards()
        state.server.wait(module.params["wait_seconds"])
        state.let_admin_in()
        state.see_to_users()
        state.read_files()
    except (GrafanaError, OSError) as error:
        module.fail_json(msg=f"grafana: {error}", done=state.done)
    module.exit_json(changed=bool(state.done), done=state.done)


if __name__ == "__main__":
    main()
