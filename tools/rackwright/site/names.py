"""The names that hosts may have."""

from __future__ import annotations

import re

LABEL = re.compile(r"^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$")
# Names that mean something else to Ansible, to a resolver or to the lab.
RESERVED = frozenset(
    {"localhost", "all", "ungrouped", "platform", "outside", "gateway", "any", "management", "controller"}
)


def host_name_problem(name: str) -> str | None:
    """Return why a host cannot have this name; None when it can.

    A host's name stands in certificates before the site's domain (`data1.example.internal`), in file names
    and in the firewall's comments.
    """
    if name in RESERVED:
        return f"`{name}` is reserved; give the host a name of its own"
    if "." in name:
        return f"a host's name is one label without a dot: write {name.partition('.')[0] or 'data1'}"
    if not LABEL.match(name):
        return "a host's name is small letters, digits and `-`, at most 63, no `-` at its ends"
    return None
