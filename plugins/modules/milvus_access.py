#!/usr/bin/python
# Copyright: Rackwright contributors
# SPDX-License-Identifier: Apache-2.0
"""Makes Milvus' users what they should be: root's password, and one user with what it needs."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.rackwright.milvus_api import Grant, Milvus, MilvusError

DOCUMENTATION = r"""
module: milvus_access
short_description: Root's password, and a user with what it needs
description:
  - Gives C(root) its password where it still has the one that every Milvus begins with.
  - Makes a user with a role of the same name, which may do what is listed, everywhere, and nothing else.
  - A user whose password is another is made anew, since Milvus changes a password for its holder alone.
options:
  url: {description: Where REST answers., type: str, required: true}
  root_password: {description: Password of C(root)., type: str, required: true}
  former_password: {description: "The one before, where it was rotated.", type: str, default: ""}
  user: {description: The user., type: str, required: true}
  password: {description: Its password., type: str, required: true}
  privileges:
    description: Kind of object (C(Global), C(Collection)) to names of privileges.
    type: dict
    required: true
  seconds: {description: How long it may take to answer., type: int, default: 180}
attributes:
  check_mode: {support: full}
  diff_mode: {support: none}
"""

EXAMPLES = r"""
- name: See to the users
  milvus_access:
    url: http://10.0.30.11:19531
    root_password: "{{ vault_milvus_root_password }}"
    user: rackwright
    password: "{{ vault_vector_store_api_key }}"
    privileges: {Global: [DescribeCollection], Collection: [Search, Query]}
"""

RETURN = r"""
done:
  description: What was changed, in words.
  returned: always
  type: list
  elements: str
"""

FIRST_PASSWORD = "Milvus"  # noqa: S105 - the one that Milvus documents


class Access:
    """One Milvus, and what is done to it: with `done` in words."""

    def __init__(self, module: AnsibleModule) -> None:
        self.given = module.params
        self.check = bool(module.check_mode)
        self.done: list[str] = []
        self.server = Milvus(self.given["url"], "root", self.given["root_password"])

    def let_root_in(self) -> None:
        """Change root's first password, or the one before.

        Raises:
            MilvusError: None opens.
        """
        if self.server.lets_in():
            return
        before = [one for one in (self.given["former_password"], FIRST_PASSWORD) if one]
        opens = next((one for one in before if self.server.as_user("root", one).lets_in()), None)
        if opens is None:
            raise MilvusError(
                "root's password is neither the vault's nor the one that Milvus begins with. The server keeps"
                " it in its data: after a rotation, or a restore from before one, write the former one into"
                " milvus_former_root_password"
            )
        self.done.append("gave root its password")
        if not self.check:
            root = self.server.as_user("root", opens)
            new = self.given["root_password"]
            root.ask("users/update_password", userName="root", password=opens, newPassword=new)

    def see_to_role(self) -> None:
        """Make the role, and what it may do."""
        name = self.given["user"]
        if name not in self.server.roles():
            self.done.append(f"made the role {name}")
            if not self.check:
                self.server.ask("roles/create", roleName=name)
        wanted = {(kind, one) for kind, listed in self.given["privileges"].items() for one in listed}
        found: set[Grant] = set() if self.done and self.check else self.server.grants(name)
        for grant, what in [
            *((g, "grant") for g in wanted - found),
            *((g, "revoke") for g in found - wanted),
        ]:
            self.done.append(f"{what} {' '.join(grant)}")
            if not self.check:
                self.server.grant(name, grant, what)

    def see_to_user(self) -> None:
        """Make the user, with its password and its role."""
        name, password = self.given["user"], self.given["password"]
        there = name in self.server.users()
        if there and self.server.as_user(name, password).lets_in():
            if name in (self.server.ask("users/describe", userName=name) or []):
                return
        else:
            self.done.append(f"set the password of {name}" if there else f"made {name}")
            if not self.check:
                if there:
                    self.server.ask("users/drop", userName=name)
                self.server.ask("users/create", userName=name, password=password)
        self.done.append(f"gave {name} its role")
        if not self.check:
            self.server.ask("users/grant_role", userName=name, roleName=name)


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            "url": {"type": "str", "required": True},
            "root_password": {"type": "str", "required": True, "no_log": True},
            "former_password": {"type": "str", "default": "", "no_log": True},
            "user": {"type": "str", "required": True},
            "password": {"type": "str", "required": True, "no_log": True},
            "privileges": {"type": "dict", "required": True},
            "seconds": {"type": "int", "default": 180},
        },
        supports_check_mode=True,
    )
    access = Access(module)
    try:
        # In check mode there may be no server yet.
        access.server.wait(0 if access.check else module.params["seconds"])
    except MilvusError as error:
        if not access.check:
            module.fail_json(msg=f"Milvus does not answer at {module.params['url']}: {error}")
        module.exit_json(changed=True, done=["everything: the server does not run yet"])
    try:
        access.let_root_in()
        # Nothing more is to be seen with a password that was not changed.
        if not (access.done and access.check):
            access.see_to_role()
            access.see_to_user()
    except MilvusError as error:
        module.fail_json(msg=f"Milvus at {module.params['url']}: {error}", done=access.done)
    module.exit_json(changed=bool(access.done), done=access.done)


if __name__ == "__main__":
    main()
