"""The action of modules that need nothing on the control node."""

from __future__ import annotations

from ansible.plugins.action.normal import ActionModule as NormalAction

from rackwright.remote.resident import ResidentModules


class ActionModule(ResidentModules, NormalAction):  # type: ignore[misc]  # Ansible ships no types
    """What Ansible does for a module without an action, with modules that stay on the host."""
