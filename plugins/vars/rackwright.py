"""Gives no variables. Ansible loads this before any playbook or role; from here on their files are kept."""

from __future__ import annotations

from ansible.plugins.vars import BaseVarsPlugin

from rackwright.remote import parsed

DOCUMENTATION = r"""
---
name: rackwright
short_description: Keeps what the project's YAML files say from run to run
description:
  - Gives no variables; it is never enabled, and need not be.
  - What it does is in docs/blocks.md, "What a run costs".
"""

parsed.install()


class VarsModule(BaseVarsPlugin):  # type: ignore[misc]  # Ansible ships no types
    """Loaded from `vars_plugins`, and asked nothing."""

    REQUIRES_ENABLED = True
    is_stateless = True
