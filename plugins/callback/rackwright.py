"""Hears what a run does to its hosts, and lets tasks that need no host run where they are decided."""

from __future__ import annotations

from typing import Any

from ansible import context
from ansible.plugins.callback import CallbackBase
from ansible.utils.vars import load_extra_vars

from rackwright.remote import compiled, here, merged, remembered, trust

DOCUMENTATION = r"""
---
name: rackwright
type: aggregate
short_description: Saves a run the remote calls and processes that it can do without
description:
  - Prints nothing. Without it every task runs as Ansible runs it, and every block asks its host.
  - What it does is in docs/blocks.md, "Verified state" and "Tasks in the main process".
"""


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible ships no types
    """Loaded from `callback_plugins` by itself; nothing has to be enabled."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "rackwright"

    def v2_playbook_on_start(self, playbook: Any) -> None:  # noqa: ANN401 - Ansible ships no types
        """Begin, before the first host is asked."""
        trust.hear()
        here.install()
        compiled.install()
        merged.install()
        remembered.begin(list(context.CLIARGS.get("inventory") or ()), load_extra_vars(playbook._loader))  # noqa: SLF001 - as Ansible does

    def v2_playbook_on_stats(self, stats: Any) -> None:  # noqa: ANN401, ARG002
        """Keep what the run has found out, now that it came to its end."""
        remembered.end()

    def v2_runner_on_ok(self, result: Any) -> None:  # noqa: ANN401
        """Doubt a host that something was changed on."""
        if result.is_changed():
            trust.doubt(result.host.name)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:  # noqa: ANN401, ARG002
        """Doubt a host that a task failed on: it may have done half of it."""
        trust.doubt(result.host.name)

    def v2_runner_on_unreachable(self, result: Any) -> None:  # noqa: ANN401
        """Doubt a host that was lost in the middle of something."""
        trust.doubt(result.host.name)
