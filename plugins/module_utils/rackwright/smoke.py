"""How a module of the smoke tests ends: with all its steps, failed when one of them is."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule


def finish(module: AnsibleModule, steps: list[dict[str, Any]], **more: Any) -> None:  # noqa: ANN401 - results
    """Return the steps as the module's result, and end.

    Args:
        module: The module.
        steps: Each with `name`, `ok` and `detail`.
        more: What else the module returns.
    """
    failed = [f"{entry['name']}: {entry['detail']}" for entry in steps if not entry["ok"]]
    result = {"changed": False, "steps": steps, **more}
    if failed:
        module.fail_json(msg="; ".join(failed), **result)
    module.exit_json(**result)
