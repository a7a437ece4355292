"""The archive of a package for a host's Python, made on the control node; no remote call."""

from __future__ import annotations

from typing import Any

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase

from rackwright.errors import RackwrightError
from rackwright.sources.site import site_sources
from rackwright.wheelhouse.build import APP, ensure_wheelhouse

DOCUMENTATION = r"""
---
module: wheelhouse
short_description: A package and all it needs as one archive
description:
  - Makes the archive on the control node, or finds the one that was made of the same inputs.
  - The result's C(wheelhouse) is what the role C(app) takes as C(app_wheelhouse).
options:
  python:
    description: Version of the host's Python (C(host_facts.python)).
    type: str
    required: true
  arch:
    description: The host's machine (C(host_facts.architecture)).
    type: str
    default: x86_64
  package:
    description: What to pack; the app, or a package with a lock in C(roles/<package>/files).
    type: str
    default: rackwright-app
attributes:
  check_mode: {support: full, description: It is made in check mode too, since it touches no host.}
author: [Rackwright]
"""

EXAMPLES = r"""
- name: Pack the app
  wheelhouse:
    python: "{{ host_facts.python }}"
    arch: "{{ host_facts.architecture }}"
  register: packed    # the role gets packed.wheelhouse
"""


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible ships no types
    """Calls `rackwright.wheelhouse`."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _VALID_ARGS = frozenset({"python", "arch", "package"})

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the task.

        Args:
            tmp: Unused; kept by Ansible for old plugins.
            task_vars: The variables of the host.

        Returns:
            The archive, as `wheelhouse`.
        """
        result: dict[str, Any] = super().run(tmp, task_vars)
        given = {name: str(value) for name, value in self._task.args.items()}
        python, arch, package = (
            given.get(name, default)
            for name, default in (("python", ""), ("arch", "x86_64"), ("package", APP))
        )
        try:
            index = str(site_sources(self._templar, task_vars).get("python") or "")
            made = ensure_wheelhouse(python, arch, package=package, index=index).as_dict()
        except RackwrightError as error:
            raise AnsibleActionFail(f"wheelhouse: {error}") from error
        return result | {"changed": False, "wheelhouse": made}
